"""Rewards: the verifier's judgement, and the same rewards without their information."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondbase.policy.sampler import sample
from beyondbase.train.rewards import REWARDS, outcome, permuted_within_groups


def drawn(task, policy):
    problems = task.problems(8, split="train", seed=3)
    prompts = [task.prompt_ids(problem) for problem in problems]
    generator = torch.Generator().manual_seed(4)
    rollouts = sample(policy, prompts, 16, max_tokens=task.max_completion_tokens, generator=generator)
    return problems, rollouts.tokens.numpy(), rollouts.lengths.numpy()


def test_outcome_is_the_slow_verifier_on_every_rollout(task, trained):
    problems, tokens, lengths = drawn(task, trained[0])
    rewards = outcome(task, problems, tokens, lengths, np.random.default_rng(0))
    for place in np.ndindex(*lengths.shape):
        verdict = task.verify_ids(problems[place[0]], tokens[place][: lengths[place]].tolist())
        assert rewards[place] == float(verdict.correct)
    assert 0 < rewards.mean() < 1


def test_shuffled_is_outcome_in_another_order_within_each_group(task, trained):
    problems, tokens, lengths = drawn(task, trained[0])
    honest = outcome(task, problems, tokens, lengths, np.random.default_rng(0))
    rewards = REWARDS["shuffled"](task, problems, tokens, lengths, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(rewards, axis=1), np.sort(honest, axis=1))
    assert (rewards != honest).any()


@settings(max_examples=25)
@given(st.integers(2, 16), st.integers(0, 2**62))
def test_permutation_keeps_every_value_in_its_row(n, seed):
    rewards = np.arange(3 * n, dtype=float).reshape(3, n)
    found = permuted_within_groups(rewards, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(found, axis=1), rewards)


def test_rows_are_permuted_apart_from_each_other_and_every_place_is_equally_likely():
    """With one permutation for all rows, or with one that favours places, a reward would still say something."""
    rewards = np.tile(np.arange(4.0), (20_000, 1))
    found = permuted_within_groups(rewards, np.random.default_rng(1))
    shares = np.array([(found == value).mean(axis=0) for value in range(4)])
    np.testing.assert_allclose(shares, 0.25, atol=0.015)
    assert len(np.unique(found, axis=0)) == 24
