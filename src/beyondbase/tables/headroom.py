"""Tables of headroom: what RL adds to bases that differ in how many long problems their text held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..measure import Interval, paired_interval
from . import bins

Shares = Mapping[float, bins.Counts]  # counts by share of long problems, then by bin and condition as in `bins`

# 2512.07783, Figure 15: RL less base at pass@128, by the share of hard problems in pre-training. The words are bins.
REPORTED = {
    "inside": {0.001: -0.017, 0.05: -0.005, 0.20: -0.011, 0.333: -0.007, 0.50: -0.004},
    "edge": {0.001: 0.290, 0.05: 0.292, 0.20: 0.166, 0.333: 0.453, 0.50: 0.420},
    "hard": {0.001: 0.059, 0.05: 0.104, 0.20: 0.221, 0.333: 0.180, 0.50: 0.258},
}


def label(share: float) -> str:
    """A share of the text in words: "0.1 %"."""
    return f"{100 * share:g} %"


def levels(correct: Shares, n: int, k: int) -> pd.DataFrame:
    """pass@k by share: bin (the share in words), where (inside, edge, hard), condition, k, mean, low, high."""
    parts = []
    for share, counts in correct.items():
        table = bins.levels(counts, n, [k]).rename(columns={"bin": "where"})
        parts.append(table.drop(columns=["judged", "problems"]).assign(bin=label(share)))
    return pd.concat(parts, ignore_index=True)


def by_operations(correct: Shares, operations: Mapping[str, list[int]], n: int, k: int) -> pd.DataFrame:
    """The bases' pass@k by number of operations, a condition a share: bin, condition, mean, low, high."""
    parts = []
    for share, counts in correct.items():
        only = {where: {"base": arrays["base"]} for where, arrays in counts.items()}
        parts.append(bins.levels(bins.by_operations(only, operations), n, [k]).assign(condition=label(share)))
    return pd.concat(parts, ignore_index=True)


def gains(correct: Shares, n: int, k: int, condition: str) -> pd.DataFrame:
    """What a condition adds to its base, by share and bin: label, group (bin), share, effect, low, high, reported.

    `reported` is the source's value at that share and bin, nan where it has none.
    """
    rows = []
    for share, counts in correct.items():
        for where, arrays in counts.items():
            found = bins.change(arrays, condition, n, k)
            said = REPORTED.get(where, {}).get(share, np.nan)
            rows.append((f"{label(share)} long problems", where, share, found.effect, found.low, found.high, said))
    return pd.DataFrame(rows, columns=["label", "group", "share", "effect", "low", "high", "reported"])


def gain_difference(correct: Shares, where: str, condition: str, n: int, k: int) -> Interval:
    """Gain over the base at the largest share less that at the smallest, paired by seed and problem."""
    few, many = min(correct), max(correct)
    if few == many:
        raise ValueError(f"shares={list(correct)}: two different shares are needed to compare their gains")
    most, least = (bins.gaps(correct[share][where], condition, n, k) for share in (many, few))
    return paired_interval(most - least)


def rooms(correct: Shares, where: str, n: int, k: int, condition: str) -> pd.DataFrame:
    """How much room each base left at k, and how much of it RL took: share, base, room, gain, taken.

    `taken` is the mean gain divided by the mean room, nan where there was none.
    """
    rows = []
    for share, counts in correct.items():
        base = float(bins.levels({where: {"base": counts[where]["base"]}}, n, [k])["mean"].iloc[0])
        gain = float(bins.gaps(counts[where], condition, n, k).mean())
        rows.append((share, base, 1 - base, gain, gain / (1 - base) if base < 1 else np.nan))
    return pd.DataFrame(rows, columns=["share", "base", "room", "gain", "taken"])


def as_record(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """`gains` as a record keeps them: effect, low, high by "bin, share in percent", points in it as "_"."""
    return {
        f"{row['group']}, {100 * row['share']:g}".replace(".", "_"): {
            end: float(row[end]) for end in ("effect", "low", "high")
        }
        for row in table.to_dict("records")
    }


def chosen(parts: Sequence[pd.DataFrame], where: str, conditions: Sequence[str]) -> pd.DataFrame:
    """The rows of `levels` of one bin and some conditions, of several such tables one below the other."""
    table = pd.concat(list(parts), ignore_index=True)
    return table[(table["where"] == where) & table["condition"].isin(conditions)]


def compared(rl: Interval, control: Interval) -> pd.DataFrame:
    """The difference of gains of RL and of its control as `charts.effects` draws them."""
    rows = [(name, found.effect, found.low, found.high)
            for name, found in (("RL at the edge", rl), ("shuffled rewards", control))]  # fmt: skip
    return pd.DataFrame(rows, columns=["label", "effect", "low", "high"])


def plain(named: Mapping[str, Any]) -> dict[str, Any]:
    """The same by names that prose can quote: without points, which it writes between the steps of a path."""
    return {name.replace(".", "_"): value for name, value in named.items()}
