"""Intervals: coverage by simulation (a wrong method fails the same test), invariances, degenerate tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from beyondbase.measure import interval_of_levels, paired_interval, paired_intervals
from beyondbase.measure.intervals import decompose, participation
from beyondbase.measure.rivals import Batch, bootstrap_over_seeds, symmetric
from beyondbase.measure.studies import SCENARIOS, CollapseStudy, GaussianStudy, SolveStudy

STUDIES = 1500
# 93 to 97 % and three standard errors of 1500 studies on either side.
LOWEST, HIGHEST = 0.93 - 0.02, 0.97 + 0.013


def values(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def coverage(study, seeds: int, problems: int, method=None) -> float:
    tables = study.draw(np.random.default_rng(2024), STUDIES, seeds, problems)
    if method is None:
        _, low, high = paired_intervals(tables)
    else:
        low, high = method(Batch(seeds, problems, tables.mean(-1), decompose(tables)))
    return float(((low <= study.truth) & (study.truth <= high)).mean())


@pytest.mark.parametrize("seeds", [3, 5, 8])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_covers_gaussian_studies(seeds: int, share: float) -> None:
    assert LOWEST < coverage(GaussianStudy(share), seeds, 100) < HIGHEST


# A null at k = 1024 is missing: it rests on a handful of problems, more than the interval promises (`calibration`).
LIKE_THE_EXPERIMENT = [
    ("reversal", 1, 0, False),
    ("reversal", 1, 0, True),
    ("reversal", 1024, 0, False),
    ("edge", 64, 64, False),
    ("edge", 64, 64, True),
]


@pytest.mark.parametrize("seeds", [3, 8])
@pytest.mark.parametrize("name, k, samples, null", LIKE_THE_EXPERIMENT)
def test_covers_studies_like_the_experiment(name: str, k: int, samples: int, null: bool, seeds: int) -> None:
    study = SolveStudy(**SCENARIOS[name], k=k, samples=samples, null=null)
    assert LOWEST < coverage(study, seeds, 200) < HIGHEST


@pytest.mark.parametrize("seeds", [3, 8])
@pytest.mark.parametrize("problems, share", [(200, 0.08), (400, 0.04)])
def test_covers_when_a_few_problems_carry_everything(problems: int, share: float, seeds: int) -> None:
    assert LOWEST < coverage(CollapseStudy(share), seeds, problems) < HIGHEST


def test_without_the_skewness_correction_it_would_not() -> None:
    assert coverage(CollapseStudy(0.02), 8, 200, symmetric) < LOWEST < coverage(CollapseStudy(0.02), 8, 200)


@pytest.mark.parametrize("seeds", [3, 5, 8])
def test_the_test_rejects_a_plain_bootstrap_over_seeds(seeds: int) -> None:
    for share in (0.0, 0.3, 0.6, 0.9):
        assert coverage(GaussianStudy(share), seeds, 100, bootstrap_over_seeds) < LOWEST


def test_variance_of_the_mean_is_unbiased() -> None:
    """A study's mean has variance 1 by construction; the decomposition must find it, and its parts."""
    tables = GaussianStudy(seed_share=0.5, rest_share=0.4, error=1).draw(np.random.default_rng(3), 4000, 5, 50)
    parts = decompose(tables)
    assert tables.mean((1, 2)).var() == pytest.approx(1, abs=0.1)
    assert parts.variance.mean() == pytest.approx(1, abs=0.05)
    assert (parts.seeds - parts.rest).mean() == pytest.approx(0.5, abs=0.05)
    assert parts.problems.mean() == pytest.approx(0.3, abs=0.02)
    assert parts.rest.mean() == pytest.approx(0.2, abs=0.01)


def test_decomposition_against_explicit_sums_of_squares() -> None:
    table = values(4, 3, 7) + np.arange(7)
    grand, rows, columns = table.mean(), table.mean(1), table.mean(0)
    ms_seeds = 7 * sum((r - grand) ** 2 for r in rows) / 2
    ms_problems = 3 * sum((c - grand) ** 2 for c in columns) / 6
    ms_rest = sum((table[s, p] - rows[s] - columns[p] + grand) ** 2 for s in range(3) for p in range(7)) / 12
    parts = decompose(table)
    assert parts.variance == pytest.approx((ms_seeds + ms_problems - ms_rest) / 21)
    assert parts.seeds == pytest.approx(ms_seeds / 21) and parts.rest == pytest.approx(ms_rest / 21)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.floats(-5, 5), st.floats(0.01, 100))
def test_moves_and_scales_with_the_values(seed: int, shift: float, scale: float) -> None:
    table = values(seed, 3, 20) ** 3
    plain, moved, turned = paired_interval(table), paired_interval(shift + scale * table), paired_interval(-table)
    for name in ("effect", "low", "high"):
        assert getattr(moved, name) == pytest.approx(shift + scale * getattr(plain, name), rel=1e-9, abs=1e-9)
    assert (turned.low, turned.high) == pytest.approx((-plain.high, -plain.low))
    shuffled = table[[2, 0, 1]][:, np.random.default_rng(seed).permutation(20)]
    assert paired_interval(shuffled).low == pytest.approx(plain.low)


def test_many_tables_at_once_equal_one_by_one() -> None:
    tables = values(6, 4, 3, 30)
    bands = paired_intervals(tables, level=0.9)
    for row, table in enumerate(tables):
        one = paired_interval(table, level=0.9)
        assert (bands.effect[row], bands.low[row], bands.high[row]) == pytest.approx((one.effect, one.low, one.high))
    assert paired_intervals(tables[None]).effect.shape == (1, 4)


def test_a_skewed_mean_reaches_farther_on_its_long_side_only() -> None:
    table = np.zeros((3, 200))
    table[:, :4] = -1
    interval = paired_interval(table)
    symmetric = stats.t.ppf(0.975, 199) * np.sqrt(interval.variance_problems)
    assert interval.high - interval.effect == pytest.approx(symmetric, rel=1e-6)
    assert interval.effect - interval.low > 1.2 * symmetric
    assert interval.carriers == pytest.approx(4)


def test_one_seed_is_students_t_over_problems_and_says_so() -> None:
    table = values(7, 400)
    table = np.concatenate([table, -table])  # no skewness
    interval = paired_interval(table)
    expected = stats.t.interval(0.95, 799, table.mean(), stats.sem(table))
    assert (interval.low, interval.high) == pytest.approx(expected, rel=1e-6)
    assert interval.seeds == 1 and interval.method == "one seed: problems only"


def test_one_problem_is_students_t_over_seeds() -> None:
    table = values(8, 5, 1)
    interval = paired_interval(table)
    assert (interval.low, interval.high) == pytest.approx(
        stats.t.interval(0.95, 4, table.mean(), stats.sem(table[:, 0])), rel=1e-6
    )
    assert interval.method == "one problem: seeds only"


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
def test_equal_values_have_no_width(value: float) -> None:
    interval = paired_interval(np.full((3, 11), value))
    assert (interval.effect, interval.low, interval.high) == (value, value, value)


def test_bounds_cut_the_ends_but_not_the_effect() -> None:
    table = np.ones((3, 12))
    table[0, 0] = table[2, 5] = 0
    free, cut = interval_of_levels(table), interval_of_levels(table, bounds=(0, 1))
    assert free.high > 1 and cut.high == 1 and cut.low == free.low and cut.effect == free.effect


def test_a_wider_level_is_wider() -> None:
    table = values(10, 3, 50)
    assert paired_interval(table, 0.9).width < paired_interval(table).width < paired_interval(table, 0.99).width


def test_clears_and_within() -> None:
    interval = paired_interval(0.5 + 0.1 * values(11, 3, 50))
    assert interval.clears(0.3, "+") and not interval.clears(0.3, "-") and not interval.clears(0.5, "+")
    assert interval.within(0.7) and not interval.within(0.5) and 0.5 in interval
    with pytest.raises(ValueError, match="direction = 'up'"):
        interval.clears(0.1, "up")


def test_participation_counts_the_problems_that_carry_the_mean() -> None:
    table = np.zeros((4, 2, 10))
    table[1, :, 0], table[2, :, :5], table[3] = 1, -0.3, 0.2
    assert participation(table) == pytest.approx([0, 1, 5, 10])


@pytest.mark.parametrize(
    "table, words",
    [
        ([[1.0]], "one value"),
        ([[np.nan, 1.0]], "1 of 2 values"),
        (np.zeros((2, 3, 4)), "shape"),
        (np.zeros((0, 3)), "0 seed"),
    ],
)
def test_tables_without_an_interval_are_refused(table, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        paired_interval(table)


def test_level_must_be_a_probability() -> None:
    with pytest.raises(ValueError, match="level = 95"):
        paired_interval(values(12, 3, 4), level=95)
    with pytest.raises(ValueError, match="expected"):
        paired_intervals([1.0, 2.0])
