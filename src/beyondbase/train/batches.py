"""Which texts to compute together where texts have to be rectangles, with next to no padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SMALLEST_GROUP = 16  # rows below which one more pass through the model costs more than padding does


def length_groups(lengths: Sequence[int], smallest: int = SMALLEST_GROUP) -> list[np.ndarray]:
    """Indices of all rows in groups to be padded to their longest, longest first.

    A group is closed at the first shorter row once it has `smallest` rows, so long texts of one family need no padding
    and rare lengths join their neighbours instead of being computed alone.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    ranked = np.asarray(lengths)[order]
    starts, first = [], 0
    for row in range(1, len(ranked)):
        if row - first >= smallest and ranked[row] < ranked[first]:
            starts.append(row)
            first = row
    return np.split(order, starts)
