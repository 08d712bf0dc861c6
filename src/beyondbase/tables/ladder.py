"""Where on a ladder of difficulties a base falls: counts of right samples (seeds, problems) by number of operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..measure import pass_at_k
from . import bins

HALF = 0.5
DRAWN = 5  # bases that a picture has room for


def half_way(counts: Mapping[int, np.ndarray], n: int, k: int) -> list[int]:
    """The number of operations at which each base's pass@k falls past one half.

    `counts`: of `n` samples a problem. Of the first number with a pass@k below one half and the one before it, that
    with a pass@k nearer to one half, the former if they are as near; the last number where none is below.
    """
    numbers, found = sorted(counts), []
    for climb in np.array([pass_at_k(n, counts[number], k).mean(-1) for number in numbers]).T:
        away = np.abs(climb - HALF).round(9)
        fallen = next((place for place, value in enumerate(climb) if value < HALF), len(climb) - 1)
        nearer = fallen > 0 and away[fallen - 1] < away[fallen]
        found.append(numbers[fallen - nearer])
    return found


def unsolved(counts: Mapping[int, np.ndarray], edges: Sequence[int]) -> list[int]:
    """The first number of operations from each base's edge on of which it solves no problem, or the last number."""
    numbers = sorted(counts)
    return [next((number for number in numbers if number >= edge and not counts[number][base].any()), numbers[-1])
            for base, edge in enumerate(edges)]  # fmt: skip


def rising(counts: Mapping[int, np.ndarray], n: int, k: int) -> pd.DataFrame:
    """pass@k of the first five bases rung by rung, as `charts.by_bin` draws it: `bins.levels`, a base a condition."""
    return bins.levels({number: {f"base {base + 1}": values[[base]] for base in range(min(DRAWN, len(values)))}
                        for number, values in counts.items()}, n, [k])  # fmt: skip
