"""A small problem family and a base model for it that is made once, in about two seconds."""

from __future__ import annotations

import pytest

from beyondbase.policy.model import Policy
from beyondbase.policy.sizes import Size
from beyondbase.tasks import Countdown
from beyondbase.train import pretrain

SIZE = Size(hidden=24, layers=2, heads=2, kv_heads=2, ffn=48)


@pytest.fixture(scope="session")
def task() -> Countdown:
    """Two small numbers and one step: the simplest Countdown there is."""
    return Countdown(operands=(2,), max_number=6, max_value=12)


@pytest.fixture(scope="session")
def trained(task):
    """A base model that solves some problems and not others, and its training history."""
    policy = Policy.init(task.vocabulary, SIZE, seed=1)
    history = pretrain(policy, task, tokens=80_000, batch_size=64, learning_rate=8e-3, seed=2, progress=False)
    return policy, history


@pytest.fixture
def fresh(task) -> Policy:
    """A policy that has learnt nothing."""
    return Policy.init(task.vocabulary, SIZE, seed=1)


@pytest.fixture
def base(trained) -> Policy:
    """A copy of the base model, to be changed."""
    policy = Policy(trained[0].config, trained[0].vocabulary)
    policy.load_state_dict(trained[0].state_dict())
    return policy
