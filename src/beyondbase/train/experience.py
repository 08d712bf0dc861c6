"""What one step of policy optimisation learns from, and the part of it that has to be computed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from beyondbase.policy.model import Policy
from beyondbase.policy.sampler import Rollouts
from beyondbase.policy.scoring import completion_logprobs
from beyondbase.train.losses import clip_fraction, kl_estimate, policy_loss


@dataclass(frozen=True)
class Experience:
    """P prompts (ids, bos included), their n rollouts each, and rewards and advantages (P, n)."""

    prompts: list[list[int]]
    rollouts: Rollouts
    rewards: np.ndarray
    advantages: np.ndarray

    @property
    def tokens(self) -> int:
        """Sampled tokens, eos included: what a token mean divides by."""
        return int(self.rollouts.lengths.sum())

    def summary(self) -> dict[str, float]:
        """The columns of a history row that are known before the update."""
        return {
            "reward": float(self.rewards.mean()),
            "mixed": float((np.ptp(self.rewards, axis=1) > 0).mean()),
            "length": self.tokens / self.rewards.size,
            "entropy": -self.rollouts.logprobs.sum().item() / self.tokens,
        }


@dataclass(frozen=True)
class Minimal:
    """The rollouts that carry gradient, equal ones once: Q blocks of W rows that share a prompt.

    tokens, old_logp (Q, W, L); lengths (Q, W); advantages (Q, W, 1); mask (Q, W, L) is the number of equal rollouts a
    token stands for, 0 at padding; total is the number of tokens of the whole experience.
    """

    prompts: list[list[int]]
    tokens: Tensor
    lengths: Tensor
    old_logp: Tensor
    advantages: Tensor
    mask: Tensor
    total: int

    def logprobs(self, policy: Policy) -> Tensor:
        """Differentiable log-probabilities (Q, W, L) under the policy as it is now."""
        return completion_logprobs(policy, self.prompts, self.tokens, self.lengths)

    def loss(self, logp: Tensor, clip: float) -> Tensor:
        """The clipped surrogate's mean over the tokens of the whole experience."""
        return policy_loss(logp, self.old_logp, self.advantages, self.mask, clip, self.total)

    def drift(self, logp: Tensor, clip: float) -> dict[str, float]:
        """How far the policy is from the one that sampled: history columns `clipped` and `kl`."""
        return {
            "clipped": clip_fraction(logp, self.old_logp, self.advantages, self.mask, clip),
            "kl": kl_estimate(logp, self.old_logp, self.mask),
        }


def minimal(experience: Experience) -> Minimal | None:
    """The rows of an experience without which its gradient would be another; None where none carries any.

    Left out: rollouts whose advantage is 0, and copies of a rollout with the same prompt and advantage, which the first
    one stands for. Both leave loss and gradient as they are, because the token mean still divides by all tokens.
    """
    tokens, _, lengths = experience.rollouts
    device = tokens.device
    groups = [distinct(rows, row) for rows, row in zip(tokens.tolist(), experience.advantages, strict=True)]
    if not any(groups):
        return None
    prompt_tokens = max(map(len, experience.prompts))
    width = block_width([len(group) for group in groups], prompt_tokens, tokens.shape[2])
    owners, rows, copies = blocks(groups, width)
    owner, row, copy = (torch.from_numpy(x).to(device) for x in (owners[:, None], rows, copies))
    lengths = torch.where(copy > 0, lengths[owner, row], 0)
    inside = torch.arange(tokens.shape[2], device=device) < lengths[..., None]
    advantages = torch.from_numpy(experience.advantages).to(device, torch.float32)
    return Minimal(
        prompts=[experience.prompts[index] for index in owners],
        tokens=tokens[owner, row],
        lengths=lengths,
        old_logp=experience.rollouts.logprobs[owner, row] * inside,
        advantages=advantages[owner, row, None],
        mask=inside * copy[..., None].float(),
        total=experience.tokens,
    )


def distinct(rows: list[list[int]], advantages: np.ndarray) -> list[tuple[int, int]]:
    """(first row, number of copies) of each different rollout whose advantage is not 0; `rows` (n, L) are its tokens.

    Rewards may differ between equal rollouts (shuffled ones do), so equal means tokens and advantage.
    """
    keys = [(*row, value) for row, value in zip(rows, advantages.tolist(), strict=True)]
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    return [(first[key], count) for key, count in Counter(keys).items() if key[-1] != 0]


def block_width(sizes: list[int], prompt_tokens: int, completion_tokens: int) -> int:
    """Rows a block that make the fewest tokens to compute when groups of `sizes` rows are cut into equal blocks.

    A block computes its prompt once: narrow blocks repeat prompts, wide ones fill up with padding rows.
    """

    def cost(width: int) -> int:
        return sum(-(-size // width) for size in sizes) * (prompt_tokens + width * completion_tokens)

    return min(range(1, max(sizes) + 1), key=cost)


def blocks(groups: list[list[tuple[int, int]]], width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Owner (Q,), row (Q, W) and copies (Q, W) of the blocks; a padding row has no copies."""
    pieces = [
        (owner, group[start : start + width])
        for owner, group in enumerate(groups)
        for start in range(0, len(group), width)
    ]
    cells = np.zeros((len(pieces), width, 2), np.int64)
    for place, (_, piece) in enumerate(pieces):
        cells[place, : len(piece)] = piece
    return np.array([owner for owner, _ in pieces]), cells[..., 0], cells[..., 1]
