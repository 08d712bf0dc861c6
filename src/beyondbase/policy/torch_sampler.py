"""The sampler's plain path: torch operators on any device, and the specification of the compiled one.

All rows of a batch stand at the same position; `decode.py` says how they share their prompts. Rows that ended leave the
batch from time to time.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from beyondbase.policy.decode import StepLayer, decode_layer, empty_cache, normalise_rows, select, step_layer, turns
from beyondbase.policy.decode import workspace as make_workspace
from beyondbase.policy.model import Policy


class TorchSampler:
    """A policy's weights in the form that decoding wants; good until they change."""

    def __init__(self, policy: Policy, temperature: float):
        self._policy, self._temperature = policy, temperature
        self._layers = [step_layer(layer.fused()) for layer in policy.model.layers]

    def draw(
        self,
        prompts: Sequence[Sequence[int]],
        uniforms: Tensor,
        tokens: Tensor,
        logprobs: Tensor,
        *,
        stop: int,
        top_p: float,
        rows: int,
    ) -> None:
        """Write tokens and log-probabilities (P, m, L) of m samples of each prompt, from uniforms of that shape.

        At most `rows` rows are computed at a time.
        """
        m = uniforms.shape[1]
        for members in by_length(prompts, max(1, rows // m)):
            index = torch.tensor(members, device=tokens.device)
            ids = torch.tensor([list(prompts[i]) for i in members], device=tokens.device)
            prefix = self._policy.hidden(ids, ids.shape[1] - 1)
            for column in range(0, m, rows):
                columns = slice(column, min(m, column + rows))
                drawn = sample_chunk(
                    self._policy, self._layers, prefix, uniforms[index, columns], self._temperature, stop, top_p
                )
                tokens[index, columns], logprobs[index, columns] = drawn


def by_length(prompts: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """Indices of prompts of one length, at most `size` at a time; every prompt once."""
    lengths: dict[int, list[int]] = {}
    for i, prompt in enumerate(prompts):
        lengths.setdefault(len(prompt), []).append(i)
    return [members[i : i + size] for members in lengths.values() for i in range(0, len(members), size)]


def sample_chunk(
    policy: Policy,
    layers: list[StepLayer],
    prefix: tuple[Tensor, list[tuple[Tensor, Tensor]]],
    uniforms: Tensor,
    temperature: float,
    stop: int,
    top_p: float,
) -> tuple[Tensor, Tensor]:
    """Tokens and log-probabilities (p, m, L) after prompts of one length, from uniform numbers (p, m, L).

    `prefix` is what `Policy.hidden` gives for the prompts' last position; a row ends at token `stop`.
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
        drawn = draw(output @ normalise_rows(x), uniforms[step, rows.flatten()], top_p)
        token, logp = (t.view_as(rows) for t in drawn)
        token = torch.where(live, token, vocabulary.pad_id)
        tokens[step, rows] = token
        logprobs[step, rows] = torch.where(live, logp, 0.0)
        live = live & (token != stop)
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


def draw(logits: Tensor, uniform: Tensor, top_p: float = 1.0) -> tuple[Tensor, Tensor]:
    """Tokens (N,) and their log-probabilities from logits (V, N), by inversion at uniform numbers (N,) of [0, 1)."""
    probabilities = logits.float().softmax(0)
    if top_p < 1:
        probabilities = nucleus(probabilities, top_p)
    cumulative = probabilities.cumsum(0)
    # Scaled by the total, which rounding leaves a little off one: no token may be favoured by the gap.
    token = (cumulative <= uniform * cumulative[-1]).sum(0).clamp_max_(len(logits) - 1)
    return token, probabilities.gather(0, token[None])[0].log()


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Probabilities (V, N) of the likeliest tokens whose mass reaches top_p, the last one included; ties by lower id.

    Source: Holtzman et al. (arXiv 1904.09751) section 3.1.
    """
    ranked, order = probabilities.sort(dim=0, descending=True, stable=True)
    kept = torch.zeros_like(probabilities).scatter_(0, order, (ranked.cumsum(0) - ranked < top_p).float())
    probabilities = probabilities * kept
    return probabilities / probabilities.sum(0)


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
