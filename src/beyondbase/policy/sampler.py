"""Sampling many completions of each prompt: the prompt is computed once and its keys and values are shared.

Here is what a caller sees: arguments, the uniform numbers that decide every draw, memory that does not grow with the
number of samples. The arithmetic is in `native_sampler.py` where a CPU and a compiler are at hand, and in
`torch_sampler.py` otherwise; both give the same rollouts to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from beyondbase.policy import native_sampler
from beyondbase.policy.model import Policy
from beyondbase.policy.native_sampler import NativeSampler
from beyondbase.policy.torch_sampler import TorchSampler

BLOCK_TOKENS = 2**22  # drawn at most between two pieces of `sample_blocks`: 64 MB of numbers
CACHE_BYTES = 2**31  # keys and values held at a time


class Rollouts(NamedTuple):
    """Samples of P prompts, n each.

    tokens (P, n, L) int64: completions up to and including the stop token, then pad; L is the longest completion.
    logprobs (P, n, L) float32: log-probability of each token under the distribution it was drawn from, that is with
    temperature and top-p applied; 0 at padding.
    lengths (P, n) int64: tokens including the stop token; a completion cut at max_tokens has none.
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
    top_p: float = 1.0,
    stop_id: int | None = None,
    ignore_eos: bool = False,
    max_batch: int | None = None,
) -> Rollouts:
    """Draw n completions of each prompt, each ending at the stop token or after max_tokens tokens.

    The stop token is the vocabulary's eos unless `stop_id` names another; with `ignore_eos` there is none. Of each
    distribution only the likeliest tokens that together reach `top_p` are drawn from (1 keeps all). Prompts include
    bos, in any mix of lengths. Every draw inverts the cumulative distribution at a uniform number fixed in advance for
    (prompt, sample, position). So the same generator seed gives the same rollouts on one machine, and a row's tokens
    depend neither on `max_batch` nor on the other rows, but for the rounding of matrix products: a draw within about
    1e-6 of a boundary may differ. At most max_batch rows are computed at a time, by default as many as are fast on the
    device and as fit into 2 GiB of keys and values. ValueError for impossible arguments.
    """
    options = {"max_tokens": max_tokens, "generator": generator, "temperature": temperature, "top_p": top_p}
    options |= {"stop_id": stop_id, "ignore_eos": ignore_eos, "max_batch": max_batch}
    blocks = list(sample_blocks(policy, prompts, n, **options))
    if len(blocks) == 1:
        return blocks[0]
    longest, pad = max(block.tokens.shape[2] for block in blocks), policy.vocabulary.pad_id
    tokens = torch.cat([F.pad(block.tokens, (0, longest - block.tokens.shape[2]), value=pad) for block in blocks], 1)
    logprobs = torch.cat([F.pad(block.logprobs, (0, longest - block.logprobs.shape[2])) for block in blocks], 1)
    return Rollouts(tokens, logprobs, torch.cat([block.lengths for block in blocks], 1))


def sample_blocks(
    policy: Policy,
    prompts: Sequence[Sequence[int]],
    n: int,
    *,
    max_tokens: int,
    generator: torch.Generator,
    temperature: float = 1.0,
    top_p: float = 1.0,
    stop_id: int | None = None,
    ignore_eos: bool = False,
    max_batch: int | None = None,
) -> Iterator[Rollouts]:
    """The same rollouts as `sample`, some samples of every prompt at a time: memory does not grow with n.

    Weights are read when the first piece is asked for; they must not change before the last.
    """
    check_arguments(policy, prompts, n, max_tokens, temperature, max_batch, top_p)
    stop = policy.vocabulary.eos_id if stop_id is None else stop_id
    if not 0 <= stop < policy.vocabulary.size:
        raise ValueError(f"stop_id={stop_id} is not a token: the vocabulary has {policy.vocabulary.size}")
    native = native_sampler.available(policy)
    rows = rows_at_once(policy, max(map(len, prompts)) + max_tokens, native)
    rows = min(rows, max_batch or rows)
    options = {"stop": -1 if ignore_eos else stop, "top_p": top_p, "rows": rows}
    device, pad = policy.device, policy.vocabulary.pad_id
    with torch.inference_mode():
        sampler = (NativeSampler if native else TorchSampler)(policy, temperature)
    width = max(1, BLOCK_TOKENS // (len(prompts) * max_tokens))
    for column in range(0, n, width):
        shape = (len(prompts), min(width, n - column), max_tokens)
        uniforms = torch.rand(shape, generator=generator, device=generator.device).to(device)
        # Results are made outside inference mode, so that they may enter a loss.
        tokens = torch.full(shape, pad, dtype=torch.int64, device=device)
        logprobs = torch.zeros(shape, device=device)
        with torch.inference_mode():
            sampler.draw(prompts, uniforms, tokens, logprobs, **options)
        ended = tokens == options["stop"]
        lengths = torch.where(ended.any(-1), ended.to(torch.int8).argmax(-1) + 1, max_tokens)
        longest = int(lengths.max())
        yield Rollouts(tokens[..., :longest].contiguous(), logprobs[..., :longest].contiguous(), lengths)


def rows_at_once(policy: Policy, length: int, native: bool) -> int:
    """Rows of `length` tokens that are fast to compute together, and whose keys and values fit into CACHE_BYTES."""
    row = 2 * 4 * policy.config.num_hidden_layers * policy.heads.key * policy.heads.channels * length
    if native:
        fast = native_sampler.fast_rows(policy) * torch.get_num_threads()
    else:
        fast = 512 if policy.device.type == "cpu" else 8192
    return max(1, min(fast, CACHE_BYTES // row))


def check_arguments(policy, prompts, n, max_tokens, temperature, max_batch=None, top_p=1.0) -> None:
    """ValueError that names the first impossible argument and its value."""
    given = {"n": n, "max_tokens": max_tokens, "max_batch": max_batch, "len(prompts)": len(prompts)}
    for name, value in given.items():
        if value is not None and value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
    if not temperature > 0:
        raise ValueError(f"temperature={temperature} must be positive")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p} must be above 0 and at most 1")
    if not all(len(prompt) for prompt in prompts):
        raise ValueError("an empty prompt cannot be continued; start it with bos")
    tokens = [token for prompt in prompts for token in prompt]
    if min(tokens) < 0 or max(tokens) >= policy.vocabulary.size:
        wrong = next(token for token in tokens if not 0 <= token < policy.vocabulary.size)
        raise ValueError(f"token {wrong} of a prompt is not in the vocabulary of {policy.vocabulary.size}")
    policy.check_length(max(map(len, prompts)) + max_tokens)
