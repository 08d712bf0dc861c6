"""The five things that every task family must pass; a new family adds its configurations to TASKS."""

import numpy as np
import pytest

from beyondbase.tasks import Countdown, split_of

TASKS = [
    Countdown(),
    Countdown(operands=2),
    Countdown(operands=(5, 6)),
    Countdown(operands=(2, 3, 4, 5), max_number=25, max_value=200),
    Countdown(operands=4, max_number=1, max_value=3),
]
FEW = 4  # problems a test where even the smallest pool of TASKS must have as many
everywhere = pytest.mark.parametrize("task", TASKS, ids=repr)


def a_few(task, split="train", seed=1):
    return task.problems(FEW if task.max_number > 1 else 1, split=split, seed=seed)


@everywhere
def test_text_and_ids_are_two_forms_of_the_same(task):
    vocabulary = task.vocabulary
    games = task.games(50, split="train", seed=7)
    for problem, text in [*games, *((p, task.gold(p)) for p in a_few(task))]:
        prompt, completion = task.prompt_ids(problem), task.completion_ids(text)
        assert prompt[0] == vocabulary.bos_id and completion[-1] == vocabulary.eos_id
        assert vocabulary.decode(prompt) == problem.prompt and vocabulary.decode(completion) == text
        assert len(prompt) <= task.max_prompt_tokens and len(completion) <= task.max_completion_tokens
    prompts, completions = task.encoded_games(50, "train", np.random.default_rng(7))
    for prompt, completion in zip(prompts, completions, strict=True):
        assert [vocabulary.bos_id, *vocabulary.encode(vocabulary.decode(prompt))] == prompt
        assert task.completion_ids(vocabulary.decode(completion)) == completion


@everywhere
def test_gold_games_and_all_solutions_are_correct(task):
    problems = a_few(task)
    pairs = [*task.games(50, split="test" if task.max_number > 1 else "train", seed=3)]
    for problem, texts, table in zip(problems, task.solutions_many(problems), task.solution_ids(problems), strict=True):
        assert len(set(texts)) == len(texts) == len(table) and task.gold(problem) in texts
        assert task.solutions(problem) == texts
        for place in range(0, len(texts), 1 + len(texts) // 40):
            row = [index for index in table[place].tolist() if index != task.vocabulary.pad_id]
            assert row == task.completion_ids(texts[place])
            pairs.append((problem, texts[place]))
    for problem, text in pairs:
        verdict = task.verify(problem, text)
        assert verdict.correct and verdict.answer and verdict.fault is None and verdict.reason == ""
        assert all(step.ok and not step.reason for step in verdict.steps)
        assert task.correct_ids(problem, [*task.completion_ids(text), task.vocabulary.pad_id])


@everywhere
def test_verdicts_on_corrupted_text_agree_in_all_forms(task):
    rng, vocabulary = np.random.default_rng(11), task.vocabulary
    wrong = 0
    for problem, text in task.games(150, split="train", seed=5):
        ids = corrupt(task.completion_ids(text), vocabulary.size, rng)
        verdict = task.verify_ids(problem, ids)
        assert task.correct_ids(problem, ids) == task.correct_ids(problem, np.array(ids)) == verdict.correct
        assert verdict.correct != bool(verdict.reason)
        assert (verdict.fault is None) == all(step.ok for step in verdict.steps)
        if ids[-1] == vocabulary.eos_id and min(ids[:-1], default=3) > vocabulary.eos_id:
            assert task.verify(problem, vocabulary.decode(ids)) == verdict
        wrong += not verdict.correct
    assert wrong > 75


def corrupt(ids, size, rng):
    """One to three edits: a token replaced, dropped, doubled or swapped with another; or padding at the end."""
    ids = list(ids)
    for _ in range(rng.integers(1, 4)):
        kind, i, j = rng.integers(5), *rng.integers(len(ids), size=2)
        if kind == 0:
            ids[i] = int(rng.integers(size))
        elif kind == 1 and len(ids) > 1:
            del ids[i]
        elif kind == 2:
            ids.insert(i, ids[j])
        elif kind == 3:
            ids[i], ids[j] = ids[j], ids[i]
        else:
            ids.append(0)
    return ids


@everywhere
def test_splits_are_disjoint_and_problems_distinct(task):
    if task.max_number == 1:
        keys = {problem.key for problem, _ in task.games(200, split="train", seed=1)}
        assert {split_of(key) for key in keys} == {"train"}
        return
    count = 20
    train, test = (task.problems(count, split=split, seed=1) for split in ("train", "test"))
    for problems, split in ((train, "train"), (test, "test")):
        assert len({problem.key for problem in problems}) == count
        assert {split_of(problem.key) for problem in problems} == {split}
        games = task.games(200, split=split, seed=1)
        assert {split_of(problem.key) for problem, _ in games} == {split}
        rng = np.random.default_rng(1)
        assert {split_of(task.game(rng, split)[0].key) for _ in range(50)} == {split}


@everywhere
def test_a_seed_fixes_everything_and_a_task_survives_serialisation(task):
    again = type(task).model_validate_json(task.model_dump_json())
    assert again == task and hash(again) == hash(task)
    problems = a_few(task)
    assert a_few(again) == problems
    assert task.problems(1, split="train", seed=1) == problems[:1]
    assert task.games(20, split="train", seed=1) == again.games(20, split="train", seed=1)
    assert task.games(20, split="train", seed=1) != task.games(20, split="train", seed=2)
    one, two = (task.game(np.random.default_rng(5), "train") for _ in range(2))
    assert one == two and task.describe(problems[0])
