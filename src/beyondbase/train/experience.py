"""What one step of policy optimisation learns from, and the part of it that has to be computed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from beyondbase.policy.forest import Texts, as_texts
from beyondbase.policy.sampler import Rollouts
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
    """The rollouts that carry gradient, equal ones once, as texts behind their prompts, with n sampled tokens in all.

    old_logp, advantages and mask are (n,); the mask is the number of equal rollouts a token stands for, total the
    number of tokens of the whole experience.
    """

    texts: Texts
    old_logp: Tensor
    advantages: Tensor
    mask: Tensor
    total: int

    def loss(self, logp: Tensor, places: Tensor, clip: float) -> Tensor:
        """What the tokens at some places (n',) add to the clipped surrogate's mean over the whole experience."""
        old, advantages, mask = (x[places] for x in (self.old_logp, self.advantages, self.mask))
        return policy_loss(logp, old, advantages, mask, clip, self.total)

    def drift(self, logp: Tensor, clip: float) -> dict[str, float]:
        """How far the policy is from the one that sampled, from all (n,): history columns `clipped` and `kl`."""
        return {
            "clipped": clip_fraction(logp, self.old_logp, self.advantages, self.mask, clip),
            "kl": kl_estimate(logp, self.old_logp, self.mask),
        }


def minimal(experience: Experience) -> Minimal | None:
    """The rows of an experience without which its gradient would be another; None where none carries any.

    Left out: rollouts whose advantage is 0, and copies of a rollout with the same prompt and advantage, which the first
    one stands for. Both leave loss and gradient as they are, because the token mean still divides by all tokens.
    """
    tokens, logprobs, lengths = (field.cpu().numpy() for field in experience.rollouts)
    rows = [
        (owner, row, copies)
        for owner, (block, row_advantages) in enumerate(zip(tokens.tolist(), experience.advantages, strict=True))
        for row, copies in distinct(block, row_advantages)
    ]
    if not rows:
        return None
    owner, row, copies = np.array(rows).T
    lengths = lengths[owner, row]
    inside = np.arange(tokens.shape[2]) < lengths[:, None]
    chosen = [block[:length] for block, length in zip(tokens[owner, row].tolist(), lengths, strict=True)]
    weights = (experience.advantages[owner, row], copies)
    device = experience.rollouts.logprobs.device
    old, advantages, mask = (
        torch.from_numpy(x.astype(np.float32)).to(device)
        for x in (logprobs[owner, row][inside], *(np.repeat(weight, lengths) for weight in weights))
    )
    return Minimal(as_texts([experience.prompts[i] for i in owner], chosen), old, advantages, mask, experience.tokens)


def distinct(rows: list[list[int]], advantages: np.ndarray) -> list[tuple[int, int]]:
    """(first row, number of copies) of each different rollout whose advantage is not 0; `rows` (n, L) are its tokens.

    Rewards may differ between equal rollouts (shuffled ones do), so equal means tokens and advantage.
    """
    keys = [(*row, value) for row, value in zip(rows, advantages.tolist(), strict=True)]
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    return [(first[key], count) for key, count in Counter(keys).items() if key[-1] != 0]
