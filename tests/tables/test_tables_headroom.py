"""Tables of what RL adds to bases that differ in their text."""

from __future__ import annotations

import numpy as np
import pytest

from beyondbase.measure import paired_interval, pass_at_k
from beyondbase.tables import bins, headroom

N, K = 8, 4


@pytest.fixture
def correct() -> dict:
    rng = np.random.default_rng(0)
    return {
        share: {
            where: {name: rng.integers(0, N + 1, (2, 5)) for name in ("base", "rl")} for where in ("inside", "hard")
        }
        for share in (0.001, 0.2, 0.5)
    }


def test_gains_are_changes_against_the_base_of_the_same_share(correct: dict) -> None:
    table = headroom.gains(correct, N, K, "rl")
    row = table[(table["share"] == 0.2) & (table["group"] == "hard")].iloc[0]
    expected = bins.change(correct[0.2]["hard"], "rl", N, K)
    assert [row["effect"], row["low"], row["high"]] == [expected.effect, expected.low, expected.high]
    assert row["reported"] == 0.221 and row["label"] == "20 % long problems" and len(table) == 6
    assert headroom.as_record(table)["hard, 0_1"]["effect"] == pytest.approx(
        (pass_at_k(N, correct[0.001]["hard"]["rl"], K) - pass_at_k(N, correct[0.001]["hard"]["base"], K)).mean()
    )


def test_a_share_the_source_lacks_has_no_reported_value(correct: dict) -> None:
    table = headroom.gains({0.07: correct[0.2]}, N, K, "rl")
    assert table["reported"].isna().all()


def test_the_difference_of_gains_is_paired_by_seed_and_problem(correct: dict) -> None:
    at = {share: {name: pass_at_k(N, c, K) for name, c in correct[share]["hard"].items()} for share in correct}
    values = (at[0.5]["rl"] - at[0.5]["base"]) - (at[0.001]["rl"] - at[0.001]["base"])
    found, expected = headroom.gain_difference(correct, "hard", "rl", N, K), paired_interval(values)
    assert (found.effect, found.low, found.high) == pytest.approx((expected.effect, expected.low, expected.high))
    with pytest.raises(ValueError, match="two different shares"):
        headroom.gain_difference({0.2: correct[0.2]}, "hard", "rl", N, K)


def test_room_and_gain_add_up_to_what_rl_reaches(correct: dict) -> None:
    table = headroom.rooms(correct, "hard", N, K, "rl").set_index("share")
    reached = pass_at_k(N, correct[0.5]["hard"]["rl"], K).mean()
    row = table.loc[0.5]
    assert row["base"] + row["gain"] == pytest.approx(reached) and row["base"] + row["room"] == pytest.approx(1)
    assert row["taken"] == pytest.approx(row["gain"] / row["room"])
    full = {0.5: {"hard": {"base": np.full((2, 3), N), "rl": np.zeros((2, 3), int)}}}
    assert np.isnan(headroom.rooms(full, "hard", N, K, "rl")["taken"][0])


def test_levels_name_the_share_and_the_bin(correct: dict) -> None:
    table = headroom.levels(correct, N, K)
    assert list(dict.fromkeys(table["bin"])) == ["0.1 %", "20 %", "50 %"] and len(table) == 12
    row = table[(table["bin"] == "50 %") & (table["where"] == "inside") & (table["condition"] == "rl")].iloc[0]
    assert row["mean"] == pytest.approx(pass_at_k(N, correct[0.5]["inside"]["rl"], K).mean())
    operations = {"inside": [2, 2, 3, 3, 3], "hard": [7, 7, 7, 8, 8]}
    split = headroom.by_operations(correct, operations, N, K)
    assert set(split["condition"]) == {"0.1 %", "20 %", "50 %"} and set(split["bin"]) == {"2", "3", "7", "8"}
    row = split[(split["condition"] == "20 %") & (split["bin"] == "8")].iloc[0]
    assert row["mean"] == pytest.approx(pass_at_k(N, correct[0.2]["hard"]["base"][:, 3:], K).mean())


def test_chosen_rows_are_of_one_bin_and_some_conditions(correct: dict) -> None:
    table = headroom.levels(correct, N, K)
    some = headroom.chosen([table.assign(series="a"), table.assign(series="b")], where="hard", conditions=["rl"])
    assert len(some) == 2 * 3 and set(some["where"]) == {"hard"} and set(some["condition"]) == {"rl"}
    assert some[some["series"] == "a"]["mean"].tolist() == some[some["series"] == "b"]["mean"].tolist()


def test_names_for_prose_hold_no_point_and_both_differences_are_shown(correct: dict) -> None:
    assert headroom.plain({"0.1 %": 1, "5 %": 2}) == {"0_1 %": 1, "5 %": 2}
    rl = headroom.gain_difference(correct, "hard", "rl", N, K)
    other = headroom.gain_difference(correct, "inside", "rl", N, K)
    table = headroom.compared(rl, other)
    assert table["effect"].tolist() == [rl.effect, other.effect] and table["low"].tolist() == [rl.low, other.low]
