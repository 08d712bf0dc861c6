"""How much better than expected each rollout was: pure functions of the rewards (P, n) -> (P, n)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def group_normalised(rewards: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    """GRPO's advantage: each prompt's rewards minus their mean, divided by their standard deviation.

    `rewards` (P, n) float; returns (P, n) float64. The deviation is the population's (divided by n), sqrt(p(1-p)) for
    a binary reward with success rate p. A group whose rewards are all equal gets exactly 0, whatever their value.
    Source: DeepSeekMath (arXiv 2402.03300) section 4.1.2, outcome supervision.
    """
    rewards = np.asarray(rewards, dtype=np.float64)
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    # The mean of equal floats can differ from them by one rounding; divided by eps that would be a real advantage.
    centred[np.ptp(rewards, axis=1) == 0] = 0.0
    return centred / (rewards.std(axis=1, keepdims=True) + eps)


ADVANTAGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"group_normalised": group_normalised}
