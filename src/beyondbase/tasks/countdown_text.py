"""How a Countdown problem is written: vocabulary, prompt, key, steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from beyondbase.tasks.base import Problem
from beyondbase.tasks.vocabulary import SPECIALS, Vocabulary

OPERATORS = ("+", "-", "*")
PLUS, MINUS, TIMES = range(3)
SYMBOLS = (*OPERATORS, "=", ",", "->", ":")

# Ids are laid out so that arithmetic on arrays makes them: operator k is FIRST_OPERATOR + k, number n is ZERO + n.
FIRST_OPERATOR = len(SPECIALS)
EQUALS = FIRST_OPERATOR + SYMBOLS.index("=")
COMMA = FIRST_OPERATOR + SYMBOLS.index(",")
ARROW = FIRST_OPERATOR + SYMBOLS.index("->")
COLON = FIRST_OPERATOR + SYMBOLS.index(":")
ZERO = FIRST_OPERATOR + len(SYMBOLS)
STEP_TOKENS = 6  # a op b = c, and the comma or the eos after it

_PROMPT = re.compile(r"(?:0|[1-9][0-9]{0,8})(?: (?:0|[1-9][0-9]{0,8}))+ -> (?:0|[1-9][0-9]{0,8}) :")


@lru_cache
def vocabulary(max_value: int) -> Vocabulary:
    """The tokens of Countdown: three specials, seven symbols, the integers 0 to `max_value`."""
    return Vocabulary(
        tokens=(*SPECIALS, *SYMBOLS, *map(str, range(max_value + 1))),
        pattern=r"[0-9]+|->|\S",
        tight_before=(*OPERATORS, "=", ","),
        tight_after=(*OPERATORS, "="),
    )


def problem_key(numbers: Sequence[int], target: int) -> str:
    """Identity of a problem: permutations of the same numbers are the same problem."""
    return f"{' '.join(map(str, sorted(numbers)))} -> {target}"


def problem_keys(numbers: np.ndarray, targets: np.ndarray) -> list[str]:
    """`problem_key` of numbers (N, n) and targets (N,)."""
    template = " ".join(["%d"] * numbers.shape[1]) + " -> %d"
    rows = np.column_stack([np.sort(numbers, axis=1), targets]).tolist()
    return [template % tuple(row) for row in rows]


def write_problem(numbers: Sequence[int], target: int, key: str | None = None) -> Problem:
    """The problem with its numbers in the given order; its key is made where it is not known yet."""
    prompt = f"{' '.join(map(str, numbers))} -> {target} :"
    return Problem(prompt, len(numbers), key or problem_key(numbers, target))


def read_problem(problem: Problem) -> tuple[list[int], int]:
    """Numbers and target of a problem; ValueError for a prompt that is not Countdown's."""
    if not _PROMPT.fullmatch(problem.prompt):
        raise ValueError(f"not a Countdown prompt: {problem.prompt[:80]!r} (expected like '3 7 2 5 -> 13 :')")
    *numbers, _, target, _ = problem.prompt.split()
    return list(map(int, numbers)), int(target)


def write_steps(steps: Sequence[tuple[int, int, int, int]]) -> str:
    """Completion text of steps (a, operator index, b, result)."""
    return ", ".join([f"{a}{OPERATORS[op]}{b}={c}" for a, op, b, c in steps])
