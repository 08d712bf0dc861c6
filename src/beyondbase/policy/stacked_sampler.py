"""Sampling from a stack of policies: all prompts of all policies in one batch, whatever their lengths.

The batch starts behind the shortest prompt; rows with a longer one are given its next tokens until it ends. So all rows
stand at one position, as in `sampler.py`, and no mask is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from beyondbase.policy import sampler
from beyondbase.policy.sampler import Rollouts, check_arguments
from beyondbase.policy.stacked import Cache, Fused, Stack
from beyondbase.policy.torch_sampler import draw

MAX_ROWS = 16384  # of all policies together: keys and values of 10 GB at the largest size


class Written(NamedTuple):
    """Texts (S, P, n, T) of S policies: P prompts each, n samples behind each, then pad.

    logprobs (S, P, n, T) belong to the sampled tokens and are 0 elsewhere; `begins` (S, P) is the length of a prompt,
    `ends` (S, P, n) of a text.
    """

    texts: Tensor
    logprobs: Tensor
    begins: Tensor
    ends: Tensor

    def to(self, device: torch.device | str) -> Written:
        return Written(*(field.to(device) for field in self))


def sample(
    stack: Stack,
    prompts: Sequence[Sequence[Sequence[int]]],
    n: int,
    *,
    max_tokens: int,
    generators: Sequence[torch.Generator],
    temperature: float = 1.0,
    max_rows: int = MAX_ROWS,
) -> list[Rollouts]:
    """For each policy what `sampler.sample` draws from it with its prompts and its generator, but for rounding.

    `prompts`: one list a policy, all equally long; the prompts themselves may differ in length. At most about max_rows
    rows of all policies together are computed at a time.
    """
    options = {"max_tokens": max_tokens, "generators": generators, "temperature": temperature, "max_rows": max_rows}
    return without_prompts(write(stack, prompts, n, **options), max_tokens)


def write(
    stack: Stack,
    prompts: Sequence[Sequence[Sequence[int]]],
    n: int,
    *,
    max_tokens: int,
    generators: Sequence[torch.Generator],
    temperature: float = 1.0,
    max_rows: int = MAX_ROWS,
) -> Written:
    """As `sample`, as whole texts: the form that training wants."""
    check_lists(stack, prompts, generators)
    for policy, own in zip(stack.policies, prompts, strict=True):
        check_arguments(policy, own, n, max_tokens, temperature, max_rows)
    device, count = stack.device, len(prompts[0])
    uniforms = torch.stack([uniform_numbers(generator, count, n, max_tokens) for generator in generators])
    begins = torch.tensor([[len(prompt) for prompt in own] for own in prompts])
    longest = int(begins.max())
    padded = [[[*prompt, *[stack.vocabulary.pad_id] * (longest - len(prompt))] for prompt in own] for own in prompts]
    # Results are made outside inference mode, so that they may enter a loss.
    texts = torch.full((len(stack), count, n, longest + max_tokens), stack.vocabulary.pad_id, device=device)
    texts[..., :longest] = torch.tensor(padded, device=device)[:, :, None]
    logprobs = torch.zeros(texts.shape, device=device)
    uniforms = uniforms.to(device)
    with torch.inference_mode():
        fused = stack.fused()
        together = max(1, max_rows // (len(stack) * n))
        width = max(1, max_rows // len(stack))
        for row in range(0, count, together):
            for column in range(0, n, width):
                part = (slice(None), slice(row, row + together), slice(column, column + width))
                lengths = begins[:, row : row + together]
                texts[part], logprobs[part] = go_on(stack, fused, texts[part], lengths, uniforms[part], temperature)
    begins = begins.to(device)
    positions = torch.arange(texts.shape[-1], device=device)
    inside = (positions >= begins[..., None, None]) & (positions < (begins + max_tokens)[..., None, None])
    ended = inside & (texts == stack.vocabulary.eos_id)
    cut = (begins + max_tokens)[..., None]
    ends = torch.where(ended.any(-1), ended.to(torch.int8).argmax(-1) + 1, cut)
    return Written(texts, logprobs, begins, ends)


def uniform_numbers(generator: torch.Generator, count: int, n: int, max_tokens: int) -> Tensor:
    """Uniform numbers (P, n, L), drawn in the blocks in which `sampler.sample_blocks` draws them."""
    width = max(1, sampler.BLOCK_TOKENS // (count * max_tokens))
    widths = [min(width, n - column) for column in range(0, n, width)]
    return torch.cat(
        [torch.rand(count, w, max_tokens, generator=generator, device=generator.device) for w in widths], 1
    )


def go_on(
    stack: Stack, fused: Fused, texts: Tensor, lengths: Tensor, uniforms: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Texts (S, p, m, T) continued behind prompts of `lengths` (S, p), and log-probabilities (S, p, m, T).

    `uniforms` (S, p, m, L) belong to the sampled tokens, the first to the one right behind the prompt.
    """
    policies, p, m, total = texts.shape
    shortest, max_tokens = int(lengths.min()), uniforms.shape[-1]
    vocabulary = stack.vocabulary
    begins = lengths.to(texts.device).repeat_interleave(m, 1)  # (S, p m), as all that follows
    hidden, cache = prefill(stack, fused, texts, shortest)
    texts = texts.flatten(1, 2)
    spots = begins[..., None] + torch.arange(max_tokens, device=texts.device)
    placed = torch.zeros(texts.shape, device=texts.device).scatter_(2, spots, uniforms.flatten(1, 2))
    logprobs = torch.zeros_like(placed)
    live = torch.ones_like(begins, dtype=torch.bool)
    for position in range(shortest, total):
        logits = stack.logits(fused, hidden) / temperature
        drawn = draw(logits.flatten(0, 1).t(), placed[..., position].flatten())
        token, logp = (t.view_as(begins) for t in drawn)
        given = begins > position
        token = torch.where(live, token, vocabulary.pad_id).where(~given, texts[..., position])
        texts[..., position] = token
        logprobs[..., position] = logp.where(live & ~given, 0.0)
        live &= (given | (token != vocabulary.eos_id)) & (begins + max_tokens > position + 1)
        if position + 1 == total or not live.any():
            break
        hidden = stack.hidden(fused, token[..., None], 0, cache, position)[:, :, 0]
    return texts.view(policies, p, m, total), logprobs.view(policies, p, m, total)


def prefill(stack: Stack, fused: Fused, texts: Tensor, length: int) -> tuple[Tensor, Cache]:
    """What a batch starts with: the last residual stream (S, p m, d) of the first `length` tokens, and its cache.

    The m texts (S, p, m, T) of a prompt begin alike: those tokens are computed once.
    """
    policies, p, m, total = texts.shape
    prompt = stack.empty_cache(policies * p, length)
    hidden = stack.hidden(fused, texts[:, :, 0, :length], length - 1, prompt)[:, :, 0]
    cache = stack.empty_cache(policies * p * m, total)
    for ours, theirs in zip(cache, prompt, strict=True):
        for wide, narrow in zip(ours, theirs, strict=True):
            wide[:, :, :length] = narrow.repeat_interleave(m, 0)
    return hidden.repeat_interleave(m, 1), cache


def without_prompts(written: Written, max_tokens: int) -> list[Rollouts]:
    """Each policy's samples without their prompts."""
    texts, logprobs, begins, ends = written
    spots = begins[:, :, None, None] + torch.arange(max_tokens, device=texts.device)
    spots = spots.expand(*texts.shape[:3], -1)
    tokens, logprobs, lengths = texts.gather(3, spots), logprobs.gather(3, spots), ends - begins[..., None]
    longest = lengths.flatten(1).amax(1).tolist()
    return [
        Rollouts(t[..., :width].contiguous(), logp[..., :width].contiguous(), own)
        for t, logp, own, width in zip(tokens, logprobs, lengths, longest, strict=True)
    ]


def check_lists(stack: Stack, prompts: Sequence, generators: Sequence) -> None:
    for name, given in (("prompts", prompts), ("generators", generators)):
        if len(given) != len(stack):
            raise ValueError(f"{len(given)} {name} for {len(stack)} policies; give one a policy")
    if len({len(own) for own in prompts}) > 1:
        raise ValueError(f"numbers of prompts {[len(own) for own in prompts]} differ; give every policy equally many")
