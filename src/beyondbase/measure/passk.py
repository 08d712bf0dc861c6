"""pass@k: estimated from graded samples, exact from a solve probability, and in whole numbers for comparisons.

The plug-in `1 - (1 - c/n)^k` is not here on purpose: it is biased low for every k > 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb

import numpy as np

# Probabilities of many solutions are summed in floats; a sum may pass 1 by rounding, not by more than this.
LOG_PROBABILITY_SLACK = 1e-6


def k_grid(maximum: int) -> np.ndarray:
    """The k of all curves (K,): whole numbers from 1 to `maximum`, three to an octave, with every power of two."""
    if maximum < 1:
        raise ValueError(f"k_grid({maximum}): the largest k must be at least 1")
    thirds = np.arange(3 * int(maximum).bit_length() + 1)
    grid = np.unique(np.rint(2.0 ** (thirds / 3)).astype(np.int64))
    return np.append(grid[grid < maximum], maximum)


def pass_at_k(n, c, ks) -> np.ndarray:
    """Unbiased pass@k = 1 - C(n-c, k) / C(n, k) of `c` correct among `n` samples.

    `n` and `c` are whole numbers of any shapes that broadcast; `ks` is one k (result: their shape) or K of them
    (result: (K,) + their shape). Accurate to 1e-12 up to n of a million. Raises ValueError for k > n, c outside 0..n,
    k < 1. Source: Chen et al. 2107.03374, eq. 1, in the product form  prod_{j=n-c+1}^{n} (j - k) / j.
    """
    n, c = np.broadcast_arrays(_whole("n", n), _whole("c", c))
    ks_array = _whole("k", ks)
    _check_counts(n, c, ks_array)
    flat_n, flat_c, flat_ks = n.ravel(), c.ravel(), np.atleast_1d(ks_array)
    result = np.empty((len(flat_ks), n.size))
    for size in np.unique(flat_n):
        here = flat_n == size
        # Factors of one n are shared by its problems: entry c is the probability that k draws miss all c correct ones.
        factors = np.arange(size, size - flat_c[here].max(), -1, dtype=np.float64)
        for row, k in enumerate(flat_ks):
            missed = np.concatenate(([1.0], np.cumprod(np.maximum(factors - k, 0) / factors)))
            result[row, here] = 1 - missed[flat_c[here]]
    return result.reshape(ks_array.shape + n.shape)


def pass_at_k_from_logp(logp, ks) -> np.ndarray:
    """Exact pass@k = 1 - (1 - p)^k of problems that one sample solves with probability p = exp(logp).

    `logp` of any shape, -inf allowed; `ks` is one k or K of them, whole or not (a crossing lies between whole ones),
    result as in `pass_at_k`. Keeps its relative precision from p = 1e-300 to 1 and up to k = 1e12. Raises ValueError
    for logp > 0.
    """
    logp = np.asarray(logp, dtype=np.float64)
    ks_array = np.asarray(ks, dtype=np.float64)
    if np.isnan(logp).any() or logp.max(initial=-np.inf) > LOG_PROBABILITY_SLACK:
        worst = "nan" if np.isnan(logp).any() else f"{logp.max():.3g}"
        raise ValueError(f"logp = {worst}: the logarithm of a solve probability must be at most 0 and not nan")
    if ks_array.min(initial=1) < 1:
        raise ValueError(f"k = {ks_array.min():g}: at least one sample is needed, k >= 1")
    log_miss = _log1mexp(np.minimum(logp, 0))
    return -np.expm1(ks_array.reshape(ks_array.shape + (1,) * logp.ndim) * log_miss)


def pass_at_k_fraction(n: int, c: int, k: int) -> Fraction:
    """Unbiased pass@k of one problem as an exact fraction."""
    _check_counts(_whole("n", n), _whole("c", c), _whole("k", k))
    return 1 - Fraction(comb(int(n) - int(c), int(k)), comb(int(n), int(k)))


def mean_pass_at_k_fraction(n: int | Sequence[int], c: Sequence[int], k: int) -> Fraction:
    """Mean over problems of the unbiased pass@k as an exact fraction; `n` is one number of samples or one a problem."""
    n, c = np.broadcast_arrays(_whole("n", n), np.atleast_1d(_whole("c", c)))
    if c.size == 0:
        raise ValueError("no problems: the mean pass@k of an empty list is undefined")
    return sum((pass_at_k_fraction(a, b, k) for a, b in zip(n.flat, c.flat, strict=True)), Fraction(0)) / c.size


def compare_pass_at_k(n: int | Sequence[int], c1: int | Sequence[int], c2: int | Sequence[int], k: int) -> int:
    """Which of two models has the larger mean pass@k: 1 the first, -1 the second, 0 an exact tie.

    Counts of one problem or of many (then the means over problems are compared), graded on the same `n`. Whole-number
    arithmetic: sums of floats call some ties a win.
    """
    first, second = mean_pass_at_k_fraction(n, np.atleast_1d(c1), k), mean_pass_at_k_fraction(n, np.atleast_1d(c2), k)
    return (first > second) - (first < second)


def _log1mexp(x: np.ndarray) -> np.ndarray:
    """log(1 - e^x) for x <= 0, each half with the function that keeps its digits (Maechler 2012)."""
    near_one = x > -np.log(2)
    with np.errstate(divide="ignore"):  # p = 1: log 0 = -inf is the right answer
        return np.where(near_one, np.log(-np.expm1(np.where(near_one, x, -1))), np.log1p(-np.exp(x)))


def _whole(name: str, values) -> np.ndarray:
    array = np.asarray(values)
    if array.size and not np.array_equal(array, np.floor(array)):
        bad = array[array != np.floor(array)].flat[0]
        raise ValueError(f"{name} = {bad}: counts must be whole numbers")
    return array.astype(np.int64)


def _check_counts(n: np.ndarray, c: np.ndarray, ks: np.ndarray) -> None:
    wrong = (c < 0) | (c > n)
    if wrong.any():
        count, of = (np.broadcast_to(array, wrong.shape)[wrong][0] for array in (c, n))
        raise ValueError(f"c = {count} correct of n = {of} samples: c must lie in 0..n")
    if ks.min(initial=1) < 1:
        raise ValueError(f"k = {ks.min()}: at least one sample is needed, k >= 1")
    if n.size and ks.size and ks.max() > n.min():
        raise ValueError(f"k = {ks.max()} > n = {n.min()}: draw at least k samples of every problem, or lower k")
