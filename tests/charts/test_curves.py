"""Charts over k and over training steps: what their alt text, their crossing and their hover rule say."""

from __future__ import annotations

from types import SimpleNamespace

import altair as alt
import drawn
import numpy as np
import pandas as pd
import pytest
from chart_cases import CROSSING, KS, curve_table, gap_table, training_table

from beyondbase import charts
from beyondbase.charts.curves import hover_table, read_crossing, strips
from beyondbase.charts.training_curves import LABEL_GAP, line_labels


def description(chart: alt.TopLevelMixin) -> str:
    return chart.to_dict()["description"]


def words(chart: alt.TopLevelMixin) -> str:
    return " | ".join(text for text, _, _ in drawn.texts(drawn.svg(chart)))


@pytest.mark.parametrize("condition", ["base", "rl"])
@pytest.mark.parametrize("k", [1, 1024, 2**20])
def test_pass_at_k_says_each_value(condition: str, k: int) -> None:
    curve = curve_table()
    curve.loc[(curve["condition"] == condition) & (curve["k"] == k), "mean"] = 0.4321
    text = description(charts.pass_at_k(curve))
    sentence = next(part for part in text.split(". ") if part.startswith(f"At k = {k:,}:"))
    assert f"{'RL' if condition == 'rl' else 'base'} 43.2 %" in sentence


@pytest.mark.parametrize("given", [CROSSING, SimpleNamespace(**CROSSING)])
def test_a_crossing_is_drawn_and_said(given: object) -> None:
    chart = charts.pass_at_k(curve_table(), given)
    assert "k ≈ 23 (95 % interval 17 to 31)" in description(chart)
    assert "crossing at k ≈ 23 [17, 31]" in words(chart).replace("  ", " ")


@pytest.mark.parametrize("given", [None, SimpleNamespace(k=None, low=None, high=40.0), {"k": float("nan")}])
def test_no_crossing_draws_none(given: object) -> None:
    chart = charts.pass_at_k(curve_table(), given)
    assert "crossing" not in words(chart) and "overtakes" not in description(chart)


def test_an_open_crossing_has_a_line_but_no_band() -> None:
    closed, half = (charts.pass_at_k(curve_table(), {**CROSSING, "high": high}) for high in (31.2, None))
    rectangles = [sum(layer["mark"]["type"] == "rect" for layer in c.to_dict()["layer"]) for c in (closed, half)]
    assert rectangles[0] == rectangles[1] + 1
    assert "interval open, at least 17" in description(half)
    assert read_crossing({"k": 3, "low": None, "high": 5})[1] != read_crossing({"k": 3, "low": 2, "high": 5})[1]


def test_the_rule_reads_every_curve_at_one_k() -> None:
    curve = curve_table()
    table = hover_table(curve, {"base": "base", "rl": "RL", "shuffled": "shuffled rewards"})
    assert list(table["k"]) == list(KS) and table.notna().all(axis=None)
    row = curve[(curve["condition"] == "rl") & (curve["k"] == 64)].iloc[0]
    said = table.set_index("k")["RL"][64]
    assert said.startswith(f"{100 * row['mean']:.1f} %") and f"{100 * row['low']:.1f} %" in said


def test_strips_cover_the_axis_and_hold_their_own_k() -> None:
    table = strips(pd.DataFrame({"k": KS}), KS[-1])
    assert table["strip_from"].iloc[0] == 1 and table["strip_to"].iloc[-1] == KS[-1]
    assert np.array_equal(table["strip_to"][:-1], table["strip_from"][1:])
    assert ((table["strip_from"] <= table["k"]) & (table["k"] <= table["strip_to"])).all()


def test_a_condition_that_is_missing_at_some_k_is_said_to_be() -> None:
    curve = curve_table()
    curve = curve[(curve["condition"] != "shuffled") | (curve["k"] <= 1024)]
    table = hover_table(curve, {"base": "base", "shuffled": "shuffled rewards"})
    assert (table["shuffled rewards"] == "not measured").sum() == (KS > 1024).sum()
    charts.pass_at_k(curve).to_dict()


def test_the_difference_says_its_extremes_in_points() -> None:
    gap = gap_table()
    gap.loc[gap["k"] == 4, "effect"], gap.loc[gap["k"] == 4096, "effect"] = 0.962, -0.984
    text = description(charts.difference(gap, margin=0.02))
    assert "Highest +96.2 points at k = 4, lowest −98.4 points at k = 4,096" in text
    assert "Differences within 2.0 points of zero are shaded" in text


def test_the_difference_takes_mean_for_effect_and_one_comparison_only() -> None:
    gap = gap_table()
    renamed = charts.difference(gap.rename(columns={"effect": "mean"}), margin=0.02)
    assert renamed.to_dict() == charts.difference(gap, margin=0.02).to_dict()
    with pytest.raises(ValueError, match="one comparison"):
        charts.difference(pd.concat([gap, gap]))


def test_training_says_where_each_line_begins_and_ends() -> None:
    table = training_table()
    text = description(charts.training(table))
    for (condition, k), rows in table.groupby(["condition", "k"]):
        first, last = rows.sort_values("step").iloc[[0, -1]]["mean"]
        name = "RL" if condition == "rl" else "shuffled rewards"
        assert f"{name}, k = {k:,}: {100 * first:.1f} % at step 0, {100 * last:.1f} % at step 80" in text


def test_labels_of_lines_that_end_together_are_pulled_apart_and_stay_inside() -> None:
    rows = [{"model": "RL", "step": 80, "k": 4**i, "mean": mean} for i, mean in enumerate([0.99, 0.985, 0.98, 0.2])]
    labels = line_labels(pd.DataFrame(rows)).sort_values("y")
    assert (np.diff(labels["y"]) >= LABEL_GAP - 1e-9).all() and labels["y"].between(0, 1).all()
    assert labels["text"].iloc[0] == "k = 64"


def test_bad_tables_are_named() -> None:
    with pytest.raises(ValueError, match=r"missing: \['low', 'high'\]"):
        charts.pass_at_k(curve_table().drop(columns=["low", "high"]))
    with pytest.raises(ValueError, match="empty"):
        charts.pass_at_k(curve_table().iloc[:0])
    many = pd.concat([curve_table().assign(condition=f"model {i}") for i in range(6)])
    with pytest.raises(ValueError, match="6 unlisted conditions"):
        charts.pass_at_k(many)
    six = pd.concat([training_table().assign(k=lambda t, i=i: t["k"] + i) for i in (0, 1)])
    with pytest.raises(ValueError, match="at most 5 values of k, got 6"):
        charts.training(six)
