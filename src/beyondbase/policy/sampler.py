"""Sampling many completions of each prompt: the prompt is computed once and its keys and values are shared.

Rows that ended leave the batch from time to time. Not compiled: at these sizes compilation costs more than a laptop run
gains; `decode.py` says where the speed comes from instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from beyondbase.policy.decode import StepLayer, decode_layer, empty_cache, normalise_rows, select, step_layer, turns
from beyondbase.policy.decode import workspace as make_workspace
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
    max_batch: int | None = None,
) -> Rollouts:
    """Draw n completions of each prompt, each ending at eos or after max_tokens tokens.

    Every draw inverts the cumulative distribution at a uniform number fixed in advance for (prompt, sample, position).
    So the same generator seed gives the same rollouts on one machine, and a row's tokens depend neither on `max_batch`
    nor on the other rows, but for the rounding of matrix products: a draw within about 1e-6 of a boundary may differ.
    At most max_batch rows are computed at a time (512 on a CPU, whose caches they fit; 8192 elsewhere). Prompts include
    bos, in any mix of lengths.
    """
    if max_batch is None:
        max_batch = 512 if policy.device.type == "cpu" else 8192
    check_arguments(policy, prompts, n, max_tokens, temperature, max_batch)
    device, pad = policy.device, policy.vocabulary.pad_id
    uniforms = torch.rand(len(prompts), n, max_tokens, generator=generator, device=generator.device).to(device)
    # Results are made outside inference mode, so that they may enter a loss.
    tokens = torch.full((len(prompts), n, max_tokens), pad, dtype=torch.int64, device=device)
    logprobs = torch.zeros(len(prompts), n, max_tokens, device=device)
    with torch.inference_mode():
        layers = [step_layer(layer.fused()) for layer in policy.model.layers]
        for members in chunks(prompts, max(1, max_batch // n)):
            index = torch.tensor(members, device=device)
            ids = torch.tensor([list(prompts[i]) for i in members], device=device)
            prefix = policy.hidden(ids, ids.shape[1] - 1)
            for column in range(0, n, max_batch):
                columns = slice(column, min(n, column + max_batch))
                drawn = sample_chunk(policy, layers, prefix, uniforms[index, columns], temperature)
                tokens[index, columns], logprobs[index, columns] = drawn
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
    if not all(len(prompt) for prompt in prompts):
        raise ValueError("an empty prompt cannot be continued; start it with bos")
    policy.check_length(max(map(len, prompts)) + max_tokens)


def chunks(prompts: Sequence[Sequence[int]], size: int) -> Iterator[list[int]]:
    """Indices of prompts of one length, at most `size` at a time; every prompt once."""
    by_length: dict[int, list[int]] = {}
    for i, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(i)
    for members in by_length.values():
        for first in range(0, len(members), size):
            yield members[first : first + size]


def sample_chunk(
    policy: Policy,
    layers: list[StepLayer],
    prefix: tuple[Tensor, list[tuple[Tensor, Tensor]]],
    uniforms: Tensor,
    temperature: float,
) -> tuple[Tensor, Tensor]:
    """Tokens and log-probabilities (p, m, L) after prompts of one length, from uniform numbers (p, m, L).

    `prefix` is what `Policy.hidden` gives for the prompts' last position.
    """
    p, m, length = uniforms.shape
    hidden, prompt_cache = prefix
    start, vocabulary = prompt_cache[0][0].shape[2], policy.vocabulary
    uniforms = uniforms.permute(2, 0, 1).reshape(length, p * m)
    tokens = torch.full_like(uniforms, vocabulary.pad_id, dtype=torch.int64)
    logprobs = torch.zeros_like(uniforms)

    embedding = policy.model.embed_tokens.weight.t().contiguous()
    output = policy.output_matrix() / temperature
    turn = turns(policy.rotary(start, start + length), policy.heads)
    caches = [empty_cache(pair, policy.heads, m, length) for pair in prompt_cache]
    workspace = make_workspace(caches, policy.heads)
    x = hidden[:, -1].t().repeat_interleave(m, 1)  # (d, p m)
    rows = torch.arange(p * m, device=x.device).view(p, m)  # where each row of the batch belongs in the result
    live = torch.ones_like(rows, dtype=torch.bool)
    for step in range(length):
        token, logp = (t.view_as(rows) for t in draw(output @ normalise_rows(x), uniforms[step, rows.flatten()]))
        token = torch.where(live, token, vocabulary.pad_id)
        tokens[step, rows] = token
        logprobs[step, rows] = torch.where(live, logp, 0.0)
        live = live & (token != vocabulary.eos_id)
        if step + 1 == length or not live.any():
            break
        keep = survivors(live)
        if keep is not None:
            prompts, columns = keep
            chosen = (prompts[:, None] * rows.shape[1] + columns).flatten()
            rows, live, token = (t.flatten()[chosen].view_as(columns) for t in (rows, live, token))
            caches = [select(cache, prompts, chosen, policy.heads, step) for cache in caches]
            workspace = make_workspace(caches, policy.heads)
        x = embedding.index_select(1, token.flatten())
        for layer, cache in zip(layers, caches, strict=True):
            x = decode_layer(layer, cache, workspace, x, turn[step], step)
    return tokens.t().reshape(p, m, length), logprobs.t().reshape(p, m, length)


def draw(logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (N,) and their log-probabilities from logits (V, N), by inversion at uniform numbers (N,) of [0, 1)."""
    probabilities = logits.float().softmax(0)
    cumulative = probabilities.cumsum(0)
    # Scaled by the total, which rounding leaves a little off one: no token may be favoured by the gap.
    token = (cumulative <= uniform * cumulative[-1]).sum(0).clamp_max_(len(logits) - 1)
    return token, probabilities.gather(0, token[None])[0].log()


def survivors(live: Tensor) -> tuple[Tensor, Tensor] | None:
    """Prompts (p',) to go on with and their rows (p', m'), or None while too few rows ended to pay for the copy.

    The batch stays a rectangle, so that the rows of a prompt share its keys: m' is the largest live count of a prompt;
    live rows come first and some ended ones may stay along.
    """
    counts = live.sum(1)
    prompts = counts.nonzero()[:, 0]
    width = int(counts.max())
    if len(prompts) * width > 0.75 * live.numel():
        return None
    return prompts, torch.argsort(live[prompts], dim=1, descending=True, stable=True)[:, :width]
