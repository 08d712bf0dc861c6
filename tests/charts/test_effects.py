"""The chart of effects: every row is drawn and said, with what the source reported."""

from __future__ import annotations

import pandas as pd
import pytest
from chart_cases import effect_table

from beyondbase import charts


def test_every_effect_and_report_is_said() -> None:
    table = effect_table()
    table.loc[0, ["effect", "low", "high"]] = [0.123, 0.1, 0.15]
    text = charts.effects(table).to_dict()["description"]
    assert "a KL penalty, pass@1: +12.3 points  [+10.0 points, +15.0 points], reported −9.7 points" in text
    assert text.count("points]") == len(table) and text.count("reported") == 2


def test_shares_are_drawn_as_points_and_a_ring_only_where_something_was_reported() -> None:
    table = effect_table()
    spec = charts.effects(table, margin=0.02).to_dict()
    drawn = [row for rows in spec["datasets"].values() for row in rows if "effect" in row]
    assert {round(row["effect"], 6) for row in drawn} == {round(100 * value, 6) for value in table["effect"]}
    assert len(spec["layer"]) == 5
    assert len(charts.effects(table.drop(columns="reported")).to_dict()["layer"]) == 3
    one = charts.effects(table[table["group"] == "pass@1"].drop(columns="group")).to_dict()
    assert "yOffset" not in str(one)


def test_long_labels_have_room() -> None:
    table = effect_table().drop_duplicates("label")
    low, high = (charts.effects(table.assign(label=[f"{'word ' * count}{i}" for i in range(len(table))])).to_dict()
                 for count in (3, 25))  # fmt: skip
    assert high["height"] - low["height"] == len(table) * (15 * 4 + 4 - 34)  # 25 words of five letters take four lines


def test_what_cannot_be_drawn_is_named() -> None:
    with pytest.raises(ValueError, match="missing: \\['low'\\]"):
        charts.effects(effect_table().drop(columns="low"))
    many = pd.concat([effect_table().assign(group=str(i)) for i in range(6)])
    with pytest.raises(ValueError, match="at most 5 groups, got 6"):
        charts.effects(many)
