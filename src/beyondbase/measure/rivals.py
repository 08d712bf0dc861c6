"""The intervals that were not chosen, for `calibration` to compare with.

Each takes a `Batch` of simulated tables, (studies, seeds, problems), and gives the 95 % interval ends (low, high),
(studies,).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, stats

from beyondbase.measure.critical import critical_value
from beyondbase.measure.intervals import Decomposition
from beyondbase.tasks.seeds import derive_seed

LEVEL = 0.95
RESAMPLES = 500
Ends = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Batch:
    """What the methods see of a batch of tables: size, seed means (studies, seeds), decomposition."""

    seeds: int
    problems: int
    seed_means: np.ndarray
    parts: Decomposition

    @property
    def share(self) -> np.ndarray:
        return self.parts.seeds / np.where(self.parts.variance > 0, self.parts.variance, 1)

    def around(self, critical: np.ndarray) -> Ends:
        half = critical * np.sqrt(self.parts.variance)
        return self.parts.effect - half, self.parts.effect + half


def t_over_seeds(batch: Batch) -> Ends:
    """Student's t of the seed means: as if these problems were all there are."""
    error = batch.seed_means.std(-1, ddof=1) / np.sqrt(batch.seeds)
    half = stats.t.ppf((1 + LEVEL) / 2, batch.seeds - 1) * error
    return batch.parts.effect - half, batch.parts.effect + half


def bootstrap_over_seeds(batch: Batch) -> Ends:
    """Percentile bootstrap of the seed means, the same resamples for every study."""
    resampled = batch.seed_means @ _resampling_weights(batch.seeds)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=-1)
    return low, high


def satterthwaite(batch: Batch) -> Ends:
    """Student's t with the degrees of freedom that match the variance of the variance (Satterthwaite 1946)."""
    df = (batch.seeds - 1) / np.maximum(batch.share, 1e-4) ** 2
    return batch.around(stats.t.ppf((1 + LEVEL) / 2, df))


def behrens_fisher(batch: Batch) -> Ends:
    """The fiducial answer: average the normal over the chi-square of the seeds' variance."""
    return batch.around(np.interp(batch.share, *_fiducial_table(batch.seeds - 1)))


def symmetric(batch: Batch) -> Ends:
    """Ours without the correction for skewness."""
    return batch.around(_critical(batch))


def full_hall(batch: Batch) -> Ends:
    """Ours with the whole of Hall's (1992) correction for skewness, on both sides."""
    critical, error = _critical(batch), np.sqrt(batch.parts.variance)
    skewness = batch.parts.third / np.where(error > 0, error, 1) ** 3
    k = np.where(np.abs(skewness) < 1e-6, 1e-6, skewness)

    def inverse(x: np.ndarray) -> np.ndarray:
        return 3 / k * (np.cbrt(1 + k * (x - k / 6)) - 1)

    return batch.parts.effect - error * inverse(critical), batch.parts.effect - error * inverse(-critical)


RIVALS = {
    "t": t_over_seeds,
    "bootstrap": bootstrap_over_seeds,
    "Satterthwaite": satterthwaite,
    "Behrens-Fisher": behrens_fisher,
    "symmetric": symmetric,
    "Hall": full_hall,
}


def _critical(batch: Batch) -> np.ndarray:
    return critical_value(batch.share, batch.seeds - 1, batch.problems - 1, LEVEL)


@lru_cache(maxsize=16)
def _resampling_weights(seeds: int) -> np.ndarray:
    """Bootstrap weights (seeds, RESAMPLES); fixed, so that a table can be made twice."""
    generator = np.random.default_rng(derive_seed("bootstrap over seeds", seeds))
    return generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES).T / seeds


@lru_cache(maxsize=16)
def _fiducial_table(df: int) -> tuple[np.ndarray, np.ndarray]:
    """q with E[Phi(q / sqrt(r df / chi2(df) + 1 - r))] = 97.5 % on a grid of r."""
    grid = np.linspace(0, 1, 41)
    chi2 = stats.chi2.ppf((np.arange(800) + 0.5) / 800, df)

    def solve(r: float) -> float:
        spread = np.sqrt(r * df / chi2 + 1 - r)
        return optimize.brentq(lambda q: stats.norm.cdf(q / spread).mean() - (1 + LEVEL) / 2, 1, 60)

    return grid, np.array([solve(r) for r in grid])
