import time
from collections import Counter
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2

from beyondbase.tasks import AnyTask, Countdown, derive_seed, split_of
from beyondbase.tasks.countdown_play import play, play_many, uniform_stream
from beyondbase.tasks.countdown_text import write_steps

TASK = Countdown()
PROBLEM = TASK.problem([3, 7, 2, 5], 13)
MAX_NUMBER, MAX_VALUE = 2, 4  # a game so small that its whole law can be written down


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"operands": 1}, "operands=1: must be distinct numbers of operands from 2 to 6"),
        ({"operands": (3, 7)}, r"operands=\(3, 7\): must .* from 2 to 6"),
        ({"operands": ()}, r"operands=\(\): must"),
        ({"operands": [3, 3]}, r"operands=\[3, 3\]: must be distinct"),
        ({"operands": "34"}, "operands='34': must"),
        ({"operands": (3.0,)}, r"operands=\(3.0,\): must"),
        ({"operands": True}, "operands=True: must"),
        ({"max_number": 61}, "max_number=61: must be at most max_value=60"),
        ({"max_number": 0}, "max_number=0: must be a whole number from 1 to 999"),
        ({"max_value": 1000}, "max_value=1000: must be a whole number from 1 to 999"),
        ({"max_value": "60"}, "max_value='60': must be a whole number"),
        ({"digits": 3}, "Extra inputs"),
        ({"version": 99}, "Input should be 1"),
    ],
)
def test_impossible_values_are_refused_in_one_line(fields, message):
    with pytest.raises(pydantic.ValidationError, match=message) as caught:
        Countdown(**fields)
    (error,) = caught.value.errors()
    assert "\n" not in error["msg"]


def test_a_task_is_a_field_of_other_models_and_frozen():
    class Step(pydantic.BaseModel):
        task: AnyTask

    step = Step.model_validate({"task": {"name": "countdown", "operands": [4, 3], "max_value": 99}})
    assert step.task == Countdown(operands=(3, 4), max_value=99)
    assert Step.model_validate_json(step.model_dump_json()) == step
    assert Countdown(operands=5) == Countdown(operands=(5,))
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        step.task.max_value = 5


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: TASK.problems(0, split="train", seed=1), "count=0: must be at least 1"),
        (lambda: TASK.problems(3, split="valid", seed=1), "split='valid': must be 'train' or 'test'"),
        (lambda: TASK.games(-1, split="train", seed=1), "count=-1"),
        (lambda: TASK.game(np.random.default_rng(0), "all"), "split='all'"),
        (lambda: TASK.encoded_games(0, "train", np.random.default_rng(0)), "count=0"),
        (lambda: TASK.problem([3], 4), r"numbers=\[3\]: must be 2 to 6"),
        (lambda: TASK.problem([3, 61], 4), r"61 in \[3, 61\] -> 4 must be from 0 to max_value=60"),
        (lambda: TASK.solutions(Countdown(max_value=99).problem([3, 61], 64)), "61 in"),
        (lambda: TASK.gold(TASK.problem([1, 1], 50)), "'1 1 -> 50 :' has no solution"),
        (lambda: TASK.verify(type(PROBLEM)("what is 3+4?", 2, "x"), "3+4=7"), "not a Countdown prompt"),
    ],
)
def test_impossible_requests_name_value_and_range(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_pool_that_is_too_small_is_counted():
    task = Countdown(operands=2)
    pool = {
        key
        for a, b in product(range(1, 13), repeat=2)
        for c in {a + b, abs(a - b), a * b}
        if c <= 60 and split_of(key := f"{min(a, b)} {max(a, b)} -> {c}") == "test"
    }
    with pytest.raises(ValueError, match=f"count=1000: .* test problems with 2 operands, .* only {len(pool)};"):
        task.problems(1000, split="test", seed=1)
    assert {problem.key for problem in task.problems(len(pool), split="test", seed=1)} == pool


def test_an_empty_split_is_reported_rather_than_searched_for_ever():
    task = Countdown(operands=2, max_number=1, max_value=1)  # 1 1 -> 0 and 1 1 -> 1 are all its problems
    empty = ({"train", "test"} - {split_of(f"1 1 -> {target}") for target in (0, 1)}).pop()
    for call in (
        lambda: task.game(np.random.default_rng(0), empty),
        lambda: task.games(5, split=empty, seed=0),
        lambda: task.encoded_games(5, empty, np.random.default_rng(0)),
    ):
        with pytest.raises(ValueError, match=f"no {empty} problem with 2 operands .* max_number=1, max_value=1"):
            call()
    with pytest.raises(ValueError, match="finds only 0"):
        task.problems(1, split=empty, seed=0)


def test_making_games_costs_little_beside_training_on_them():
    rng, seconds = np.random.default_rng(1), []
    for _ in range(3):
        start = time.process_time()
        TASK.encoded_games(4000, "train", rng)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.125  # a twentieth of the time that training on 4,000 games takes


def test_difficulties_are_uniform_and_the_first_problems_stay_the_first():
    task = Countdown(operands=(3, 4, 5))
    problems = task.problems(900, split="train", seed=2)
    counts = Counter(problem.difficulty for problem in problems)
    assert sorted(counts) == [3, 4, 5]
    assert all(binom.ppf(1e-4, 900, 1 / 3) < count < binom.ppf(1 - 1e-4, 900, 1 / 3) for count in counts.values())
    assert problems[:100] == task.problems(100, split="train", seed=2)


def test_permutations_of_a_problem_share_key_and_split():
    for numbers in permutations([3, 7, 2, 5]):
        assert TASK.problem(numbers, 13).key == PROBLEM.key == "2 3 5 7 -> 13"
    train = {problem.key for problem in TASK.problems(2000, split="train", seed=3)}
    test = {problem.key for problem in TASK.problems(300, split="test", seed=3)}
    assert not train & test
    share = np.mean([split_of(f"{i}") == "test" for i in range(20_000)])
    assert abs(share - 1 / 8) < 4 * np.sqrt(1 / 8 * 7 / 8 / 20_000)


def test_neighbouring_seeds_share_no_more_problems_than_distant_ones():
    def shared(seeds):
        draws = [{p.key for p in Countdown(operands=4).problems(200, split="test", seed=seed)} for seed in seeds]
        return sum(len(one & two) for one, two in zip(draws, draws[1:], strict=False))

    near, far = shared(range(12)), shared(derive_seed("far apart", i) for i in range(12))
    assert abs(near - far) < 5 * np.sqrt(near + far + 1)


def law(left):
    """Exact law of the completion text of one game from the numbers `left`, by listing every legal move."""
    if len(left) == 1:
        return {(): Fraction(1)}
    moves = []
    for i, j in permutations(range(len(left)), 2):
        rest = [n for k, n in enumerate(left) if k not in (i, j)]
        for op, c in (("+", left[i] + left[j]), ("-", left[i] - left[j]), ("*", left[i] * left[j])):
            if 0 <= c <= MAX_VALUE:
                moves.append((f"{left[i]}{op}{left[j]}={c}", [*rest, c]))
    total = Counter()
    for step, child in moves:
        for tail, chance in law(child).items():
            total[(step, *tail)] += chance / len(moves)
    return total


def one_by_one(count):
    uniforms = uniform_stream(np.random.default_rng(20))
    return [play(uniforms, 3, MAX_NUMBER, MAX_VALUE) for _ in range(count)]


def all_at_once(count):
    numbers, steps = play_many(np.random.default_rng(21), count, 3, MAX_NUMBER, MAX_VALUE)
    return zip(numbers.tolist(), steps.tolist(), strict=True)


@pytest.mark.parametrize("draw", [one_by_one, all_at_once])
def test_games_are_uniform_over_legal_moves(draw):
    count, expected = 20_000, {}
    for numbers in product(range(1, MAX_NUMBER + 1), repeat=3):
        for steps, chance in law(list(numbers)).items():
            expected[numbers, ", ".join(steps)] = float(chance) * count / MAX_NUMBER**3
    seen = Counter((tuple(numbers), write_steps(steps)) for numbers, steps in draw(count))
    assert set(seen) <= set(expected) and min(expected.values()) > 5
    statistic = sum((seen[game] - mean) ** 2 / mean for game, mean in expected.items())
    assert 1e-4 < chi2.sf(statistic, len(expected) - 1)


@pytest.mark.parametrize(
    "text, step, reason",
    [
        ("3+9=12", 0, "uses 9, which is not available"),
        ("3+3=6", 0, "uses 3, which is not available"),
        ("3+7=11, 11+5=16, 16-2=14", 0, "3+7 is 10, not 11"),
        ("7*5=35, 35*2=70, 70+3=73", 1, "value 70 is above 60"),
        ("7*5=35, 3-35=-32", 1, "3-35 is negative"),
        ("3+7=10, 10+=15", 1, "not a step"),
        ("3+7=10, 10+5=15, 15-2=13,", 3, "text goes on after the target"),
        ("3+7=10, 10+5=15, 15-2=13, 13+0=13", 3, "text goes on after the target"),
        ("3+7=10, 10+5=15, 15+2=17, 17-4=13", 3, "uses 4, which is not available"),
        ("03+7=10", 0, "not a step"),
        (f"{'9' * 5000}+7=10", 0, "not a step"),
    ],
)
def test_the_first_wrong_step_is_named_with_its_reason(text, step, reason):
    verdict = TASK.verify(PROBLEM, text)
    assert not verdict.correct and verdict.fault == step
    assert verdict.steps[step].reason == reason and reason in verdict.reason
    assert all(earlier.ok for earlier in verdict.steps[:step])


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "no step is written"),
        ("3+7=10, 10+5=15, 15+2=17", "target 13 not reached: last value 17"),
        ("3*2=6, 6+7=13", "numbers left unused: 5"),
        ("3+7=10", "numbers left unused: 2, 5; target 13 not reached: last value 10"),
    ],
)
def test_the_end_is_judged_where_every_step_is_right(text, reason):
    verdict = TASK.verify(PROBLEM, text)
    assert not verdict.correct and verdict.fault is None and verdict.reason == reason


def test_ends_of_token_rows():
    right = TASK.completion_ids("3+7=10, 10+5=15, 15-2=13")
    for ids, reason in [
        (right[:-1], "no end"),
        ([*right[:-1], 0, 0], "no end"),
        ([*right, 12], "text goes on after the end"),
        ([right[0], 1, *right[1:]], "special token inside the text"),
        (right[:-3], "step 3: not a step; no end"),
    ]:
        verdict = TASK.verify_ids(PROBLEM, ids)
        assert verdict.reason == reason and not verdict.correct and not TASK.correct_ids(PROBLEM, ids)
    assert TASK.verify_ids(PROBLEM, [*right, 0, 0]).correct


def test_legal_steps_to_another_target_are_not_correct():
    for problem, text in TASK.games(30, split="train", seed=8):
        *numbers, _, target, _ = problem.prompt.split()
        other = TASK.problem([int(n) for n in numbers], (int(target) + 1) % 61)
        verdict = TASK.verify_ids(other, TASK.completion_ids(text))
        assert verdict.fault is None and not verdict.correct and not verdict.answer
        assert not TASK.correct_ids(other, TASK.completion_ids(text))


def test_the_fast_reward_refuses_values_that_the_vocabulary_cannot_write():
    wide, problem = Countdown(max_value=99), TASK.problem([7, 10, 12], 58)
    above = wide.completion_ids("7*10=70, 70-12=58")
    assert wide.correct_ids(problem, above) and not TASK.correct_ids(problem, above)
    zero = TASK.vocabulary.encode("0")[0]
    minus_two = zero - 2  # the id of a symbol: reading it as a number would make 3-5=-2, 4+(-2)=2 right
    below = TASK.completion_ids("3-5=0, 4+0=2")
    below[4] = below[8] = minus_two
    problem = TASK.problem([3, 5, 4], 2)
    assert not TASK.correct_ids(problem, below) and not TASK.verify_ids(problem, below).correct


@pytest.mark.parametrize(
    "text, answer",
    [("9+9=13", True), ("3+7=10, 6+9=13", True), ("3+7=13, 1+1=2", False), ("3+7=10, 13", False), ("9+9=13 4", False)],
)
def test_the_lazy_answer_looks_at_the_last_value_only(text, answer):
    verdict = TASK.verify(PROBLEM, text)
    assert verdict.answer is answer and not verdict.correct


@settings(deadline=None)
@given(st.text(alphabet="0123456789+-*=,:> \n<x", max_size=40))
def test_any_text_gets_a_verdict(text):
    verdict = TASK.verify(PROBLEM, text)
    assert bool(verdict.reason) != verdict.correct and len(verdict.steps) <= 1 + text.count(",")


def test_description():
    assert "Reach 13 from 3, 7, 2 and 5" in TASK.describe(PROBLEM)
    assert "Reach 4 from 3 and 1," in TASK.describe(TASK.problem([3, 1], 4))
