"""Where a base falls, on ladders whose answer is plain to see."""

from __future__ import annotations

import numpy as np

from beyondbase.tables import ladder

N = 8  # samples of a problem


def reliably(*shares: float) -> np.ndarray:
    """Counts (bases, 10) with all samples right at a share of the problems and none at the others."""
    return np.array([[N] * round(10 * share) + [0] * round(10 - 10 * share) for share in shares])


def test_the_edge_is_where_half_of_the_problems_are_still_solved() -> None:
    #          nearer before, nearer after, a wall, as near, none below, below at once, and back again
    climbed = {5: reliably(0.9, 1.0, 1.0, 1.0, 1.0, 0.2, 0.3),
               6: reliably(0.6, 0.9, 1.0, 0.8, 0.9, 0.1, 0.8),
               7: reliably(0.0, 0.3, 0.0, 0.2, 0.5, 0.0, 0.0)}  # fmt: skip
    assert ladder.half_way(climbed, N, 4) == [6, 7, 7, 7, 7, 5, 5]


def test_more_attempts_move_the_edge() -> None:
    once = np.ones((1, 10), int)  # one right sample of eight: pass@1 is 1/8, pass@8 is 1
    climbed = {5: reliably(1.0), 6: once, 7: reliably(0.0)}
    assert ladder.half_way(climbed, N, 1) == [6] and ladder.half_way(climbed, N, 8) == [7]


def test_too_hard_is_what_nothing_is_solved_of_from_the_edge_on() -> None:
    climbed = {5: reliably(0.0, 0.0), 6: reliably(0.2, 0.0), 7: reliably(0.0, 0.1)}
    assert ladder.unsolved(climbed, [6, 5]) == [7, 5]
    assert ladder.unsolved({5: reliably(0.5), 6: reliably(0.2)}, [5]) == [6]  # something is solved everywhere: the last


def test_the_picture_of_a_ladder_has_room_for_five_bases() -> None:
    climbed = {5: reliably(1.0, 0.9, 0.8, 0.7, 0.6, 0.5), 6: reliably(0.5, 0.4, 0.3, 0.2, 0.1, 0.0)}
    table = ladder.rising(climbed, N, 4)
    assert table["condition"].drop_duplicates().tolist() == [f"base {number}" for number in range(1, 6)]
    assert table["bin"].tolist() == ["5"] * 5 + ["6"] * 5 and table["k"].eq(4).all()
    assert table["mean"].round(9).tolist() == [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    assert len(ladder.rising({5: reliably(1.0)}, N, 4)) == 1
