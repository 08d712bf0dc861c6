"""Policy-gradient losses: pure functions of log-probabilities, advantages and masks."""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_surrogate(logp: Tensor, old_logp: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """PPO's clipped surrogate a token, as a loss: -min(r A, clamp(r, 1 - clip, 1 + clip) A) with r = exp(logp - old).

    `logp`, `old_logp` (..., L) log-probabilities of the sampled tokens under the policy being trained and the one that
    sampled; `advantages` broadcasts against them, one value a rollout as (..., 1). Returns (..., L).
    Source: PPO (arXiv 1707.06347) equation 7; GRPO (arXiv 2402.03300) equation 3 without its KL term.
    """
    ratio = torch.exp(logp - old_logp)
    return -torch.minimum(ratio * advantages, ratio.clamp(1.0 - clip, 1.0 + clip) * advantages)


def token_mean(values: Tensor, mask: Tensor, tokens: float | None = None) -> Tensor:
    """The mean of `values` over the batch's tokens, each weighing the same whatever the length of its rollout.

    `values`, `mask` same shape; the mask is 0 where there is no token, 1 where there is one, and c where it stands for
    c equal ones. `tokens` replaces the mask's own sum as divisor: rows whose values are known to be 0 can be left out
    of `values` and still be counted. Returns a scalar. Source: DAPO (arXiv 2503.14476) equation 8.
    """
    return (values * mask).sum() / (mask.sum() if tokens is None else tokens)


def policy_loss(
    logp: Tensor, old_logp: Tensor, advantages: Tensor, mask: Tensor, clip: float, tokens: float | None = None
) -> Tensor:
    """The token mean of the clipped surrogate: the loss whose gradient one GRPO step follows.

    Shapes as in `clipped_surrogate`; `mask` (..., L) and `tokens` as in `token_mean`.
    """
    return token_mean(clipped_surrogate(logp, old_logp, advantages, clip), mask, tokens)


@torch.no_grad()
def clip_fraction(logp: Tensor, old_logp: Tensor, advantages: Tensor, mask: Tensor, clip: float) -> float:
    """The share of tokens whose gradient the clip removes: their ratio is past the bound that A pushes it to."""
    return token_mean(beyond_clip(logp, old_logp, advantages, clip).to(mask.dtype), mask).item()


def beyond_clip(logp: Tensor, old_logp: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Which tokens (..., L) have a ratio past the bound that A pushes it to."""
    ratio = torch.exp(logp - old_logp)
    return ((advantages > 0) & (ratio > 1.0 + clip)) | ((advantages < 0) & (ratio < 1.0 - clip))


@torch.no_grad()
def kl_estimate(logp: Tensor, old_logp: Tensor, mask: Tensor) -> float:
    """Mean over tokens of (r - 1) - log r: unbiased for KL(sampling policy || current one) and never negative.

    Source: the k3 estimator of Schulman, "Approximating KL divergence" (2020).
    """
    return token_mean(k3(logp, old_logp), mask).item()


def k3(logp: Tensor, old_logp: Tensor) -> Tensor:
    """(r - 1) - log r of each token."""
    log_ratio = logp - old_logp
    return torch.expm1(log_ratio) - log_ratio
