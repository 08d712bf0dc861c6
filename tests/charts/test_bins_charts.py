"""The charts of bins and of training signals: what each of them shows."""

from __future__ import annotations

import drawn
import pandas as pd
import pytest
from chart_cases import bin_table, signal_table

from beyondbase import charts


def test_bins_keep_their_order_and_zones_are_named() -> None:
    table = bin_table()
    chart = charts.by_bin(table, "pass@128", zones={"inside": [3, 4], "hard": [8, 9]})
    words = {text: x for text, x, _ in drawn.texts(drawn.svg(chart))}
    places = [words[str(number)] for number in range(3, 10)]
    assert places == sorted(places) and words["inside"] < words["5"] < words["hard"]
    assert {"verified", "answer only", "base", "RL"} <= set(words)
    named = charts.by_bin(table.assign(bin=table["bin"].map(lambda b: "edge" if b < 6 else "a hard one")), "pass@128")
    order = {text: x for text, x, _ in drawn.texts(drawn.svg(named))}
    assert order["edge"] < order["a hard one"]
    with pytest.raises(ValueError, match=r"zones name the bins \['12'\]"):
        charts.by_bin(table, "pass@128", zones={"hard": [9, 12]})


def test_lines_join_the_means_of_a_condition_and_series() -> None:
    table = bin_table()
    lines = drawn.lines(drawn.svg(charts.by_bin(table, "pass@128")))
    assert len(lines) == 4 and {len(line) for line in lines} == {7}
    heights = sorted([y for _, y in line] for line in lines)
    expected = sorted([330 * (1 - v) for v in rows["mean"]] for _, rows in table.groupby(["condition", "series"]))
    scale = (heights[0][0] - heights[0][1]) / (expected[0][0] - expected[0][1])
    for line, values in zip(heights, expected, strict=True):
        assert line == pytest.approx([scale * v for v in values], abs=0.6)


def test_one_series_needs_no_second_and_three_are_refused() -> None:
    table = bin_table()
    alone = charts.by_bin(table[table["series"] == "verified"].drop(columns="series"), "pass@1").to_dict()
    assert "verified" not in alone["description"] and "pass@1" in alone["description"]
    with pytest.raises(ValueError, match="at most 2 series, got 3"):
        charts.by_bin(table.assign(series=[str(i % 3) for i in range(len(table))]), "pass@1")


def test_many_names_stand_in_rows_of_the_legend_and_none_is_cut_off() -> None:
    names = ["base", "shuffled", "RL inside", "RL on the border", "RL at the edge", "RL too hard"]
    rows = [(where, name, 0.5, 0.4, 0.6) for where in ("inside", "edge") for name in names]
    table = pd.DataFrame(rows, columns=["bin", "condition", "mean", "low", "high"])
    places = {text: (x, y) for text, x, y in drawn.texts(drawn.svg(charts.by_bin(table, "pass@128")))}
    spots = [places[word] for word in ("base", "shuffled rewards", *names[2:])]
    assert len({y for _, y in spots[:3]}) == 1 and spots[3][1] > spots[0][1] and len({x for x, _ in spots}) == 3
    few = table[table["condition"].isin(names[:4])]
    places = {text: y for text, _, y in drawn.texts(drawn.svg(charts.by_bin(few, "pass@128")))}
    assert len({places[word] for word in ("base", "shuffled rewards", *names[2:4])}) == 1


def test_signals_say_where_every_run_begins_and_ends() -> None:
    table = signal_table()
    chart = charts.signals(table)
    assert len(drawn.lines(drawn.svg(chart))) == 4
    first = table[(table["condition"] == "rl") & (table["what"] == "right answer")].set_index("step")["mean"]
    said = f"RL, right answer: {100 * first[3]:.1f} % to {100 * first[13]:.1f} %"
    assert said in chart.to_dict()["description"]
    with pytest.raises(ValueError, match="at most 3 quantities"):
        charts.signals(table.assign(what=[str(i % 4) for i in range(len(table))]))
