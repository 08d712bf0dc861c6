"""How far sampled pass@k lies from the exact value, in standard errors: the check that both measure the same thing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from beyondbase.measure.passk import pass_at_k, pass_at_k_from_logp


class Agreement(NamedTuple):
    """Mean exact and mean sampled pass@k, and their difference in standard errors of the sampled mean."""

    exact: float
    sampled: float
    standard_errors: float


def agreement_with_exact(logp, correct, n: int, k: int) -> Agreement:
    """Compare mean pass@k from exact log probabilities with that from counts of correct samples.

    `logp` and `correct` have the same shape; every count is out of `n` samples and k <= n (ValueError otherwise).
    """
    logp, correct = np.asarray(logp, dtype=np.float64), np.asarray(correct)
    if logp.shape != correct.shape or logp.size == 0:
        raise ValueError(
            f"logp of shape {logp.shape}, counts of shape {correct.shape}: one count for each probability is needed"
        )
    exact, sampled = pass_at_k_from_logp(logp, k).mean(), pass_at_k(n, correct, k).mean()
    error = np.sqrt(estimator_variance(logp, n, k).sum()) / logp.size
    difference = sampled - exact
    if abs(difference) <= 1e-12:  # both saturated: equal up to rounding, whatever the standard error
        return Agreement(float(exact), float(sampled), 0.0)
    return Agreement(
        float(exact), float(sampled), float(difference / error) if error > 0 else float(np.sign(difference) * np.inf)
    )


def estimator_variance(logp, n: int, k: int) -> np.ndarray:
    """Variance of the unbiased pass@k of n samples, for solve probabilities exp(logp) of any shape.

    The estimator's miss is the share of k-subsets without a correct sample, so its second moment is the probability
    that two independent subsets both miss: with overlap J (hypergeometric) and q = 1 - p, Var = E[q^(2k-J) (1 -
    q^J)].
    """
    overlap = np.arange(max(0, 2 * k - n), k + 1)
    weights = stats.hypergeom.pmf(overlap, n, k, k)
    overlap, weights = overlap[weights > 1e-18], weights[weights > 1e-18]
    pass_once = pass_at_k_from_logp(logp, 1)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_miss = np.log1p(-pass_once)
        terms = np.exp((2 * k - overlap) * log_miss) * -np.expm1(overlap * log_miss)
    return np.nan_to_num(terms, nan=0.0) @ weights  # nan: 0 * log 0, a problem that is never missed
