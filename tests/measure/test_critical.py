"""Critical values: coverage by an independent simulation of the two variances, limits, comparison with Student's t."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from beyondbase.measure.critical import critical_value


@pytest.mark.parametrize(
    "df1, df2, slack", [(2, 199, 0.003), (4, 99, 0.003), (7, 399, 0.003), (1, 199, 0.017), (2, 19, 0.007)]
)
@pytest.mark.parametrize("level", [0.95, 0.9])
def test_covers_whatever_the_true_shares(df1: int, df2: int, slack: float, level: float) -> None:
    generator = np.random.default_rng(7)
    first, second = generator.chisquare(df1, 200_000) / df1, generator.chisquare(df2, 200_000) / df2
    for share in np.linspace(0, 1, 9):
        v1, v2 = share * first, (1 - share) * second
        reach = critical_value(v1 / (v1 + v2), df1, df2, level) * np.sqrt(v1 + v2)
        assert 2 * stats.norm.cdf(reach).mean() - 1 == pytest.approx(level, abs=slack), share


def test_rises_from_the_normal_to_students_t() -> None:
    values = critical_value(np.linspace(0, 1, 101), 2, 10**6)
    assert (np.diff(values) >= 0).all()
    assert values[0] == pytest.approx(stats.norm.ppf(0.975), abs=1e-4)
    assert values[-1] == pytest.approx(stats.t.ppf(0.975, 2), rel=0.01)


def test_satterthwaite_would_cover_too_little() -> None:
    """The reason for this module: with two degrees of freedom Satterthwaite's t misses the band that ours keeps."""
    generator = np.random.default_rng(8)
    v1, v2 = 0.85 * generator.chisquare(2, 200_000) / 2, 0.15
    share = v1 / (v1 + v2)
    theirs = stats.t.ppf(0.975, 2 / share**2)
    assert 2 * stats.norm.cdf(theirs * np.sqrt(v1 + v2)).mean() - 1 < 0.93


def test_more_seeds_than_problems_falls_back_to_satterthwaite() -> None:
    assert critical_value([0.0, 1.0], 7, 3) == pytest.approx(stats.t.ppf(0.975, [3, 7]))
