"""AdamW and Muon over the weights of a stack: the arithmetic of `optimiser.py`, each policy at its own pace.

A policy that is not `active` in a step is left alone, with its moments and its number of steps: it has no gradient, or
it has ended.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from beyondbase.policy.stacked import Stack
from beyondbase.train.optimiser import BETAS, MAX_NORM, orthogonalised, wide

EPSILON = 1e-8  # AdamW's, as in torch
MOMENTUM = 0.95  # Muon's, as in `optimiser.Muon`


class StackedAdamW:
    """AdamW over the columns of the weights before `end`, all of them by default; decays matrices only."""

    def __init__(self, stack: Stack, weight_decay: float, end: int | None = None):
        self.weights = stack.weights.detach()[:, :end]
        self.decay = torch.zeros_like(stack.weights[0])
        for block in stack.blocks.values():
            self.decay[block.columns] = weight_decay if block.decays else 0.0
        self.decay = self.decay[:end]
        self.mean, self.square = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        self.steps = self.weights.new_zeros(len(stack), 1)

    def step(self, gradient: Tensor, rate: Tensor, active: Tensor) -> None:
        """`gradient` (S, P); learning rates and flags (S, 1), float. Source: arXiv 1711.05101, algorithm 2."""
        gradient = gradient[:, : self.weights.shape[1]]
        self.steps += active
        # At least 1: a policy that never took a step would divide by 0.
        mean_bias, square_bias = (1 - beta ** self.steps.clamp_min(1) for beta in BETAS)
        self.mean.lerp_(gradient, (1 - BETAS[0]) * active)
        self.square.lerp_(gradient.square(), (1 - BETAS[1]) * active)
        self.weights.mul_(1 - rate * active * self.decay)
        deviation = (self.square / square_bias).sqrt_().add_(EPSILON)
        self.weights.sub_(self.mean / deviation * (rate * active / mean_bias))


class StackedMuon:
    """Muon over the layers' matrices, those of one shape, transposed or not, as one batched product."""

    def __init__(self, stack: Stack, weight_decay: float):
        self.stack, self.weight_decay = stack, weight_decay
        by_shape: dict[tuple[int, ...], list[str]] = {}
        for name, block in stack.blocks.items():
            if block.columns.start >= stack.matrices:
                by_shape.setdefault(tuple(sorted(block.shape[1:])), []).append(name)
        self.groups = list(by_shape.values())
        self.velocities: list[Tensor | None] = [None] * len(self.groups)

    def step(self, gradient: Tensor, rate: Tensor, active: Tensor) -> None:
        """As in `StackedAdamW`."""
        gradients, weights = self.stack.split(gradient), self.stack.split(self.stack.weights.detach())
        rate, active = (rate * active)[..., None, None], active[..., None, None]
        for index, names in enumerate(self.groups):
            slopes = torch.cat([wide(gradients[name]) for name in names], 1)  # (S, matrices, rows, columns)
            if self.velocities[index] is None:
                self.velocities[index] = torch.zeros_like(slopes)
            velocity = self.velocities[index].lerp_(slopes, (1 - MOMENTUM) * active)
            update = orthogonalised(slopes.lerp(velocity, MOMENTUM).flatten(0, 1)).view_as(slopes)
            update *= rate * (0.2 * max(slopes.shape[-2:]) ** 0.5)
            for name, change in zip(names, update.chunk(len(names), 1), strict=True):
                weights[name].mul_(1 - rate * self.weight_decay)
                wide(weights[name]).sub_(change)


def adamw(stack: Stack, weight_decay: float) -> list[StackedAdamW]:
    """AdamW over all weights."""
    return [StackedAdamW(stack, weight_decay)]


def muon(stack: Stack, weight_decay: float) -> list[StackedAdamW | StackedMuon]:
    """Muon over the layers' matrices, AdamW over the rest: embeddings, gains and biases."""
    return [StackedMuon(stack, weight_decay), StackedAdamW(stack, weight_decay, end=stack.matrices)]


def clipped(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Each policy's gradient (S, P) scaled to norm 1 where it is longer, and the norms (S,) before."""
    norms = gradient.norm(dim=1)
    return gradient * (MAX_NORM / (norms + 1e-6)).clamp_max(1.0)[:, None], norms


def descend(
    optimisers: Sequence[StackedAdamW | StackedMuon],
    gradient: Tensor,
    rates: Sequence[float],
    active: Sequence[bool],
) -> None:
    """One step of the active policies along their gradients (S, P), each at its own learning rate."""
    rate, flags = (torch.tensor([[float(x)] for x in row], device=gradient.device) for row in (rates, active))
    for optimiser in optimisers:
        optimiser.step(gradient, rate, flags)
