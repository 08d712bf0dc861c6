"""Sampled against exact pass@k, in standard errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from beyondbase.measure import agreement_with_exact, pass_at_k
from beyondbase.measure.agreement import estimator_variance


@pytest.mark.parametrize("n, k", [(12, 1), (12, 5), (12, 12), (40, 30), (200, 64)])
def test_variance_against_the_sum_over_all_counts(n: int, k: int) -> None:
    p, c = np.array([1e-4, 0.03, 0.4, 0.97, 1.0]), np.arange(n + 1)
    weights, values = binom.pmf(c, n, p[:, None]), pass_at_k(n, c, k)
    expected = weights @ values**2 - (weights @ values) ** 2
    assert estimator_variance(np.log(p), n, k) == pytest.approx(expected, abs=1e-12)


def test_standard_errors_are_standard_normal_for_honest_samples() -> None:
    generator = np.random.default_rng(11)
    p, n = generator.beta(0.5, 3, (3, 60)), 256
    for k in (1, 16, 128):
        scores = [agreement_with_exact(np.log(p), generator.binomial(n, p), n, k).standard_errors for _ in range(300)]
        assert abs(np.mean(scores)) < 0.25 and 0.85 < np.std(scores) < 1.15


def test_counts_of_another_model_stand_out() -> None:
    generator = np.random.default_rng(12)
    p, n = generator.beta(0.5, 3, (3, 60)), 1024
    found = agreement_with_exact(np.log(p), generator.binomial(n, 0.9 * p), n, 1)
    assert found.standard_errors < -5
    assert found.sampled < found.exact == pytest.approx(p.mean())


def test_both_saturated_agree() -> None:
    assert agreement_with_exact(np.zeros((2, 3)), np.full((2, 3), 8), 8, 4).standard_errors == 0


def test_shapes_must_match() -> None:
    with pytest.raises(ValueError, match="one count for each"):
        agreement_with_exact(np.zeros((2, 3)), np.zeros((3, 2), int), 8, 4)
