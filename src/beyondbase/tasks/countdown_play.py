"""Random legal games of Countdown: one at a time, or thousands at once.

A game draws its numbers uniformly, then repeats: choose uniformly among the legal moves (ordered pair of available
numbers, operator, result within 0 and the largest value) until one number is left. No game is ever stuck: the larger
of two numbers minus the smaller is always legal.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from beyondbase.tasks.countdown_text import ARROW, COLON, COMMA, EQUALS, FIRST_OPERATOR, STEP_TOKENS, ZERO
from beyondbase.tasks.vocabulary import Vocabulary

Step = tuple[int, int, int, int]


def play(uniforms: Iterator[float], operands: int, max_number: int, max_value: int) -> tuple[list[int], list[Step]]:
    """One game: its numbers as drawn, and its steps (a, operator index, b, result).

    A move is drawn among all of them and drawn again while it is illegal, which is uniform over the legal ones and
    cheaper than listing them.
    """
    numbers = [1 + int(next(uniforms) * max_number) for _ in range(operands)]
    left, steps = numbers.copy(), []
    while len(left) > 1:
        size = len(left)
        move = int(next(uniforms) * (3 * size * (size - 1)))
        move, op = divmod(move, 3)
        i, j = divmod(move, size - 1)
        j += j >= i
        a, b = left[i], left[j]
        c = a + b if op == 0 else a - b if op == 1 else a * b
        if not 0 <= c <= max_value:
            continue
        steps.append((a, op, b, c))
        left[i] = c
        left[j] = left[-1]
        left.pop()
    return numbers, steps


def uniform_stream(rng: np.random.Generator) -> Iterator[float]:
    """Uniform floats one by one, drawn in blocks: a call to numpy for each would cost more than the game."""
    while True:
        yield from rng.random(32).tolist()


def play_many(
    rng: np.random.Generator, count: int, operands: int, max_number: int, max_value: int
) -> tuple[np.ndarray, np.ndarray]:
    """`count` games at once: numbers (N, n) as drawn, and steps (N, n-1, 4) of (a, operator index, b, result)."""
    numbers = rng.integers(1, max_number + 1, size=(count, operands), dtype=np.int32)
    left, rows = numbers.copy(), np.arange(count)
    steps = np.empty((count, operands - 1, 4), np.int32)
    for step, size in enumerate(range(operands, 1, -1)):
        first, second = np.array(list(permutations(range(size), 2))).T
        a, b = left[:, first], left[:, second]
        results = np.concatenate([a + b, a - b, a * b], axis=1)  # (N, moves)
        legal = ((results >= 0) & (results <= max_value)).cumsum(axis=1, dtype=np.int16)
        wanted = (rng.random(count) * legal[:, -1]).astype(np.int16)
        move = (legal > wanted[:, None]).argmax(axis=1)
        op, pair = np.divmod(move, len(first))
        i, j, result = first[pair], second[pair], results[rows, move]
        steps[:, step] = np.stack([left[rows, i], op, left[rows, j], result], axis=1)
        left[rows, i] = result
        left[rows, j] = left[rows, size - 1]
    return numbers, steps


def prompt_table(numbers: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Prompt ids (N, n+4), bos included, of numbers (N, n) and targets (N,)."""
    count, operands = numbers.shape
    table = np.empty((count, operands + 4), np.int16)
    table[:, 0] = Vocabulary.bos_id
    table[:, 1:-3] = ZERO + numbers
    table[:, -3] = ARROW
    table[:, -2] = ZERO + targets
    table[:, -1] = COLON
    return table


def completion_table(steps: np.ndarray) -> np.ndarray:
    """Completion ids (N, 6S), eos included, of steps (N, S, 4)."""
    table = np.empty((*steps.shape[:2], STEP_TOKENS), np.int16)
    table[..., 0] = ZERO + steps[..., 0]
    table[..., 1] = FIRST_OPERATOR + steps[..., 1]
    table[..., 2] = ZERO + steps[..., 2]
    table[..., 3] = EQUALS
    table[..., 4] = ZERO + steps[..., 3]
    table[..., 5] = COMMA
    table[:, -1, 5] = Vocabulary.eos_id
    return table.reshape(len(steps), steps.shape[1] * STEP_TOKENS)
