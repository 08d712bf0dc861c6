"""Simulated studies with a known truth: what an interval must cover, drawn as seeds x problems differences.

Three generators. `GaussianStudy` has exactly the variance components one asks for. `CollapseStudy` is zero for most
problems and a large loss for a few. `SolveStudy` is built like the experiment: every problem has a log-odds of being
solved by one sample of the base model, RL moves it, by an amount that differs from seed to seed, from problem to
problem and in every cell, and the value is the difference of pass@k, exact or estimated from samples. Nothing here is
fitted to the interval: effects are skewed, variances differ between seeds, and pass@k saturates at 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
from scipy import optimize, special, stats

from beyondbase.measure.passk import pass_at_k


@dataclass(frozen=True)
class GaussianStudy:
    """Gaussian differences around 0; the standard error of a study's mean is `error`, two points if not said otherwise.

    `seed_share` of its square comes from seeds, `rest_share` of the remainder from cells, the rest from problems.
    """

    seed_share: float
    rest_share: float = 0.5
    error: float = 0.02
    null = True

    @property
    def truth(self) -> float:
        return 0.0

    def draw(self, generator: np.random.Generator, studies: int, seeds: int, problems: int) -> np.ndarray:
        """Values of many studies (studies, seeds, problems)."""
        normal = generator.standard_normal
        remainder = 1 - self.seed_share
        values = sqrt(remainder * self.rest_share * seeds * problems) * normal((studies, seeds, problems))
        values += sqrt(self.seed_share * seeds) * normal((studies, seeds, 1))
        values += sqrt(remainder * (1 - self.rest_share) * problems) * normal((studies, 1, problems))
        return self.error * values


@dataclass(frozen=True)
class CollapseStudy:
    """RL gives up a `share` of the problems: every seed loses 0.5 to 1 on 7 in 10 of those; nothing else changes."""

    share: float
    null = False

    @property
    def truth(self) -> float:
        return -0.7 * 0.75 * self.share

    def draw(self, generator: np.random.Generator, studies: int, seeds: int, problems: int) -> np.ndarray:
        """Values of many studies (studies, seeds, problems)."""
        lost = generator.random((studies, 1, problems)) < self.share
        lost = lost & (generator.random((studies, seeds, problems)) < 0.7)
        return np.where(lost, -generator.uniform(0.5, 1, lost.shape), 0.0)


@dataclass(frozen=True)
class Spread:
    """Standard deviations of log-odds: between problems, between seeds, between cells."""

    problems: float
    seeds: float
    cells: float

    @property
    def total(self) -> float:
        return sqrt(self.problems**2 + self.seeds**2 + self.cells**2)

    def draw(self, generator: np.random.Generator, studies: int, seeds: int, problems: int) -> np.ndarray:
        values = self.cells * generator.standard_normal((studies, seeds, problems))
        values += self.seeds * generator.standard_normal((studies, seeds, 1))
        values += self.problems * generator.standard_normal((studies, 1, problems))
        return values


@dataclass(frozen=True)
class SolveStudy:
    """RL - base in pass@k where base log-odds are `mean` +- `base` and RL adds `shift` +- `change` to them.

    `samples` = 0 computes pass@k exactly, n > 0 estimates it from n samples a cell. `null` replaces `shift` by the
    one that makes the two models' mean pass@k equal at this k, so that the truth is exactly 0 while every single
    problem still moves.
    """

    mean: float
    base: Spread
    shift: float
    change: Spread
    k: float
    samples: int = 0
    null: bool = False

    @property
    def truth(self) -> float:
        """Mean difference over all seeds and problems."""
        if self.null:
            return 0.0
        return self._mean_pass(self.shift) - mean_pass_at_k(self.mean, self.base.total, self.k)

    def draw(self, generator: np.random.Generator, studies: int, seeds: int, problems: int) -> np.ndarray:
        """Values of many studies (studies, seeds, problems)."""
        base, trained = self.log_odds(generator, studies, seeds, problems)
        return self._value(generator, trained) - self._value(generator, base)

    def log_odds(self, generator: np.random.Generator, studies: int, seeds: int, problems: int):
        """Log-odds of one sample of base and RL, each (studies, seeds, problems)."""
        base = self.mean + self.base.draw(generator, studies, seeds, problems)
        shift = _null_shift(self) if self.null else self.shift
        return base, base + shift + self.change.draw(generator, studies, seeds, problems)

    def _value(self, generator: np.random.Generator, log_odds: np.ndarray) -> np.ndarray:
        if not self.samples:
            return pass_of_log_odds(log_odds, self.k)
        correct = generator.binomial(self.samples, special.expit(log_odds))
        return pass_at_k(self.samples, np.arange(self.samples + 1), int(self.k))[correct]

    def _mean_pass(self, shift: float) -> float:
        return mean_pass_at_k(self.mean + shift, sqrt(self.base.total**2 + self.change.total**2), self.k)


def pass_of_log_odds(log_odds: np.ndarray, k: float) -> np.ndarray:
    """1 - (1 - p)^k with p = expit(log_odds), log-odds below 700."""
    return -np.expm1(-k * np.log1p(np.exp(log_odds)))


def mean_pass_at_k(mean: float, spread: float, k: float) -> float:
    """Expected pass@k of normal log-odds, by quadrature over +-10 standard deviations."""
    nodes, weights = _normal_nodes()
    return float(weights @ pass_of_log_odds(mean + spread * nodes, k))


def true_crossing(study: SolveStudy, first: float = 1, last: float = 1e6) -> float:
    """The k at which the mean difference of a study (its own k is ignored) turns from above 0 to below."""

    def difference(log_k: float) -> float:
        return SolveStudy(study.mean, study.base, study.shift, study.change, np.exp(log_k)).truth

    return float(np.exp(optimize.brentq(difference, np.log(first), np.log(last))))


@lru_cache(maxsize=1)
def _normal_nodes() -> tuple[np.ndarray, np.ndarray]:
    nodes = np.linspace(-10, 10, 4001)
    weights = stats.norm.pdf(nodes)
    return nodes, weights / weights.sum()


@lru_cache(maxsize=256)
def _null_shift(study: SolveStudy) -> float:
    level = mean_pass_at_k(study.mean, study.base.total, study.k)
    return optimize.brentq(lambda shift: study._mean_pass(shift) - level, -80, 80)


# One scenario a regime of the real experiments; numbers chosen so that the curves resemble those of trained models.
SCENARIOS: dict[str, dict] = {
    # RL gains at k = 1 and loses at large k because it gives up some problems almost entirely.
    "reversal": dict(mean=-2.5, base=Spread(1.2, 0.2, 0.5), shift=0.5, change=Spread(5.0, 0.3, 1.5)),
    # Most problems are hard for the base, RL helps; half of the uncertainty comes from the seeds.
    "edge": dict(mean=-6.0, base=Spread(2.0, 0.3, 0.7), shift=2.0, change=Spread(2.0, 0.5, 1.0)),
    # Seeds disagree so much that they are nearly all of the uncertainty, and their effects are skewed.
    "seed-driven": dict(mean=-2.5, base=Spread(1.2, 0.5, 0.5), shift=1.5, change=Spread(1.0, 1.0, 0.5)),
    # The negative control: every problem moves, the mean does not.
    "shuffled": dict(mean=-2.5, base=Spread(1.2, 0.2, 0.5), shift=0.0, change=Spread(0.3, 0.1, 0.5)),
    # At large k both models solve nearly everything: a few problems carry the whole difference.
    "saturated": dict(mean=-1.0, base=Spread(1.0, 0.2, 0.5), shift=1.5, change=Spread(2.0, 0.3, 0.7)),
}
