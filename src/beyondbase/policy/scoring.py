"""Log-probabilities of given completions: exact ones for measuring, differentiable ones for training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from beyondbase.policy import native_forest
from beyondbase.policy.forest import Texts, block_texts, forests
from beyondbase.policy.fused import FusedLayer, attend, finish, project
from beyondbase.policy.model import Policy

Cache = list[tuple[Tensor, Tensor]]  # keys and values (rows, K, T, D) of each layer

SEGMENT = 6  # tokens between the points where completions that begin alike are merged; any value gives the same result
TOGETHER = 2**22  # tokens of solutions whose tree is grown at once


def sequence_logprobs(
    policy: Policy, prompt: Sequence[int], completions: Sequence[Sequence[int]], batch_tokens: int = 32768
) -> np.ndarray:
    """Log P(completion | prompt), float64 (S,), of completions that include their eos; the prompt is computed once."""
    by_length: dict[int, list[int]] = {}
    for i, completion in enumerate(completions):
        by_length.setdefault(len(completion), []).append(i)
    blocks = [np.array([completions[i] for i in members]) for members in by_length.values()]
    scores = solution_logprobs(policy, [prompt] * len(blocks), blocks, batch_tokens)
    result = np.empty(len(completions))
    for members, part in zip(by_length.values(), scores, strict=True):
        result[members] = part
    return result


def solution_logprobs(
    policy: Policy, prompts: Sequence[Sequence[int]], completions: Sequence[np.ndarray], batch_tokens: int = 32768
) -> list[np.ndarray]:
    """Log P(completion | prompt), float64 (S_i,), for many prompts with integer arrays (S_i, L_i) of completions.

    Log-softmax in float32, sums in float64. Completions include eos, and those of one prompt have one length; a prompt
    may be given more than once. Completions that begin alike share the computation of their beginning. On a GPU,
    prompts of one length and completions of one length share batches of at most batch_tokens tokens.
    """
    same_shape(prompts, completions)
    if native_forest.available(policy):
        return _native_solution_logprobs(policy, prompts, completions)
    results = [np.zeros(len(block)) for block in completions]
    with torch.inference_mode():
        layers = [layer.fused() for layer in policy.model.layers]
        for members in same_shape(prompts, completions):
            blocks = [completions[i] for i in members]
            tokens = np.concatenate(blocks).astype(np.int64)
            owner = np.repeat(np.arange(len(members)), [len(block) for block in blocks])
            # Neighbours in lexicographic order share the longest beginnings.
            order = np.lexsort((*tokens.T[::-1], owner))
            scores = np.empty(len(tokens))
            size = max(1, batch_tokens // tokens.shape[1])
            for chosen in np.split(order, range(size, len(order), size)):
                used, problem = np.unique(owner[chosen], return_inverse=True)
                ids = torch.tensor([list(prompts[members[i]]) for i in used], device=policy.device)
                scores[chosen] = prefix_tree_logprobs(policy, layers, ids, problem, tokens[chosen])
            for i, member in enumerate(members):
                results[member] = scores[owner == i]
    return results


def _native_solution_logprobs(
    policy: Policy, prompts: Sequence[Sequence[int]], completions: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """`solution_logprobs` by compiled loops: whole problems together, as many as make some hundred thousand tokens."""
    engine = native_forest.NativeForests(policy, native_forest.flat_weights(policy))
    results: list[np.ndarray] = []
    sizes = np.cumsum([len(block) * (len(prompt) + block.shape[1]) if len(block) else 0
                       for prompt, block in zip(prompts, completions, strict=True)])  # fmt: skip
    edges = [0, *np.flatnonzero(np.diff(sizes // TOGETHER)) + 1, len(sizes)]
    for begin, end in zip(edges, edges[1:], strict=False):
        blocks = completions[begin:end]
        texts = block_texts(prompts[begin:end], blocks)
        policy.check_length(int(texts.ends.max(initial=1)) - 1)
        logp = torch.zeros(texts.wanted)
        engine.logprobs(forests(texts, native_forest.tokens_at_once(policy, False), torch.get_num_threads()), logp)
        begins = np.cumsum(texts.ends - texts.starts) - (texts.ends - texts.starts)
        sums = np.add.reduceat(logp.numpy().astype(np.float64), begins) if len(begins) else np.zeros(0)
        results += np.split(sums, np.cumsum([len(block) for block in blocks])[:-1]) if blocks else []
    return results


def same_shape(prompts: Sequence[Sequence[int]], completions: Sequence[np.ndarray]) -> list[list[int]]:
    """Indices of the prompts that have completions, grouped by length of prompt and of completion."""
    shapes: dict[tuple[int, int], list[int]] = {}
    for i, (prompt, block) in enumerate(zip(prompts, completions, strict=True)):
        if len(block):
            shapes.setdefault((len(prompt), block.shape[1]), []).append(i)
            if not len(prompt) or not block.shape[1]:
                raise ValueError(f"problem {i}: prompt and completions must not be empty (bos begins, eos ends them)")
    return list(shapes.values())


def prefix_tree_logprobs(
    policy: Policy, layers: list[FusedLayer], ids: Tensor, problem: np.ndarray, tokens: np.ndarray
) -> np.ndarray:
    """Float64 log-probabilities (S,) of completions (S, L) after prompts ids (P, T); problem (S,) indexes the prompts.

    Works through the tree of beginnings, SEGMENT tokens a level: `node` says at which node each completion stands.
    """
    length, start = tokens.shape[1], ids.shape[1]
    policy.check_length(start + length - 1)
    hidden, cache = policy.hidden(ids, start - 1)
    last, total, node = hidden[:, -1], torch.zeros(len(ids), dtype=torch.float64, device=ids.device), problem
    for begin in range(0, length, SEGMENT):
        end = min(length, begin + SEGMENT)
        branches, node = np.unique(np.column_stack([node, tokens[:, begin:end]]), axis=0, return_inverse=True)
        branches = torch.from_numpy(branches).to(ids.device)
        parent, segment = branches[:, 0], branches[:, 1:]
        total = total[parent] + policy.logits(last).log_softmax(-1)[parent, segment[:, 0]].double()
        # The very last token is only predicted, never read.
        inputs = segment if end < length else segment[:, :-1]
        if inputs.shape[1]:
            cache = [(k[parent], v[parent]) for k, v in cache]
            hidden, cache = extend(policy, layers, cache, inputs, start + begin)
            within = token_logprobs(policy.logits(hidden[:, : segment.shape[1] - 1]), segment[:, 1:])
            total, last = total + within.double().sum(1), hidden[:, -1]
    return total[torch.from_numpy(node).to(ids.device)].cpu().numpy()


def text_logprobs(policy: Policy, texts: Texts) -> Tensor:
    """Differentiable log-probabilities (n,) of the wanted tokens of some texts, by one forward over all, padded.

    The plain statement of what native/forest.c computes on a CPU.
    """
    first = int(texts.starts.min()) - 1  # where the shortest prompt ends: the last layer leaves out what is before
    ids = torch.from_numpy(texts.ids[:, : texts.ends.max()].astype(np.int64)).to(policy.device)
    hidden, _ = policy.hidden(ids[:, :-1], first)
    inside = torch.from_numpy(texts.inside()[:, first + 1 : texts.ends.max()]).to(policy.device)
    return token_logprobs(policy.logits(hidden[inside]), ids[:, first + 1 :][inside])


def extend(policy: Policy, layers: list[FusedLayer], cache: Cache, tokens: Tensor, start: int) -> tuple[Tensor, Cache]:
    """Last residual stream (N, t, d) of tokens (N, t) at positions start.., after a cache of `start` positions.

    The second value is the cache with the tokens' own keys and values behind the given ones.
    """
    length = tokens.shape[1]
    x = F.embedding(tokens, policy.model.embed_tokens.weight)
    rotary = policy.rotary(start, start + length)
    extended = []
    for layer, (past_keys, past_values) in zip(layers, cache, strict=True):
        q, k, v = (t.transpose(1, 2) for t in project(layer, x, rotary))
        k, v = torch.cat([past_keys, k], 2), torch.cat([past_values, v], 2)
        extended.append((k, v))
        x = finish(layer, x, attend(q, k, v))
    return x, extended


def token_logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log-softmax of logits (..., V) at tokens (...)."""
    return logits.float().log_softmax(-1).gather(-1, tokens[..., None])[..., 0]
