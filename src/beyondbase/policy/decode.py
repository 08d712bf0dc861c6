"""One new token for every row of a batch whose rows share prompts: the arithmetic of the sampler.

Everything is feature-major, (features, rows): at width 64 a row's own attention is far too small for matrix products
(a batched product spends microseconds on 16 numbers), while multiply-and-sum over rows that lie side by side runs at
memory speed. All rows of a batch stand at the same position, so the rotary rotation is applied to the query and key
matrices, once a step, instead of to the rows. A row attends in two score blocks joined by one softmax: to the one copy
of its prompt's keys, by a matrix product over the samples of the prompt, and to its own suffix.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from beyondbase.policy.fused import EPSILON, FusedLayer, Heads


class StepLayer(NamedTuple):
    """Weights of one layer; qkv is complex, (d + 1, rows / 2): pairs of output rows, the bias as last input."""

    qkv: Tensor
    out: Tensor
    gate: Tensor
    up: Tensor
    down: Tensor
    heads: Heads


class LayerCache(NamedTuple):
    """Keys and values of one layer for p prompts with m rows each, N = p m.

    prompt_keys (p H, T, D) and prompt_values (p H, D, T): one copy for the m rows of a prompt.
    keys and values (L, K, 1, D, N): static, filled up to the current step.
    """

    prompt_keys: Tensor
    prompt_values: Tensor
    keys: Tensor
    values: Tensor


class Workspace(NamedTuple):
    """Buffers that every layer of every step reuses: fresh ones of this size cost a page fault per 4 KiB."""

    products: Tensor  # (L, K, G, D, N)
    scores: Tensor  # (T + L, H, N)


def step_layer(layer: FusedLayer) -> StepLayer:
    """Weights of a layer in the form that `decode_layer` wants, the score scale folded into the queries."""
    heads = layer.heads
    qkv = torch.cat([layer.qkv.t(), layer.qkv_bias[None]]).float()
    qkv[:, : heads.query * heads.channels] *= heads.channels**-0.5
    pairs = torch.view_as_complex(qkv.unflatten(1, (-1, 2)))
    return StepLayer(pairs, layer.out, layer.gate, layer.up, layer.down, heads)


def turns(rotary: Tensor, heads: Heads) -> Tensor:
    """Factors (L, rows / 2) of the pairs of output rows, from rotations (L, 1, D/2): values are not turned."""
    rotated = rotary.expand(-1, heads.query + heads.key, -1)
    return torch.cat([rotated, torch.ones_like(rotary).expand(-1, heads.key, -1)], 1).flatten(1)


def empty_cache(prompt: tuple[Tensor, Tensor], heads: Heads, rows: int, length: int) -> LayerCache:
    """A cache for `rows` samples of each prompt, whose keys and values (p, K, T, D) are given."""
    keys, values = (t.repeat_interleave(heads.query // heads.key, 1).flatten(0, 1) for t in prompt)
    shape = (length, heads.key, 1, heads.channels, len(prompt[0]) * rows)
    return LayerCache(keys, values.transpose(1, 2).contiguous(), keys.new_empty(shape), keys.new_empty(shape))


def workspace(caches: list[LayerCache], heads: Heads) -> Workspace:
    """Buffers for a batch with these caches."""
    cache = caches[0]
    length, _, _, channels, rows = cache.keys.shape
    products = cache.keys.new_empty(length, heads.key, heads.query // heads.key, channels, rows)
    scores = cache.keys.new_empty(cache.prompt_keys.shape[1] + length, heads.query, rows)
    return Workspace(products, scores)


def decode_layer(layer: StepLayer, cache: LayerCache, work: Workspace, x: Tensor, turn: Tensor, step: int) -> Tensor:
    """Residual stream (d, N) after one layer, changed in place; the new keys and values enter the cache at `step`."""
    heads, (query_heads, key_heads, channels) = layer.heads, layer.heads
    rows = x.shape[1]
    matrix = torch.view_as_real(layer.qkv * turn).flatten(1).to(x.dtype)
    qkv = torch.addmm(matrix[-1:].t(), matrix[:-1].t(), normalise_rows(x))
    q, k, v = qkv.view(-1, channels, rows).split((query_heads, key_heads, key_heads))
    cache.keys[step, :, 0] = k
    cache.values[step, :, 0] = v
    mixed = attend(heads, cache, work, q, step)
    x.addmm_(layer.out, mixed.view(-1, rows))
    y = normalise_rows(x)
    return x.addmm_(layer.down, F.silu(layer.gate @ y, inplace=True).mul_(layer.up @ y))


def attend(heads: Heads, cache: LayerCache, work: Workspace, q: Tensor, step: int) -> Tensor:
    """Attention output (H, D, N) of scaled queries (H, D, N) over the prompts and positions 0..step of the suffix."""
    (query_heads, channels, rows), t = q.shape, cache.prompt_keys.shape[1]
    prompts = len(cache.prompt_keys) // query_heads
    grouped = (heads.key, query_heads // heads.key, channels, rows)
    by_prompt = (query_heads, -1, prompts, rows // prompts)

    scores, products = work.scores[: t + step + 1], work.products[: step + 1]
    shared = cache.prompt_keys @ q.reshape(by_prompt).permute(2, 0, 1, 3).flatten(0, 1)  # (p H, T, m)
    scores[:t].view(t, query_heads, prompts, -1).copy_(shared.unflatten(0, (prompts, -1)).permute(2, 1, 0, 3))
    torch.mul(cache.keys[: step + 1], q.view(grouped), out=products)
    torch.sum(products, 3, out=scores[t:].view(step + 1, *grouped[:2], rows))
    weights = scores.softmax(0)

    torch.mul(cache.values[: step + 1], weights[t:].view(step + 1, *grouped[:2], 1, rows), out=products)
    mixed = products.sum(0).view(query_heads, channels, rows)
    spread = weights[:t].view(t, query_heads, prompts, -1).permute(2, 1, 0, 3).flatten(0, 1)  # (p H, T, m)
    shared = (cache.prompt_values @ spread).unflatten(0, (prompts, -1))
    mixed.view(by_prompt).add_(shared.permute(1, 2, 0, 3))
    return mixed


def normalise_rows(x: Tensor) -> Tensor:
    """RMSNorm without its gain of feature-major x (d, N)."""
    return x * (x.square().mean(0) + EPSILON).rsqrt_()


def select(cache: LayerCache, prompts: Tensor, rows: Tensor, heads: Heads, step: int) -> LayerCache:
    """The cache of some prompts (p',) and rows (N',), filled up to `step` positions."""
    kept = []
    for old in (cache.keys, cache.values):
        new = old.new_empty(*old.shape[:-1], len(rows))
        torch.index_select(old[:step], -1, rows, out=new[:step])
        kept.append(new)
    shared = (t.unflatten(0, (-1, heads.query))[prompts].flatten(0, 1) for t in cache[:2])
    return LayerCache(*shared, *kept)
