"""Critical values of a mean whose variance has two estimated parts, one of them known with few degrees of freedom.

    T = error / sqrt(v1 + v2)     v1 ~ V1 chi2(df1) / df1, from seeds: df1 is 2 to 7
                                  v2 ~ V2 chi2(df2) / df2, from problems: df2 is a hundred or more

This is the Behrens-Fisher problem. Student's t with df1 is far too wide where problems dominate, Welch and
Satterthwaite's t covers as little as 92 % of 95 % at df1 = 2, and the fiducial (Behrens-Fisher) value covers up to
97.6 %. The answer here is the classical one: a critical value c(r) that depends on the observed share r = v1 / (v1 +
v2) and is solved so that the coverage is the nominal one whatever the true share (Welch 1947; Aspin 1948; solved
numerically as in Trickett and Welch 1954).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import optimize, stats

KNOTS = np.linspace(0, 1, 21)
_SHARES = np.linspace(0, 1, 41)
# Weight of the curvature of c(r). Without it c(r) jumps by half within a few hundredths of r at df1 = 2, and so would
# the width of a band along k; with it the coverage is off by 0.1 points at most (df1 >= 2).
_SMOOTHING = 0.03
_STEPS = 14


def critical_value(share, df1: int, df2: int, level: float = 0.95) -> np.ndarray:
    """c(r) such that `effect +- c(r) sqrt(v1 + v2)` covers with probability `level` whatever the true shares are.

    `share` is r = v1 / (v1 + v2) in 0..1, any shape. Between 0 and 1 the value rises from t(df2) to t(df1).
    """
    return np.interp(share, KNOTS, _table(int(df1), int(df2), float(level)))


@lru_cache(maxsize=256)
def _table(df1: int, df2: int, level: float) -> np.ndarray:
    """c at the knots (21,): least squares on the coverage at 41 true shares, by Gauss-Newton; c never falls."""
    low, high = stats.t.ppf((1 + level) / 2, (df2, df1))
    if df1 >= df2:  # as many seeds as problems: neither part is known better, Satterthwaite's t serves
        return stats.t.ppf((1 + level) / 2, 1 / (KNOTS**2 / df1 + (1 - KNOTS) ** 2 / df2))
    root, weights, hats = _quadrature(df1, df2)
    curvature = _SMOOTHING * np.diff(np.eye(len(KNOTS)), 2, axis=0)
    rises = np.full(len(KNOTS) - 1, (high - low) / (len(KNOTS) - 1))
    for _ in range(_STEPS):
        c = low + np.concatenate(([0.0], np.cumsum(rises)))
        z = np.einsum("snk,k->sn", hats, c) * root
        miss = np.concatenate([(2 * stats.norm.cdf(z) - 1) @ weights - level, curvature @ c])
        by_value = np.einsum("sn,snk->sk", 2 * stats.norm.pdf(z) * root * weights, hats)
        by_rise = np.cumsum(np.concatenate([by_value, curvature])[:, ::-1], axis=1)[:, ::-1][:, 1:]
        target, _ = optimize.nnls(by_rise, by_rise @ rises - miss)
        rises = (rises + target) / 2  # half steps: full ones overshoot at df1 = 1
    return low + np.concatenate(([0.0], np.cumsum(rises)))


def _quadrature(df1: int, df2: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """sqrt(v1 + v2) (41, N) in units of its true value, node weights (N,), and hat functions of r (41, N, 21)."""
    (first, w1), (second, w2) = _scaled_chi2(df1, 64), _scaled_chi2(df2, 8)
    first, second = (grid.ravel() for grid in np.meshgrid(first, second, indexing="ij"))
    v1, v2 = _SHARES[:, None] * first, (1 - _SHARES[:, None]) * second
    hats = np.maximum(0, 1 - np.abs((v1 / (v1 + v2))[..., None] - KNOTS) * (len(KNOTS) - 1))
    return np.sqrt(v1 + v2), np.outer(w1, w2).ravel(), hats


def _scaled_chi2(df: int, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the expectation over chi2(df) / df: Gauss-Legendre on its quantiles."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    return stats.chi2.ppf((x + 1) / 2, df) / df, w / 2
