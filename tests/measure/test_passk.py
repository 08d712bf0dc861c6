"""pass@k against enumeration of all subsets, exact fractions, high-precision decimals and sampling."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondbase.measure import (
    compare_pass_at_k,
    k_grid,
    mean_pass_at_k_fraction,
    pass_at_k,
    pass_at_k_fraction,
    pass_at_k_from_logp,
)


@st.composite
def counts(draw, most: int = 400) -> tuple[int, int, int]:
    """n, c, k that fit together."""
    n = draw(st.integers(1, most))
    return n, draw(st.integers(0, n)), draw(st.integers(1, n))


@pytest.mark.parametrize("n", range(1, 9))
def test_share_of_subsets_with_a_correct_sample(n: int) -> None:
    for c in range(n + 1):
        graded = [True] * c + [False] * (n - c)
        for k in range(1, n + 1):
            subsets = list(combinations(graded, k))
            share = Fraction(sum(any(subset) for subset in subsets), len(subsets))
            assert pass_at_k_fraction(n, c, k) == share
            assert pass_at_k(n, c, k) == pytest.approx(float(share), abs=1e-15)


@settings(deadline=None, max_examples=200)
@given(counts())
def test_floats_agree_with_fractions(triple: tuple[int, int, int]) -> None:
    n, c, k = triple
    assert pass_at_k(n, c, k) == pytest.approx(float(pass_at_k_fraction(n, c, k)), abs=1e-13)


@pytest.mark.parametrize(
    "n, c, k", [(4096, 1, 1), (4096, 2000, 3), (4096, 7, 1024), (10**5, 60_000, 1), (10**6, 3, 10)]
)
def test_many_samples_stay_accurate(n: int, c: int, k: int) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(float(pass_at_k_fraction(n, c, k)), abs=1e-12)


def test_all_k_and_all_problems_at_once_equal_one_by_one() -> None:
    n, c, ks = np.array([[8], [5]]), np.array([[0, 3, 5], [1, 4, 5]]), np.array([1, 2, 5])
    together = pass_at_k(n, c, ks)
    assert together.shape == (3, 2, 3)
    for index in np.ndindex(together.shape):
        row, problem = index[0], index[1:]
        assert together[index] == pass_at_k(n[problem[0], 0], c[problem], ks[row])
    assert pass_at_k(8, 3, 2).shape == ()
    assert pass_at_k(n, c, 2).shape == (2, 3)


@settings(deadline=None, max_examples=100)
@given(st.integers(2, 60), st.data())
def test_rises_with_k_and_with_c(n: int, data: st.DataObject) -> None:
    ks = np.arange(1, n + 1)
    surface = pass_at_k(n, np.arange(n + 1), ks)
    assert (np.diff(surface, axis=0) >= -1e-15).all()
    assert (np.diff(surface, axis=1) >= -1e-15).all()
    assert (surface[:, 0] == 0).all() and (surface[:, -1] == 1).all()
    c = data.draw(st.integers(0, n))
    assert surface[0, c] == pytest.approx(c / n)


def test_unbiased_where_the_plug_in_is_not() -> None:
    """Averaged over the binomial distribution of c the estimate is 1 - (1 - p)^k; the plug-in falls short."""
    from scipy.stats import binom

    n, p, k = 20, 0.1, 8
    weights, c = binom.pmf(np.arange(n + 1), n, p), np.arange(n + 1)
    truth = 1 - (1 - p) ** k
    assert weights @ pass_at_k(n, c, k) == pytest.approx(truth, abs=1e-12)
    assert weights @ (1 - (1 - c / n) ** k) < truth - 0.02


def test_agrees_with_drawing_samples(seed: int = 5) -> None:
    generator = np.random.default_rng(seed)
    n, c, k, draws = 30, 4, 6, 40_000
    order = np.argsort(generator.random((draws, n)), axis=1)[:, :k]
    share, expected = (order < c).any(axis=1).mean(), float(pass_at_k(n, c, k))
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / draws)


@settings(deadline=None, max_examples=200)
@given(st.floats(-690, -1e-9), st.floats(0, 12))
def test_from_log_probabilities_against_fifty_digits(logp: float, log_k: float) -> None:
    k = int(10**log_k)
    with localcontext() as context:
        context.prec = 400
        miss = 1 - Decimal(logp).exp()
        truth = float(1 - (miss.ln() * k).exp())
    assert pass_at_k_from_logp(logp, k) == pytest.approx(truth, rel=1e-10, abs=0)


def test_from_log_probabilities_at_the_ends() -> None:
    ks = [1, 10**12]
    values = pass_at_k_from_logp([-np.inf, -2000.0, np.log(1e-300), 0.0, 1e-9], ks)
    assert values.shape == (2, 5)
    assert values[:, 0].tolist() == [0, 0] and values[:, 3].tolist() == [1, 1] and values[:, 4].tolist() == [1, 1]
    assert values[:, 2] == pytest.approx([1e-300, 1e-288], rel=1e-9, abs=0)
    assert values[0, 1] == 0


def test_exact_equals_estimated_with_every_sample_drawn() -> None:
    """pass@k from p is the limit of the estimator as n grows."""
    p, ks, n = 0.03, np.array([1, 16, 256]), 10**6
    assert pass_at_k(n, int(p * n), ks) == pytest.approx(pass_at_k_from_logp(np.log(p), ks), abs=2e-5)


def test_comparison_is_free_of_float_artefacts() -> None:
    """Ten thirds against the same value in other pieces: an exact tie that sums of floats call a win."""
    first, second, n, k = [1, 1, 1], [3, 0, 0], 10, 1
    assert pass_at_k(n, first, k).sum() != pass_at_k(n, second, k).sum()
    assert compare_pass_at_k(n, first, second, k) == 0
    assert mean_pass_at_k_fraction(n, first, k) == Fraction(1, 10)


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 60), st.data())
def test_comparison_of_one_problem_follows_the_counts(n: int, data: st.DataObject) -> None:
    c1, c2, k = (data.draw(st.integers(low, n)) for low in (0, 0, 1))
    # From c = n - k + 1 on no k samples can all be wrong: pass@k is 1 and more correct ones change nothing.
    first, second = min(c1, n - k + 1), min(c2, n - k + 1)
    assert compare_pass_at_k(n, c1, c2, k) == (first > second) - (first < second)
    assert compare_pass_at_k(n, c1, c2, k) == -compare_pass_at_k(n, c2, c1, k)


def test_grid() -> None:
    grid = k_grid(10**6)
    assert grid[0] == 1 and grid[-1] == 10**6 and (np.diff(grid) > 0).all()
    assert set(2 ** np.arange(20)) <= set(grid.tolist())
    ratios = grid[1:] / grid[:-1]
    assert ratios[grid[:-1] >= 16].max() < 1.29 and len(grid) < 61
    assert k_grid(1).tolist() == [1] and k_grid(5).tolist() == [1, 2, 3, 4, 5] and k_grid(4096)[-1] == 4096


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: pass_at_k(64, 3, 65), "k = 65 > n = 64"),
        (lambda: pass_at_k([64, 8], [3, 1], [1, 16]), "k = 16 > n = 8"),
        (lambda: pass_at_k(64, 65, 1), "c = 65 correct of n = 64"),
        (lambda: pass_at_k(64, -1, 1), "c = -1"),
        (lambda: pass_at_k(64, 3, 0), "k = 0"),
        (lambda: pass_at_k(64, 3.5, 1), "c = 3.5"),
        (lambda: pass_at_k_fraction(4, 1, 5), "k = 5 > n = 4"),
        (lambda: pass_at_k_from_logp(0.1, 1), "logp = 0.1"),
        (lambda: pass_at_k_from_logp(np.nan, 1), "nan"),
        (lambda: pass_at_k_from_logp(-1.0, 0.5), "k = 0.5"),
        (lambda: mean_pass_at_k_fraction(4, [], 1), "no problems"),
        (lambda: k_grid(0), "k_grid"),
    ],
)
def test_impossible_numbers_are_named(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
