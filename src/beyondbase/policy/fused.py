"""One decoder layer as a few large matrix products: the arithmetic that training, scoring and sampling share.

Small models on a CPU are bound by the number of operations, not by their flops. Three identities remove most of them
without changing the function: the gain of an RMSNorm is folded into the matrix behind it; query, key and value become
one product; and the rows of queries and keys are permuted so that each rotary pair is adjacent, which turns the
rotation into one complex multiplication (scores are invariant under a permutation that queries and keys share). Gate
and up stay apart: halves of one product are strided, and SiLU on them costs more than a second product.
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


class FusedLayer(NamedTuple):
    """Matrices of one layer, row-major (out, in), gains of the norms folded in."""

    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    gate: Tensor
    up: Tensor
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


class Normalise(torch.autograd.Function):
    """RMSNorm without its gain; the written-out gradient takes a third less time than autograd's."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        scale = (x.square().mean(-1, keepdim=True) + EPSILON).rsqrt_()
        y = x * scale
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        y, scale = ctx.saved_tensors
        return (grad - y * (grad * y).mean(-1, keepdim=True)).mul_(scale)


def normalise(x: Tensor) -> Tensor:
    """RMSNorm without its gain, over the last axis of (..., d)."""
    return Normalise.apply(x)


def linear(x: Tensor, matrix: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., in) by a matrix (out, in), or x (S, ..., in) of S policies, each by its own of a stack (S, out, in)."""
    if matrix.ndim == 2:
        return F.linear(x, matrix, bias)
    rows = x.flatten(1, -2)
    product = torch.bmm(rows, matrix.mT) if bias is None else torch.baddbmm(bias[:, None], rows, matrix.mT)
    return product.view(*x.shape[:-1], -1)


def project(layer: FusedLayer, x: Tensor, rotary: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rotated queries (..., H, D), rotated keys (..., K, D) and values (..., K, D) of hidden states x (..., d)."""
    heads = layer.heads
    qkv = linear(normalise(x), layer.qkv, layer.qkv_bias)
    qkv = qkv.view(*x.shape[:-1], heads.query + 2 * heads.key, heads.channels)
    # One split, not slices: each slice's gradient is a zero-filled copy of the whole.
    turning, values = qkv.split([heads.query + heads.key, heads.key], -2)
    if turning.dtype == torch.bfloat16:  # which has no complex numbers
        turning = turning.float()
    pairs = torch.view_as_complex(turning.unflatten(-1, (-1, 2)))
    turned = torch.view_as_real(pairs * rotary).flatten(-2).to(qkv.dtype)
    queries, keys = turned.split([heads.query, heads.key], -2)
    return queries, keys, values


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Causal attention (B, T, H*D) of queries (B, H, T, D), the last T of the S positions of keys, values (B, K, S, D).

    Written-out products for short contexts on a CPU, where the flash kernel takes half as long again.
    """
    (b, heads, t, channels), (_, groups, s, _) = queries.shape, keys.shape
    if s > 64 or queries.device.type != "cpu":
        visible = None if t in (1, s) else torch.ones(t, s, dtype=torch.bool, device=queries.device).tril(s - t)
        mixed = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=visible, is_causal=s == t, enable_gqa=heads != groups
        )
        return mixed.transpose(1, 2).flatten(2)
    future = queries.new_full((t, s), -torch.inf).triu(s - t + 1).repeat(heads // groups, 1)
    keys, values = keys.reshape(b * groups, s, channels), values.reshape(b * groups, s, channels)
    grouped = queries.reshape(b * groups, -1, channels)
    weights = torch.baddbmm(future, grouped, keys.transpose(1, 2), alpha=channels**-0.5).softmax(-1)
    return (weights @ values).view(b, heads, t, channels).transpose(1, 2).flatten(2)


def finish(layer: FusedLayer, x: Tensor, mixed: Tensor) -> Tensor:
    """Residual stream (..., d) after the attention output mixed (..., H*D) and the gated MLP are added."""
    x = x + linear(mixed, layer.out)
    y = normalise(x)
    return x + linear(F.silu(linear(y, layer.gate)) * linear(y, layer.up), layer.down)
