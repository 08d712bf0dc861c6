"""What bases are asked first: rungs of a ladder of difficulties."""

from __future__ import annotations

import pytest

from beyondbase.experiments import HeldOut, Pretrain, readable, rungs
from beyondbase.experiments.bases import graph_text, graphs
from beyondbase.tasks.seeds import derive_seed

DIALS = {"modulus": 11, "distractors": 0}


def seed(*names: object) -> int:
    return derive_seed("ladders", *names)


@pytest.fixture
def bases() -> list[Pretrain]:
    return [Pretrain(task=graph_text([2], [3], 0.1, **DIALS), tokens=5000, seed=number) for number in (1, 2)]


def test_every_base_is_asked_the_same_problems_of_every_rung(bases: list[Pretrain]) -> None:
    found = rungs(bases, [3, 4], 5, 16, seed, **DIALS)
    assert list(found) == [3, 4] and [step.policy for step in found[3]] == bases
    for number, (first, second) in found.items():
        assert first.problems == second.problems and first.seed == second.seed and first.n == 16
        assert {problem.difficulty for problem in first.problems.problems()} == {number}
    assert found[3][0].seed != found[4][0].seed


def test_no_problem_of_a_rung_is_among_held_out_ones(bases: list[Pretrain]) -> None:
    climbed = {problem.key for problem in rungs(bases, [3], 40, 16, seed, **DIALS)[3][0].problems.problems()}
    held_out = HeldOut(task=graphs([3], **DIALS), count=200, seed=seed("ladder", 3))
    assert len(climbed) == 40 and not climbed & {problem.key for problem in held_out.problems()}


def test_a_rung_of_another_context_is_told_in_it(bases: list[Pretrain]) -> None:
    step = rungs(bases, [3], 2, 16, seed, context="B", **DIALS)[3][0]
    assert step.problems.task == graphs([3], context="B", **DIALS)


def test_problems_too_long_for_the_models_are_refused_before_anything_is_made() -> None:
    task = graphs([2, 9], **DIALS)
    longest = task.max_prompt_tokens + task.max_completion_tokens
    readable(task, longest)
    refused = f"9 operations take up to {longest} tokens, more than max_positions={longest - 1}"
    with pytest.raises(ValueError, match=refused):
        readable(task, longest - 1)
