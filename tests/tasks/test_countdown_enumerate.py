"""Enumeration of all solutions against slow programs that share nothing with it."""

import time
from functools import cache
from itertools import permutations

import numpy as np
import pytest

from beyondbase.tasks import Countdown
from beyondbase.tasks import countdown_enumerate as enumeration


def brute_force(numbers, target, max_value):
    """All texts, by trying every ordered pair of places, every operator, in every order."""
    if len(numbers) == 1:
        return {""} if numbers[0] == target else set()
    found = set()
    for i, j in permutations(range(len(numbers)), 2):
        rest = [n for k, n in enumerate(numbers) if k not in (i, j)]
        a, b = numbers[i], numbers[j]
        for sign, c in (("+", a + b), ("-", a - b), ("*", a * b)):
            if 0 <= c <= max_value:
                found |= {f"{a}{sign}{b}={c}, {tail}" for tail in brute_force([*rest, c], target, max_value)}
    return found


def count_texts(numbers, target, max_value):
    """How many texts there are, by counting over multisets."""

    @cache
    def count(left):
        if len(left) == 1:
            return int(left[0] == target)
        total = 0
        for a, b in {(left[i], left[j]) for i, j in permutations(range(len(left)), 2)}:
            rest = list(left)
            rest.remove(a)
            rest.remove(b)
            for c in (a + b, a - b, a * b):  # equal results of different operators are different texts
                if 0 <= c <= max_value:
                    total += count(tuple(sorted([*rest, c])))
        return total

    return count(tuple(sorted(numbers)))


def numbers_of(problem):
    left, right = problem.prompt.split(" -> ")
    return [int(n) for n in left.split()], int(right.split()[0])


def same_as_brute_force(task, problems):
    for problem, texts in zip(problems, task.solutions_many(problems), strict=True):
        expected = {text.removesuffix(", ") for text in brute_force(*numbers_of(problem), task.max_value)}
        assert len(texts) == len(set(texts)) and set(texts) == expected


def test_equals_brute_force_at_two_to_four_operands():
    small = Countdown(operands=(2, 3))
    same_as_brute_force(small, small.problems(60, split="train", seed=1))
    large = Countdown(operands=(2, 3, 4), max_number=30, max_value=500)
    same_as_brute_force(large, large.problems(40, split="test", seed=1))
    four = Countdown(operands=4)
    same_as_brute_force(four, four.problems(30, split="train", seed=1))


def test_equals_brute_force_with_equal_numbers_zeros_and_no_solution():
    task = Countdown()
    games = [([2, 2], 4), ([0, 0], 0), ([1, 1], 50), ([2, 2, 2], 4), ([0, 3, 3, 0], 0), ([1] * 4, 1), ([4, 4, 4], 60)]
    same_as_brute_force(task, [task.problem(numbers, target) for numbers, target in games])
    assert task.solutions(task.problem([2, 2], 4)) == ["2+2=4", "2*2=4"]
    assert task.solution_ids([task.problem([1, 1], 50)])[0].shape == (0, 6)


@pytest.mark.parametrize("limit", [181, 182, 999])
def test_large_products_do_not_wrap_round(limit):
    task = Countdown(max_number=limit, max_value=limit)
    games = [([limit, limit], (limit * limit) % 2**16), ([limit, limit - 1], 0), ([limit, limit - 1, 2], limit)]
    rng = np.random.default_rng(limit)
    games += [(rng.integers(limit // 2, limit + 1, size=4).tolist(), int(rng.integers(20))) for _ in range(20)]
    if limit == 999:
        games.append(([300, 219], 300 * 219 - 2**16))
    same_as_brute_force(task, [task.problem(numbers, min(target, limit)) for numbers, target in games])


def test_equals_brute_force_at_five_operands():
    task = Countdown(operands=5)
    same_as_brute_force(task, [task.problem([3, 3, 7, 2, 5], 13), *task.problems(1, split="test", seed=2)])


@pytest.mark.parametrize("operands, problems", [(5, 8), (6, 2)])
def test_counts_of_large_problems(operands, problems):
    task = Countdown(operands=operands)
    asked = task.problems(problems, split="train", seed=4)
    assert [len(table) for table in task.solution_ids(asked)] == [count_texts(*numbers_of(p), 60) for p in asked]


def test_all_six_operand_solutions_are_distinct_and_correct():
    task = Countdown(operands=6)
    (problem,) = task.problems(1, split="train", seed=5)
    (table,) = task.solution_ids([problem])
    assert len(np.unique(table, axis=0)) == len(table) > 100
    assert all(task.correct_ids(problem, row) for row in table[::7].tolist())


def test_changed_solutions_are_correct_only_where_enumerated():
    task, rng = Countdown(operands=4), np.random.default_rng(6)
    for problem in task.problems(12, split="test", seed=6):
        table = task.solution_ids([problem])[0].tolist()
        known = set(map(tuple, table))
        for _ in range(60):
            row = list(table[rng.integers(len(table))])
            for place in rng.integers(len(row), size=rng.integers(1, 3)):
                row[place] = table[rng.integers(len(table))][place]  # tokens that other solutions have there
            assert task.correct_ids(problem, row) == task.verify_ids(problem, row).correct == (tuple(row) in known)


def test_speed():
    task = Countdown(operands=5)
    problems = task.problems(100, split="test", seed=9)
    start = time.process_time()
    task.solution_ids(problems)
    assert time.process_time() - start < 2  # 3,000 problems a minute; on an idle core it is far more


def test_neighbours_and_chunks_change_nothing(monkeypatch):
    task = Countdown(operands=(2, 3, 4, 5))
    problems = task.problems(24, split="train", seed=8)
    together = task.solutions_many(problems)
    monkeypatch.setattr(enumeration, "CHUNK", dict.fromkeys(enumeration.CHUNK, 2))
    assert task.solutions_many(problems) == together == [task.solutions(problem) for problem in problems]
    assert task.solution_ids([]) == task.solutions_many([]) == []
