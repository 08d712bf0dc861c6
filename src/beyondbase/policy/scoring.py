"""Log-probabilities of given completions: exact ones for measuring, differentiable ones for training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from beyondbase.policy.fused import finish, project
from beyondbase.policy.model import Policy


def sequence_logprobs(
    policy: Policy, prompt: Sequence[int], completions: Sequence[Sequence[int]], batch_tokens: int = 65536
) -> np.ndarray:
    """Log P(completion | prompt), float64 (S,), of completions that include their eos; the prompt is computed once."""
    result = np.empty(len(completions))
    by_length: dict[int, list[int]] = {}
    for i, completion in enumerate(completions):
        by_length.setdefault(len(completion), []).append(i)
    for members in by_length.values():
        block = np.array([completions[i] for i in members], dtype=np.int64)
        result[members] = solution_logprobs(policy, [prompt], [block], batch_tokens)[0]
    return result


def solution_logprobs(
    policy: Policy, prompts: Sequence[Sequence[int]], completions: Sequence[np.ndarray], batch_tokens: int = 65536
) -> list[np.ndarray]:
    """Log P(completion | prompt), float64 (S_i,), for many prompts with completions (S_i, L_i) each."""
    results = []
    for prompt, block in zip(prompts, completions, strict=True):
        result = np.empty(len(block))
        rows = max(1, batch_tokens // max(1, block.shape[1]))
        for first in range(0, len(block), rows):
            tokens = torch.as_tensor(block[first : first + rows], dtype=torch.long, device=policy.device)[None]
            with torch.inference_mode():
                logp = group_logprobs(policy, torch.tensor([list(prompt)], device=policy.device), tokens)
            result[first : first + rows] = logp[0].double().sum(-1).cpu().numpy()
        results.append(result)
    return results


def completion_logprobs(
    policy: Policy, prompts: Sequence[Sequence[int]], tokens: Tensor, lengths: Tensor
) -> Tensor:
    """Differentiable log-probabilities (P, n, L) of the rollouts' tokens (P, n, L), 0 beyond lengths (P, n).

    The training forward: each prompt is computed once and shared by its n rollouts. Temperature 1.
    """
    logp = tokens.new_zeros(tokens.shape, dtype=torch.float32)
    by_length: dict[int, list[int]] = {}
    for i, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(i)
    for members in by_length.values():
        index = torch.tensor(members, device=policy.device)
        ids = torch.tensor([prompts[i] for i in members], device=policy.device)
        longest = int(lengths[index].max())
        part = group_logprobs(policy, ids, tokens[index, :, :longest])
        logp = logp.index_put((index,), F.pad(part, (0, tokens.shape[2] - longest)))
    inside = torch.arange(tokens.shape[2], device=policy.device) < lengths[..., None]
    return torch.where(inside, logp, 0.0)


def group_logprobs(policy: Policy, ids: Tensor, tokens: Tensor) -> Tensor:
    """Log-probabilities (P, n, L) of tokens (P, n, L) after prompts ids (P, T) of one length."""
    p, n, length = tokens.shape
    start = ids.shape[1]
    policy.check_length(start + length - 1)
    hidden, prompt_cache = policy.hidden(ids)
    first = hidden[:, -1:].expand(p, n, -1)[:, :, None]
    x = F.embedding(tokens[:, :, :-1].reshape(p * n, length - 1), policy.model.embed_tokens.weight)
    rotary = policy.rotary(start, start + length - 1)
    causal = torch.ones(length - 1, start + length - 1, dtype=torch.bool, device=ids.device).tril(start)
    for layer, (prompt_keys, prompt_values) in zip(policy.model.layers, prompt_cache, strict=True):
        fused = layer.fused()
        q, k, v = (t.transpose(1, 2) for t in project(fused, x, rotary))
        k = torch.cat([prompt_keys.repeat_interleave(n, 0), k], 2)
        v = torch.cat([prompt_values.repeat_interleave(n, 0), v], 2)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=causal, enable_gqa=q.shape[1] != k.shape[1])
        x = finish(fused, x, mixed.transpose(1, 2).flatten(2))
    x = torch.cat([first, x.view(p, n, length - 1, -1)], 2)
    return token_logprobs(policy.logits(x), tokens)


def token_logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log-softmax of logits (..., V) at tokens (...)."""
    return logits.gather(-1, tokens[..., None])[..., 0] - logits.logsumexp(-1)
