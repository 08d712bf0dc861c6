"""Tables over bins of difficulty."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from beyondbase.measure import paired_interval
from beyondbase.tables import bins

N = 6


@pytest.fixture
def counts() -> dict[str, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return {
        where: {name: rng.integers(0, N + 1, (3, size)) for name in ("base", "rl", "shuffled")}
        for where, size in (("inside", 5), ("edge", 8))
    }


def solved(count: int, k: int) -> float:
    """pass@k of one problem by going through every choice of k of its samples."""
    draws = list(combinations([True] * int(count) + [False] * int(N - count), k))
    return sum(any(draw) for draw in draws) / len(draws)


def test_levels_are_means_of_pass_at_k_by_bin_and_condition(counts: dict) -> None:
    table = bins.levels(counts, N, [1, 4]).set_index(["bin", "condition", "k"])
    assert len(table) == 2 * 3 * 2 and set(table["judged"]) == {"verified"}
    for where, size in (("inside", 5), ("edge", 8)):
        for k in (1, 4):
            row = table.loc[(where, "rl", k)]
            expected = np.mean([solved(c, k) for c in counts[where]["rl"].ravel()])
            assert row["mean"] == pytest.approx(expected) and row["problems"] == size
            assert 0 <= row["low"] <= row["mean"] <= row["high"] <= 1


def test_answers_stand_below_verified_ones(counts: dict) -> None:
    every = {where: {name: np.full_like(c, N) for name, c in arrays.items()} for where, arrays in counts.items()}
    table = bins.both_levels(counts, every, N, [4])
    assert table[table["judged"] == "answer only"]["mean"].tolist() == [1.0] * 6
    assert table[table["judged"] == "verified"]["mean"].tolist() == bins.levels(counts, N, [4])["mean"].tolist()


def test_changes_are_paired_and_kept_by_bin_condition_and_k(counts: dict) -> None:
    table = bins.changes(counts, N, [1, 4])
    each = np.array([[solved(a, 4) - solved(b, 4) for a, b in zip(*rows, strict=True)]
                     for rows in zip(counts["edge"]["rl"], counts["edge"]["base"], strict=True)])  # fmt: skip
    expected = paired_interval(each)
    row = table[(table["bin"] == "edge") & (table["condition"] == "rl") & (table["k"] == 4)].iloc[0]
    assert [row["effect"], row["low"], row["high"]] == pytest.approx([expected.effect, expected.low, expected.high])
    assert set(table["condition"]) == {"rl", "shuffled"} and row["group"] == "RL"
    assert bins.as_record(table)["edge, rl, 4"]["low"] == row["low"]
    stricter = bins.change(counts["edge"], "rl", N, 4, less=0.02)
    assert stricter.high == pytest.approx(expected.high - 0.02)
    wide = bins.in_points(table)
    assert wide[["bin", "k"]].to_numpy().tolist() == [["inside", 1], ["inside", 4], ["edge", 1], ["edge", 4]]
    assert wide.iloc[3]["rl"].startswith(f"{100 * expected.effect:+.1f} [")


def test_numbers_of_operations_gather_the_problems_of_all_bins(counts: dict) -> None:
    operations = {"inside": [2, 2, 3, 3, 2], "edge": [3, 5, 5, 6, 6, 6, 5, 3]}
    split = bins.by_operations(counts, operations)
    assert list(split) == [2, 3, 5, 6] and [split[op]["base"].shape for op in split] == [(3, 3), (3, 4), (3, 3), (3, 3)]
    joined = np.concatenate([counts["inside"]["rl"][:, [2, 3]], counts["edge"]["rl"][:, [0, 7]]], axis=1)
    assert (split[3]["rl"] == joined).all()
    total = {name: sum(split[op][name].sum() for op in split) for name in ("base", "rl")}
    assert total == {name: sum(counts[where][name].sum() for where in counts) for name in ("base", "rl")}
    with pytest.raises(ValueError, match="inside: 5 problems counted, 1 numbers"):
        bins.by_operations(counts, {**operations, "inside": [2]})


def test_counted_reads_every_list_of_steps() -> None:
    drawn = {"edge": {"base": [1, 2], "rl": [3]}}
    assert bins.counted(drawn, lambda steps: np.array(steps)[:, None])["edge"]["base"].tolist() == [[1], [2]]


def test_a_base_stands_inside_at_or_beyond_its_edge() -> None:
    assert bins.standing(0.01, 0.95) == bins.standing(0.3, 0.8) == bins.INSIDE
    assert bins.standing(0.01, 0.3) == bins.EDGE and bins.standing(0, 0.04) == bins.BEYOND
    sure, never = np.full((2, 4), N), np.zeros((2, 4), int)
    some = np.array([[1, 0, 0, 2], [0, 0, 1, 0]])
    table = bins.competence({"inside": sure, "edge": some, "hard": never}, N, 4)
    assert table["standing"].tolist() == [bins.INSIDE, bins.EDGE, bins.BEYOND]
    assert table.loc[1, "one"] == pytest.approx(some.mean() / N) and table.loc[0, "many_low"] == 1
    assert all(line.endswith("as chosen") for line in bins.told(table, 4))
    wrong = bins.competence({"edge": never}, N, 4)
    assert bins.told(wrong, 4) == ["edge: pass@1 0.0 %, pass@4 0.0 %, out of reach, though chosen to be at the edge"]


def test_every_base_is_told_by_itself() -> None:
    before = np.array([[N] * 9 + [0], [N] * 8 + [0, 0], [N] * 10])
    table = bins.by_base({"edge": {"base": before, "rl": np.full_like(before, N)}}, [7, 5, 6], "rl", N, 4)
    assert table["edge, base"].tolist() == [0.9, 0.8, 1.0] and table["edge, rl"].tolist() == [1, 1, 1]
    assert table["base"].tolist() == [1, 2, 3] and table["edge"].tolist() == [7, 5, 6]


def history(answer: list[float], correct: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"step": np.arange(1, len(answer) + 1), "answer": answer, "correct": correct})


def test_signals_are_means_of_stretches_with_the_range_of_seeds() -> None:
    frames = [history([0.1, 0.3, 0.5, 0.7, 0.9], [0.0] * 5), history([0.2] * 5, [0.1] * 5)]
    table = bins.signals({"rl": frames}, points=3)
    answers = table[table["what"] == bins.WHAT["answer"]]
    assert answers["step"].tolist() == [2, 4, 5]
    assert answers["mean"].tolist() == pytest.approx([0.2, 0.4, 0.55])
    assert answers["low"].tolist() == pytest.approx([0.2, 0.2, 0.2])
    assert answers["high"].tolist() == pytest.approx([0.2, 0.6, 0.9])
    row = bins.hacked({"rl": frames}, part=0.4).iloc[0]
    assert row["hacked"] == pytest.approx(1 - 0.05 / 0.5)
    assert np.isnan(bins.hacked({"rl": [history([0.0], [0.0])]}).iloc[0]["hacked"])
