"""One decoder layer as a few large matrix products: the arithmetic that training, scoring and sampling share.

Small models on a CPU are bound by the number of operations, not by their flops. Three identities remove most of them
without changing the function: the gain of an RMSNorm is folded into the matrix behind it; query, key and value (and
gate and up) become one product; and the rows of queries and keys are permuted so that each rotary pair is adjacent,
which turns the rotation into one complex multiplication (scores are invariant under a permutation that queries and
keys share).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-6  # of every RMSNorm, as in Qwen2Config


class Heads(NamedTuple):
    """How a layer's channels divide: query heads, key-value heads, channels of one head."""

    query: int
    key: int
    channels: int

    @property
    def rotated(self) -> int:
        return self.query + self.key


class FusedLayer(NamedTuple):
    """Matrices of one layer, row-major (out, in), gains of the norms folded in."""

    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    gate_up: Tensor
    down: Tensor
    heads: Heads


def rotary_table(start: int, stop: int, channels: int, theta: float, device: torch.device) -> Tensor:
    """Unit complex numbers (stop-start, 1, channels/2) that rotate positions start..stop-1 (RoFormer, eq. 34)."""
    frequencies = 1.0 / theta ** (torch.arange(0, channels, 2, device=device, dtype=torch.float32) / channels)
    angles = torch.arange(start, stop, device=device, dtype=torch.float32)[:, None] * frequencies
    return torch.polar(torch.ones_like(angles), angles)[:, None]


def interleave(matrix: Tensor, channels: int) -> Tensor:
    """Reorder the rows of each head from Qwen's (first half, second half) to adjacent rotary pairs."""
    heads = matrix.shape[0] // channels
    return matrix.view(heads, 2, channels // 2, -1).transpose(1, 2).reshape(matrix.shape)


def normalise(x: Tensor) -> Tensor:
    """RMSNorm without its gain, over the last axis."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON)


def project(layer: FusedLayer, x: Tensor, rotary: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rotated queries (..., H, D), rotated keys (..., K, D) and values (..., K, D) of hidden states x (..., d)."""
    heads = layer.heads
    qkv = F.linear(normalise(x), layer.qkv, layer.qkv_bias)
    qkv = qkv.view(*x.shape[:-1], heads.query + 2 * heads.key, heads.channels)
    pairs = torch.view_as_complex(qkv[..., : heads.rotated, :].unflatten(-1, (-1, 2)))
    rotated = torch.view_as_real(pairs * rotary).flatten(-2)
    return rotated[..., : heads.query, :], rotated[..., heads.query :, :], qkv[..., heads.rotated :, :]


def finish(layer: FusedLayer, x: Tensor, mixed: Tensor) -> Tensor:
    """Residual stream (..., d) after the attention output mixed (..., H*D) and the gated MLP are added."""
    x = x + F.linear(mixed, layer.out)
    gate, up = F.linear(normalise(x), layer.gate_up).chunk(2, -1)
    return x + F.linear(F.silu(gate) * up, layer.down)
