"""What a rollout is paid: a table of names, so that another reward is another row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from beyondbase.tasks.base import Problem, Task

Reward = Callable[[Task, Sequence[Problem], np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def outcome(
    task: Task, problems: Sequence[Problem], tokens: np.ndarray, lengths: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """1 for a rollout that the task's verifier accepts (every step legal, target reached, ended there), else 0.

    `tokens` (P, n, L) completions incl. eos, `lengths` (P, n) their token counts; returns (P, n) float64. `rng` unused.
    """
    rewards = np.zeros(lengths.shape)
    for row, problem in enumerate(problems):
        known: dict[tuple[int, ...], bool] = {}  # a policy that commits repeats itself: most of its rollouts are known
        for column, ids in enumerate(tokens[row].tolist()):
            text = tuple(ids[: lengths[row, column]])
            if text not in known:
                known[text] = task.correct_ids(problem, list(text))
            rewards[row, column] = known[text]
    return rewards


def permuted_within_groups(rewards: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each row of `rewards` (P, n) in a random order of its own: the same values, no longer tied to their rollouts."""
    return rng.permuted(rewards, axis=1)


def shuffled(
    task: Task, problems: Sequence[Problem], tokens: np.ndarray, lengths: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The negative control: outcome rewards dealt out at random within each prompt's group.

    Every group keeps its rewards' distribution, and with it the size of its advantages; which rollout earned them is
    lost. Shapes as in `outcome`; `rng` decides the permutations.
    """
    return permuted_within_groups(outcome(task, problems, tokens, lengths, rng), rng)


REWARDS: dict[str, Reward] = {"outcome": outcome, "shuffled": shuffled}
