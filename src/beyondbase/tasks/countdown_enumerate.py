"""All correct completions of Countdown problems, many problems at once.

Breadth first over states (the sorted numbers still available) with one move for each unordered pair of different
values and operator. A path of such moves is one text up to the order of the operands of + and *; because moves are
told apart by value, not by position, equal numbers never give the same text twice, and nothing has to be removed
afterwards. States three numbers from the end are kept only where one more step can still reach the target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from beyondbase.tasks.countdown_text import MINUS, OPERATORS

# Problems solved together: large enough to hide the cost of calling numpy, small enough to stay in cache and memory.
CHUNK = {2: 4096, 3: 4096, 4: 512, 5: 64, 6: 4}


def solve(numbers: np.ndarray, targets: np.ndarray, max_value: int) -> Iterator[np.ndarray]:
    """For each problem, in order, the steps (S, n-1, 4) of its S correct completions: a, operator index, b, result.

    numbers (P, n), targets (P,), nothing above `max_value`. The order of the solutions of a problem does not depend
    on its neighbours.
    """
    size = CHUNK[numbers.shape[1]]
    for start in range(0, len(numbers), size):
        chunk = numbers[start : start + size]
        owner, steps = _all_orders(*_search(chunk, targets[start : start + size], max_value))
        order = np.argsort(owner, kind="stable")
        ends = np.bincount(owner, minlength=len(chunk)).cumsum()
        yield from np.split(steps[order], ends[:-1])


def _search(numbers: np.ndarray, targets: np.ndarray, max_value: int) -> tuple[np.ndarray, np.ndarray]:
    """Owner (S,) and steps (S, n-1, 4) of all solutions, larger operand first."""
    kind = np.int16 if max_value <= 181 else np.int32  # products of two values must fit
    state = list(np.sort(numbers, axis=1).astype(kind).T.copy())  # one array (states,) for each place, ascending
    owner, goal = np.arange(len(numbers)), targets.astype(kind)
    levels = []
    while len(state) > 1:
        parent, step, state = _expand(state, goal, max_value)
        owner, goal = owner[parent], goal[parent]
        levels.append((parent, step))
    steps = np.empty((len(owner), len(levels), 4), kind)
    index = np.arange(len(owner))
    for place in reversed(range(len(levels))):
        parent, step = levels[place]
        steps[:, place] = step[:, index].T
        index = parent[index]
    return owner, steps


def _expand(state: list[np.ndarray], goal: np.ndarray, max_value: int) -> tuple[np.ndarray, np.ndarray, list]:
    """All moves from all states: parent index (C,), step (4, C), and the child states, ascending."""
    parents, steps, children = [], [], []
    for i, j in combinations(range(len(state)), 2):
        low, high = state[i], state[j]
        rest = [column for place, column in enumerate(state) if place not in (i, j)]
        first = np.ones(len(low), bool)  # this pair of values has not been met at earlier places
        if i > 0:
            first &= low != state[i - 1]
        if j > i + 1:
            first &= high != state[j - 1]
        for op, result in enumerate((high + low, high - low, high * low)):
            chosen = np.flatnonzero(first & (result <= max_value) & _can_reach(goal, result, rest))
            result = result[chosen]
            parents.append(chosen)
            steps.append(np.stack([high[chosen], np.full_like(result, op), low[chosen], result]))
            children.append(_insert([column[chosen] for column in rest], result))
    columns = zip(*children, strict=True)
    return np.concatenate(parents), np.concatenate(steps, axis=1), [np.concatenate(parts) for parts in columns]


def _can_reach(goal: np.ndarray, result: np.ndarray, rest: list[np.ndarray]) -> np.ndarray | bool:
    """False where a state of one or two numbers cannot reach its goal; larger states all pass."""
    if not rest:
        return result == goal
    if len(rest) == 1:
        other = rest[0]
        return (result + other == goal) | (np.abs(result - other) == goal) | (result * other == goal)
    return True


def _insert(ascending: list[np.ndarray], value: np.ndarray) -> list[np.ndarray]:
    """The columns with one more value, still ascending in every row."""
    columns = []
    for column in ascending:
        columns.append(np.minimum(column, value))
        value = np.maximum(column, value)
    return [*columns, value]


def _all_orders(owner: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both orders of the operands of every + and * (of different numbers) in every step."""
    for place in range(steps.shape[1]):
        a, op, b = steps[:, place, 0], steps[:, place, 1], steps[:, place, 2]
        turned = np.flatnonzero((op != MINUS) & (a != b))
        mirror = steps[turned]
        mirror[:, place, 0], mirror[:, place, 2] = b[turned], a[turned]
        owner, steps = np.concatenate([owner, owner[turned]]), np.concatenate([steps, mirror])
    return owner, steps


def texts(steps: np.ndarray) -> list[str]:
    """Completion texts of steps (S, n-1, 4); each different step is written once and shared."""
    if not len(steps):
        return []
    base = int(steps.max()) + 1
    wide = steps.astype(np.int64)
    codes = (wide[..., 0] * len(OPERATORS) + wide[..., 1]) * base + wide[..., 2]
    _, where, which = np.unique(codes, return_index=True, return_inverse=True)
    written = [f"{a}{OPERATORS[op]}{b}={c}" for a, op, b, c in steps.reshape(-1, 4)[where].tolist()]
    words = np.array(written, dtype=object)[which.reshape(codes.shape)]
    return [", ".join(row) for row in words.tolist()]


def by_size(problems: Sequence[tuple[list[int], int]], max_value: int) -> list[np.ndarray]:
    """`solve` for problems (numbers, target) of different sizes, in the order given."""
    found: list[np.ndarray] = [np.empty(0)] * len(problems)
    for size in {len(numbers) for numbers, _ in problems}:
        places = [place for place, (numbers, _) in enumerate(problems) if len(numbers) == size]
        numbers = np.array([problems[place][0] for place in places])
        targets = np.array([problems[place][1] for place in places])
        for place, steps in zip(places, solve(numbers, targets, max_value), strict=True):
            found[place] = steps
    return found
