"""AdamW and Muon, and the step that both kinds of training take with them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from beyondbase.policy.model import Policy
from beyondbase.train.guards import require_finite

BETAS = (0.9, 0.95)
MAX_NORM = 1.0


def adamw(policy: Policy, learning_rate: float, weight_decay: float) -> list[torch.optim.Optimizer]:
    """AdamW over all weights."""
    return [_adamw(list(policy.parameters()), learning_rate, weight_decay)]


def muon(policy: Policy, learning_rate: float, weight_decay: float) -> list[torch.optim.Optimizer]:
    """Muon over the layers' matrices, AdamW over the rest: the embedding, gains and biases."""
    matrices = [w for w in policy.model.layers.parameters() if w.ndim == 2]
    taken = {id(w) for w in matrices}
    rest = [w for w in policy.parameters() if id(w) not in taken]
    return [Muon(matrices, learning_rate, weight_decay), _adamw(rest, learning_rate, weight_decay)]


def _adamw(weights: list[Tensor], learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """Decays matrices only: gains and biases have no scale to be held down."""
    groups = [
        {"params": [w for w in weights if w.ndim >= 2], "weight_decay": weight_decay},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=BETAS, fused=True)


class Muon(torch.optim.Optimizer):
    """Momentum whose updates are orthogonalised, scaled so that a learning rate means what it means to AdamW.

    Same update as `torch.optim.Muon(..., adjust_lr_fn="match_rms_adamw")` in float32. That one takes matrices one by
    one in bfloat16, ten times as long on a CPU; here all of one shape, transposed or not, are one batched product.
    Source: Jordan, "Muon" (2024); scale and weight decay of Liu et al. (arXiv 2502.16982) equation 4.
    """

    def __init__(self, matrices: Sequence[Tensor], lr: float, weight_decay: float, momentum: float = 0.95):
        by_shape: dict[tuple[int, ...], list[Tensor]] = {}
        for matrix in matrices:
            by_shape.setdefault(tuple(sorted(matrix.shape)), []).append(matrix)
        groups = [{"params": same, "shape": shape} for shape, same in by_shape.items()]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            matrices = group["params"]
            gradients = torch.stack([wide(matrix.grad) for matrix in matrices])
            state = self.state[matrices[0]]
            if not state:
                state["velocity"] = torch.zeros_like(gradients)
            velocity = state["velocity"].lerp_(gradients, 1.0 - group["momentum"])
            update = orthogonalised(gradients.lerp(velocity, group["momentum"]))
            size = group["lr"] * 0.2 * max(group["shape"]) ** 0.5
            for matrix, change in zip(matrices, update, strict=True):
                matrix.mul_(1.0 - group["lr"] * group["weight_decay"])
                wide(matrix).sub_(change, alpha=size)


def wide(matrix: Tensor) -> Tensor:
    """The matrix (..., rows, columns), or its transpose where it has more rows than columns."""
    return matrix.mT if matrix.shape[-2] > matrix.shape[-1] else matrix


def orthogonalised(stack: Tensor, iterations: int = 5) -> Tensor:
    """About U V^T of each U S V^T in the stack (N, rows, columns), rows <= columns: singular values end near 1.

    A quintic Newton-Schulz iteration whose coefficients lift small singular values fast and leave all of them between
    about 0.7 and 1.2. Source: Jordan, "Muon" (2024).
    """
    x = stack / stack.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(iterations):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x


def descend(optimisers: Sequence[torch.optim.Optimizer], policy: Policy, rate: float, step: int) -> float:
    """One step at learning rate `rate` along the gradients clipped to norm 1; clears them, returns the norm before.

    Raises NonFinite, with the weights still untouched, where the norm is not a number.
    """
    norm = torch.nn.utils.clip_grad_norm_(policy.parameters(), MAX_NORM).item()
    require_finite(norm, step=step, quantity="gradient norm", fix="lower learning_rate")
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    return norm
