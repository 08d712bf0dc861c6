"""Which seeds a study runs with."""

from __future__ import annotations

import pytest

from beyondbase.book.study import Study


def seeds(count: int, **options) -> list[int]:
    return Study("extrapolation", preset="smoke", family="smoke", seeds=count, **options).seeds


def test_the_runs_after_those_passed_over_take_their_place() -> None:
    five = seeds(5)
    assert len(set(five)) == 5 and seeds(3) == five[:3]
    assert seeds(3, passed_over=[1]) == [five[0], five[2], five[3]]
    assert seeds(3, passed_over=[3, 0]) == [five[1], five[2], five[4]]
    assert seeds(3, passed_over=[7]) == five[:3]  # one that would not have run leaves the others as they are


def test_too_few_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="seeds=1: at least 2"):
        seeds(1, passed_over=[0])
