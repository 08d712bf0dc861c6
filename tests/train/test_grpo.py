"""Policy optimisation end to end on the simplest Countdown, where seconds are enough to see it work."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from beyondbase.train import NonFinite, reinforce

QUICK = {"prompts_per_step": 8, "rollouts": 8, "learning_rate": 1e-3, "progress": False}


def flat(policy) -> torch.Tensor:
    return torch.cat([weight.flatten() for weight in policy.parameters()]).detach().clone()


def run(policy, task, reward):
    size = {"steps": 30, "prompts_per_step": 16, "rollouts": 16}
    history = reinforce(policy, task, **size, learning_rate=2e-3, reward=reward, seed=7, progress=False)
    rewards = [row["reward"] for row in history]
    return np.mean(rewards[:4]), np.mean(rewards[-4:])


def test_outcome_reward_is_raised(task, base):
    before, after = run(base, task, "outcome")
    assert after > before + 0.1


def test_shuffled_reward_raises_nothing(task, base):
    before, after = run(base, task, "shuffled")
    assert after < before + 0.02


def test_history_holds_possible_numbers_and_no_time(task, base):
    history = reinforce(base, task, steps=3, seed=1, **QUICK)
    assert [row["step"] for row in history] == [1, 2, 3]
    assert list(history[0]) == ["step", "reward", "mixed", "length", "entropy", "clipped", "kl", "gradient_norm"]
    for row in history:
        assert all(0 <= row[name] <= 1 for name in ("reward", "mixed", "clipped"))
        assert 1 <= row["length"] <= task.max_completion_tokens
        assert 0 < row["entropy"] < math.log(task.vocabulary.size)
        assert row["kl"] > 0 and row["gradient_norm"] > 0


def test_same_seed_same_run_and_another_seed_another(task, base):
    start = {name: weight.clone() for name, weight in base.state_dict().items()}
    results = []
    for seed in (5, 5, 6):
        base.load_state_dict(start)
        history = reinforce(base, task, steps=3, seed=seed, **QUICK)
        results.append((flat(base), history))
    assert torch.equal(results[0][0], results[1][0]) and results[0][1] == results[1][1]
    assert not torch.equal(results[0][0], results[2][0])


def test_more_steps_begin_with_the_same_steps(task, base):
    """Each step's randomness is named by the step: a longer run is the shorter one, continued."""
    start = {name: weight.clone() for name, weight in base.state_dict().items()}
    short = reinforce(base, task, steps=2, seed=5, **QUICK)
    base.load_state_dict(start)
    assert reinforce(base, task, steps=4, seed=5, **QUICK)[:2] == short


def test_checkpoints_are_given_at_their_steps(task, base):
    before, seen = flat(base), {}
    reinforce(
        base,
        task,
        steps=4,
        seed=1,
        checkpoint_steps=(4, 0, 2),
        on_checkpoint=lambda step, policy: seen.setdefault(step, flat(policy)),
        **QUICK,
    )
    assert list(seen) == [0, 2, 4]
    assert torch.equal(seen[0], before) and torch.equal(seen[4], flat(base))
    assert not torch.equal(seen[2], seen[0]) and not torch.equal(seen[2], seen[4])


def test_a_policy_that_never_succeeds_is_left_as_it_is(task, fresh):
    """No success, no mixed group, no gradient: momentum or weight decay must not move it either."""
    before = flat(fresh)
    history = reinforce(fresh, task, steps=2, seed=1, **QUICK)
    assert all(row["reward"] == 0 and row["mixed"] == 0 and row["kl"] == 0 for row in history)
    assert torch.equal(flat(fresh), before)


def test_a_weight_that_is_not_a_number_is_reported_at_once(task, base):
    with torch.no_grad():
        base.model.layers[0].mlp.down_proj.weight[0, 0] = math.nan
    with pytest.raises(NonFinite, match="step 1: .*log-probabilities is nan; likely fix: lower learning_rate"):
        reinforce(base, task, steps=2, seed=1, **QUICK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps=0: .*at least 1"),
        ({"prompts_per_step": 0}, "prompts_per_step=0: .*at least 1"),
        ({"rollouts": 1}, "rollouts=1: .*at least 2"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0: .*above 0"),
        ({"clip": 1.0}, "clip=1.0: .*between 0 and 1"),
        ({"epochs": 0}, "epochs=0: .*at least 1"),
        ({"reward": "answer"}, "reward='answer': choose one of outcome, shuffled"),
        ({"checkpoint_steps": (5,), "on_checkpoint": print}, r"checkpoint_steps=\(5,\): .*from 0 to steps=2"),
        ({"checkpoint_steps": (1,)}, r"checkpoint_steps=\(1,\): give on_checkpoint"),
    ],
)
def test_impossible_arguments(task, base, change, message):
    before = flat(base)
    with pytest.raises(ValueError, match=message):
        reinforce(base, task, **({"steps": 2, "seed": 1} | QUICK | change))
    assert torch.equal(flat(base), before)
