"""Budgets split between mid-training and RL."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from beyondbase.measure import paired_interval, pass_at_k
from beyondbase.tables import midtraining as mid

DIALS = {"text": 80.0, "batch": 32, "problems": 4, "rollouts": 8, "longest": 110}


def test_every_split_of_a_budget_costs_the_same_but_for_rounding() -> None:
    table = mid.plan([1e6, 3e6], [0, 0.2, 0.5, 0.8, 1], **DIALS)
    update = max(32 * 80, 5 / 3 * 4 * 8 * 110)
    assert (abs(table["counted"] - table["budget"]) <= update).all() and len(table) == 10
    alone = table.set_index("share")
    assert (alone.loc[0, "rl_steps"] == 0).all() and (alone.loc[1, "mid_steps"] == 0).all()
    assert (table.query("0 < share < 1")[["mid_steps", "rl_steps"]] >= 1).all(axis=None)
    small = mid.plan([10], [0.5], **DIALS).iloc[0]
    assert small["mid_steps"] == small["rl_steps"] == 1  # never a part without an update
    assert mid.plan([1e6], [0.3], **DIALS)["split"].tolist() == ["30 % for RL"]


def test_what_was_spent_counts_every_token_once_for_each_pass() -> None:
    rl = pd.DataFrame({"step": [1, 2, 3], "rollouts": 32, "length": [10.0, 20.0, 30.0], "mixed": [0.0, 0.5, 1.0]})
    spent = mid.spent_reinforcing(rl, 2, problems=4, prompt=25.0, epochs=2)
    assert spent == (32 * 10 + 32 * 20 + 2 * 4 * 25, 2 * 0.5 * (32 * 20 + 4 * 25))
    assert spent.tokens == pytest.approx(spent.trained + spent.forward / 3)
    texts = pd.DataFrame({"step": [1, 2, 3], "tokens": [100, 210, 330]})
    assert mid.spent_imitating(texts, 2) == (0, 210) and mid.spent_imitating(texts, 0).tokens == 0
    both = spent + mid.spent_imitating(texts, 3)
    assert both == (spent.forward, spent.trained + 330)


def test_a_comparison_at_equal_spending_finds_the_difference_of_two_straight_lines() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (3, 20))

    def line(spent: list[float], slope: float, start: float) -> np.ndarray:
        return np.stack([start + slope * np.log(tokens) + noise for tokens in spent])

    dear, cheap = [2e5, 4e5, 8e5], [5e4, 1e5, 3e5]
    tokens, found = mid.at_equal_spending((dear, line(dear, 0.1, 0.2)), (cheap, line(cheap, 0.1, 0.05)))
    assert tokens == pytest.approx(np.sqrt(2e5 * 3e5)) and found.effect == pytest.approx(0.15)
    record = mid.equal_record((tokens, found))
    assert record["low"] <= record["effect"] <= record["high"] and record["tokens"] == tokens
    apart = mid.at_equal_spending((dear, line(dear, 0, 0)), ([1e3, 2e3, 3e3], line(cheap, 0, 0)))
    assert apart is None and mid.equal_record(apart) is None
    np.testing.assert_allclose(mid.at_spending(cheap, line(cheap, 0.1, 0), 1e9), line([3e5], 0.1, 0)[0])
    with pytest.raises(ValueError, match="must increase"):
        mid.at_spending([2, 1], np.zeros((2, 1, 1)), 1.5)


@pytest.fixture
def counts() -> dict[tuple[float, str], np.ndarray]:
    rng = np.random.default_rng(1)
    return {(budget, split): rng.integers(0, 9, (3, 20)) for budget in (1e6, 2e6) for split in ("RL alone", "light RL")}


def test_levels_by_split_and_along_spending_are_the_same_numbers(counts: dict) -> None:
    spent = {key: 1e5 * (place + 1) for place, key in enumerate(counts)}
    table, lines = mid.by_split(counts, 8, 2), mid.along_spending(counts, spent, 8, 2)
    expected = [pass_at_k(8, values, 2).mean() for values in counts.values()]
    assert table["mean"].tolist() == pytest.approx(expected) == lines["mean"].tolist()
    assert table["condition"].tolist() == ["1 million tokens"] * 2 + ["2 million tokens"] * 2
    assert lines["condition"].tolist() == ["rl", "light RL"] * 2 and lines["tokens"].tolist() == [1e5, 2e5, 3e5, 4e5]


def test_pairs_are_compared_problem_by_problem(counts: dict) -> None:
    table = mid.against({"edge": counts}, {"edge": ("light RL", "RL alone")}, {"edge": 8}, {"edge": 1})
    assert set(table["group"]) == {"edge: pass@1, light RL less RL alone"}
    gap = (counts[2e6, "light RL"] - counts[2e6, "RL alone"]) / 8
    found = paired_interval(gap)
    assert table.iloc[1][["effect", "low", "high"]].tolist() == pytest.approx([found.effect, found.low, found.high])
    spent = {(budget, split): budget for budget, split in counts}
    _, same = mid.pair_at_equal_spending(counts, spent, ("light RL", "RL alone"), 8, 1)
    longer = {**counts, (9e6, "RL alone"): counts[1e6, "RL alone"]}  # measured in one way only: not compared
    assert len(mid.against({"edge": longer}, {"edge": ("light RL", "RL alone")}, {"edge": 8}, {"edge": 1})) == 2
    middle = (counts[1e6, "light RL"] - counts[1e6, "RL alone"]) / 8
    assert same.effect == pytest.approx((gap + middle).mean() / 2)


def test_records_and_tables_name_what_was_compared(counts: dict) -> None:
    pairs = {"edge": ("light RL", "RL alone"), "hard": ("light RL", "RL alone")}
    table = mid.against({"edge": counts}, {"edge": pairs["edge"]}, {"edge": 8}, {"edge": 1})
    record = mid.as_record(table)
    name = "1 million tokens, edge: pass@1, light RL less RL alone"
    assert record[name]["effect"] == table["effect"].iloc[0] and not any("." in key for key in record)
    assert mid.spent_record({(1.5e6, "heavy RL"): 7}) == {"1_5 million tokens, heavy RL": 7.0}
    found = {"edge": {"tokens": 1234.5, "effect": 0.1, "low": 0.05, "high": 0.2}, "hard": None}
    told = mid.equal_table(found, pairs)
    assert told["points [95 % interval]"].tolist() == ["+10.0 [+5.0, +20.0]", "ranges do not meet"]


def test_a_mean_length_counts_tokens() -> None:
    assert mid.mean_length([[1, 2], [3, 4, 5, 6]]) == 3
