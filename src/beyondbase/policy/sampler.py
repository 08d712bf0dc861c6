"""Sampling many completions of each prompt: the prompt is computed once and its keys and values are shared.

Attention is two score blocks joined in one softmax: n queries against the one copy of the prompt's keys (a real matrix
product), and each row against its own suffix in a static cache. Rows that ended leave the batch from time to time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from beyondbase.policy.fused import FusedLayer, finish, normalise, project
from beyondbase.policy.model import Policy


class Rollouts(NamedTuple):
    """Samples of P prompts, n each.

    tokens (P, n, L) int64: completions up to and including eos, then pad; L is the longest completion.
    logprobs (P, n, L) float32: log-probability of each token under the distribution it was drawn from, that is with
    the temperature applied; 0 at padding.
    lengths (P, n) int64: tokens including eos; a completion cut at max_tokens has no eos.
    """

    tokens: Tensor
    logprobs: Tensor
    lengths: Tensor


def sample(
    policy: Policy,
    prompts: Sequence[Sequence[int]],
    n: int,
    *,
    max_tokens: int,
    generator: torch.Generator,
    temperature: float = 1.0,
    max_batch: int = 1024,
) -> Rollouts:
    """Draw n completions of each prompt, each ending at eos or after max_tokens tokens.

    Every draw inverts the cumulative distribution at a uniform number fixed in advance for (prompt, sample, position).
    So the same generator seed gives the same rollouts on one machine, and a row's tokens do not depend on `max_batch`
    or on its neighbours, but for the rounding of matrix products at a draw that falls within about 1e-6 of a boundary.
    At most max_batch rows are computed at a time. Prompts include bos, in any mix of lengths.
    """
    check_arguments(policy, prompts, n, max_tokens, temperature, max_batch)
    device = policy.device
    uniforms = torch.rand(len(prompts), n, max_tokens, generator=generator, device=generator.device).to(device)
    tokens = torch.full((len(prompts), n, max_tokens), policy.vocabulary.pad_id, device=device)
    logprobs = torch.zeros(len(prompts), n, max_tokens, device=device)
    # Results are made outside inference mode, so that they may enter a loss.
    with torch.inference_mode():
        layers = [layer.fused() for layer in policy.model.layers]
        for chosen, columns in chunks(prompts, n, max_batch):
            index = torch.tensor(chosen, device=device)
            ids = torch.tensor([prompts[i] for i in chosen], device=device)
            drawn, logp = sample_chunk(policy, layers, ids, uniforms[index, columns], temperature)
            tokens[index, columns] = drawn
            logprobs[index, columns] = logp
    ended = tokens == policy.vocabulary.eos_id
    lengths = torch.where(ended.any(-1), ended.to(torch.int8).argmax(-1) + 1, max_tokens)
    longest = int(lengths.max())
    return Rollouts(tokens[..., :longest].contiguous(), logprobs[..., :longest].contiguous(), lengths)


def check_arguments(policy, prompts, n, max_tokens, temperature, max_batch) -> None:
    for name, value in (("n", n), ("max_tokens", max_tokens), ("max_batch", max_batch), ("len(prompts)", len(prompts))):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
    if not temperature > 0:
        raise ValueError(f"temperature={temperature} must be positive")
    if not all(prompts):
        raise ValueError("an empty prompt cannot be continued; start it with bos")
    policy.check_length(max(map(len, prompts)) + max_tokens)


def chunks(prompts: Sequence[Sequence[int]], n: int, max_batch: int):
    """Pairs (prompt indices of one length, slice of samples) that cover all P x n rows, at most max_batch at a time."""
    by_length: dict[int, list[int]] = {}
    for i, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(i)
    wide = max(1, max_batch // n)
    for members in by_length.values():
        for first in range(0, len(members), wide):
            for column in range(0, n, max_batch):
                yield members[first : first + wide], slice(column, min(n, column + max_batch))


class LayerCache(NamedTuple):
    """Keys and values of one layer: shared prompt part (p, K, T, D), own suffix part (p, K, m, L, D)."""

    prompt_keys: Tensor
    prompt_values: Tensor
    keys: Tensor
    values: Tensor


def sample_chunk(
    policy: Policy, layers: list[FusedLayer], ids: Tensor, uniforms: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Tokens and log-probabilities (p, m, L) for prompts ids (p, T) and uniform numbers (p, m, L)."""
    p, m, length = uniforms.shape
    vocabulary, start = policy.vocabulary, ids.shape[1]
    output = policy.output_matrix() / temperature
    rotary = policy.rotary(start, start + length)
    hidden, prompt_cache = policy.hidden(ids)
    caches = [
        LayerCache(k.contiguous(), v.contiguous(), *(k.new_empty(p, k.shape[1], m, length, k.shape[3]) for _ in "kv"))
        for k, v in prompt_cache
    ]
    x = hidden[:, -1:].expand(p, m, -1)
    tokens = torch.full_like(uniforms, vocabulary.pad_id, dtype=torch.int64)
    logprobs = torch.zeros_like(uniforms)
    rows = torch.arange(p * m, device=ids.device).view(p, m)  # where each live row belongs in the result
    live = torch.ones_like(rows, dtype=torch.bool)
    for step in range(length):
        probabilities = F.linear(normalise(x), output).softmax(-1)
        token = invert(probabilities, uniforms.view(p * m, length)[rows, step])
        logp = probabilities.gather(-1, token[..., None])[..., 0].log()
        tokens.view(p * m, length)[rows[live], step] = token[live]
        logprobs.view(p * m, length)[rows[live], step] = logp[live]
        live = live & (token != vocabulary.eos_id)
        if step + 1 == length or not live.any():
            break
        keep = survivors(live)
        if keep is not None:
            rows, live, token, caches = compact(keep, rows, live, token, caches, step)
        x = F.embedding(token, policy.model.embed_tokens.weight)
        for layer, cache in zip(layers, caches, strict=True):
            x = decode_layer(layer, cache, x, rotary[step], step)
    return tokens, logprobs


def invert(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Index whose interval of the cumulative distribution (..., V) holds the uniform number (...) of [0, 1)."""
    cumulative = probabilities.cumsum(-1)
    # Scaled by the total, which rounding leaves a little off one: the last token must not be favoured.
    target = uniform * cumulative[..., -1]
    return torch.searchsorted(cumulative, target[..., None], right=True)[..., 0].clamp_max(cumulative.shape[-1] - 1)


def decode_layer(layer: FusedLayer, cache: LayerCache, x: Tensor, rotary: Tensor, step: int) -> Tensor:
    """Residual stream (p, m, d) after one layer, one new position; its key and value enter the cache at `step`."""
    p, m, _ = x.shape
    q, k, v = project(layer, x, rotary)
    kv_heads, channels = k.shape[2:]
    cache.keys[:, :, :, step] = k.transpose(1, 2)
    cache.values[:, :, :, step] = v.transpose(1, 2)
    q = q.unflatten(2, (kv_heads, -1)).transpose(1, 2) * channels**-0.5  # (p, K, m, G, D)
    shared = q.flatten(2, 3) @ cache.prompt_keys.transpose(-1, -2)
    own = q @ cache.keys[:, :, :, : step + 1].transpose(-1, -2)
    weights = torch.cat([shared.unflatten(2, (m, -1)), own], -1).softmax(-1)
    split = shared.shape[-1]
    mixed = (weights[..., :split].flatten(2, 3) @ cache.prompt_values).unflatten(2, (m, -1))
    mixed = mixed + weights[..., split:] @ cache.values[:, :, :, : step + 1]
    return finish(layer, x, mixed.transpose(1, 2).flatten(2))


def survivors(live: Tensor) -> tuple[Tensor, Tensor] | None:
    """Prompts (p',) and their samples (p', m') to go on with, or None while too few rows ended to pay for the copy.

    The batch stays a rectangle, so that prompts keep sharing their keys: m' is the largest live count of a prompt,
    rows with live ones come first and some ended rows may stay along.
    """
    counts = live.sum(1)
    prompts = counts.nonzero()[:, 0]
    width = int(counts.max())
    if len(prompts) * width > 0.75 * live.numel():
        return None
    return prompts, torch.argsort(live[prompts], dim=1, descending=True, stable=True)[:, :width]


def compact(keep, rows, live, token, caches, step):
    """The state of the kept rows only."""
    prompts, samples = keep
    pick = (prompts[:, None], samples)
    kept = []
    for cache in caches:
        suffix = []
        for old in (cache.keys, cache.values):
            _, kv_heads, _, length, channels = old.shape
            new = old.new_empty(len(prompts), kv_heads, samples.shape[1], length, channels)
            new[:, :, :, :step] = old[:, :, :, :step].transpose(1, 2)[pick].transpose(1, 2)
            suffix.append(new)
        kept.append(LayerCache(cache.prompt_keys[prompts], cache.prompt_values[prompts], *suffix))
    return rows[pick], live[pick], token[pick], kept
