"""Next-token training on random games: how a base model is made.

Not here: epochs (every game is fresh), validation loss (exact pass@k says more), resuming (a run takes minutes).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from beyondbase.policy.forest import Texts, as_texts
from beyondbase.policy.model import Policy
from beyondbase.tasks.base import Task
from beyondbase.tasks.seeds import derive_seed
from beyondbase.train.gradient import gradient
from beyondbase.train.guards import require, require_finite, require_learning_rate
from beyondbase.train.history import History
from beyondbase.train.optimiser import descend, muon

WARM_UP = 0.03  # share of the tokens
FINAL_RATE = 0.1  # of the peak learning rate
WEIGHT_DECAY = 0.01
GAMES_AT_ONCE = 8192  # drawing games in bulk takes a tenth of the time of drawing them a batch at a time


def pretrain(
    policy: Policy,
    task: Task,
    *,
    tokens: int,
    batch_size: int = 64,
    learning_rate: float = 8e-3,
    seed: int,
    progress: bool = True,
) -> History:
    """Trains `policy` in place to write solutions of fresh random games of the train split.

    `tokens` counts every token of the games, prompt, bos and eos included and padding not; the loss is the mean
    next-token cross-entropy over completion tokens (eos included, prompt not). Stops after the step that reaches
    `tokens`. Muon for the layers' matrices and AdamW for the rest at one learning rate, linear warm-up over the first
    3 % of the tokens, cosine decay to a tenth, gradient norm clipped at 1. The defaults suit 0.2M parameters and a few
    million tokens. `seed` decides the games; the policy comes with its own initialisation.

    Returns a row a step: step (from 1), tokens so far, loss (nats a completion token, before the step), gradient_norm
    (before clipping), learning_rate. Raises ValueError for impossible arguments, NonFinite when training breaks down.
    """
    require(tokens >= 1, "tokens", tokens, "give the number of tokens to train on, at least 1")
    require(batch_size >= 1, "batch_size", batch_size, "give the number of games a step, at least 1")
    require_learning_rate(learning_rate)
    policy.check_vocabulary(task.vocabulary)
    optimisers = muon(policy, learning_rate, WEIGHT_DECAY)
    history, seen = History(), 0
    with tqdm(total=tokens, unit="tok", unit_scale=True, desc="pre-training", disable=not progress) as bar:
        for step, batch in enumerate(batches(task, batch_size, seed), start=1):
            size = int(batch.ends.sum())
            rate = learning_rate * rate_at(seen / tokens, size / tokens)
            loss = accumulate(policy, batch, step)
            norm = descend(optimisers, policy, rate, step)
            seen += size
            history.append({"step": step, "tokens": seen, "loss": loss, "gradient_norm": norm, "learning_rate": rate})
            bar.update(min(size, tokens - bar.n))
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            if seen >= tokens:
                return history


def rate_at(done: float, stride: float = 0.0) -> float:
    """The learning rate as a share of its peak when `done` of the run lies behind and a step covers `stride` of it.

    Linear warm-up over WARM_UP that starts at one step's worth rather than at 0, then a cosine from 1 to FINAL_RATE.
    """
    if done < WARM_UP:
        return min(1.0, (done + stride) / WARM_UP)
    angle = math.pi * min(1.0, (done - WARM_UP) / (1.0 - WARM_UP))
    return FINAL_RATE + (1.0 - FINAL_RATE) * 0.5 * (1.0 + math.cos(angle))


def batches(task: Task, batch_size: int, seed: int) -> Iterator[Texts]:
    """Endless batches of `batch_size` fresh games of the train split."""
    for prompts, completions in games(task, batch_size, seed):
        yield as_texts(prompts, completions)


def games(task: Task, batch_size: int, seed: int) -> Iterator[tuple[list[list[int]], list[list[int]]]]:
    """Endless prompts and completions, as ids, of `batch_size` fresh games of the train split at a time."""
    rng = np.random.default_rng(derive_seed("pretrain", "games", seed))
    count = batch_size * max(1, GAMES_AT_ONCE // batch_size)
    while True:
        prompts, completions = task.encoded_games(count, "train", rng)
        for start in range(0, count, batch_size):
            rows = slice(start, start + batch_size)
            yield prompts[rows], completions[rows]


def accumulate(policy: Policy, batch: Texts, step: int = 0) -> float:
    """Adds the gradient of the mean loss over the batch's completion tokens to the policy's, and returns that loss."""
    loss, _ = gradient(policy, batch, lambda logp, _: -logp.sum() / batch.wanted, share=False)
    return require_finite(
        loss, step=step, quantity="loss", fix="lower learning_rate, or start from weights that are finite"
    )
