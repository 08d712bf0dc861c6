"""Which seeds a study runs with."""

from __future__ import annotations

import pytest

from beyondbase.book.study import Study


def seeds(count: int, claim: str = "extrapolation", family: str = "smoke") -> list[int]:
    return Study(claim, preset="smoke", family=family, seeds=count).seeds


def test_more_runs_begin_with_the_fewer_and_claims_of_one_stream_share_them() -> None:
    five = seeds(5)
    assert len(set(five)) == 5 and seeds(3) == five[:3] == seeds(3, "headroom")


def test_another_family_shares_no_run() -> None:
    assert not {*seeds(5)} & {*seeds(5, family="laptop")}


def test_too_few_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="seeds=1: at least 2"):
        seeds(1)
