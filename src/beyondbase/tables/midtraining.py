"""Tables of budgets split between mid-training and RL: what they buy, what was spent, comparisons at equal spending.

A split is the share of the budget that goes to RL. The plan counts as 2512.07783 does, T_RL = (5/3) N r L; spending is
measured afterwards from what the runs noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..measure import Interval, paired_interval, pass_at_k
from ..measure.compute import FORWARD, TRAINED, rl_problems, rl_tokens
from .passk import in_points

SHARES = (0.0, 1.0)

WORDS = {0.0: "mid-training only", 0.2: "light RL", 0.5: "half and half", 0.8: "heavy RL", 1.0: "RL alone"}
CONDITIONS = {"RL alone": "rl"}  # by which name charts draw it in the colour that RL has on every page


class Spent(NamedTuple):
    """Tokens that only passed forward, and tokens learnt from (each pass counts)."""

    forward: float
    trained: float

    @property
    def tokens(self) -> float:
        """As tokens of next-token training: a token learnt from is one, a token read or written a third."""
        return self.trained + self.forward * FORWARD / TRAINED

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.forward + other.forward, self.trained + other.trained)


NOTHING = Spent(0.0, 0.0)


def split_words(share: float) -> str:
    """The reader's words for a split: "light RL" for a fifth of the budget."""
    return WORDS.get(share, f"{100 * share:g} % for RL")


def budget_words(budget: float) -> str:
    """The reader's words for a budget: "0.6 million tokens"."""
    return f"{budget / 1e6:g} million tokens"


def plan(
    budgets: Sequence[float],
    shares: Sequence[float],
    *,
    text: float,
    batch: int,
    problems: int,
    rollouts: int,
    longest: int,
) -> pd.DataFrame:
    """Updates that every budget (in tokens) buys at every split, by the paper's accounting.

    `text` is the mean length of a text of mid-training, `batch` how many an update takes; an update of RL takes
    `rollouts` of at most `longest` tokens of each of `problems`. Columns: budget, share, split, mid_steps, rl_steps,
    counted (tokens after rounding to whole updates). A part of a budget that is not zero buys at least one update.
    """
    rows = []
    for budget in budgets:
        for share in shares:
            mid = _whole((1 - share) * budget / (batch * text))
            rl = _whole(rl_problems(share * budget, rollouts, longest) / problems)
            counted = mid * batch * text + rl_tokens(rl * problems, rollouts, longest)
            rows.append((budget, share, split_words(share), mid, rl, counted))
    return pd.DataFrame(rows, columns=["budget", "share", "split", "mid_steps", "rl_steps", "counted"])


def _whole(updates: float) -> int:
    return max(1, round(updates)) if updates > 0 else 0


def spent_imitating(history: pd.DataFrame, steps: int) -> Spent:
    """What the first `steps` updates of next-token training took."""
    return Spent(0.0, float(history.loc[history["step"] <= steps, "tokens"].max())) if steps else NOTHING


def spent_reinforcing(history: pd.DataFrame, steps: int, *, problems: int, prompt: float, epochs: int) -> Spent:
    """What the first `steps` updates of RL took: all is read and written once, and what teaches is learnt from.

    `prompt` is the mean length of a prompt, read once for all its rollouts. Groups with equal rewards carry no gradient
    and are not learnt from; those that do are taken to be as long as the others.
    """
    noted = history[history["step"] <= steps]
    all_of_it = noted["rollouts"] * noted["length"] + problems * prompt
    return Spent(float(all_of_it.sum()), float(epochs * (noted["mixed"] * all_of_it).sum()))


def at_spending(spent: Sequence[float], values: np.ndarray, target: float) -> np.ndarray:
    """Values (seeds, problems) at a spending between those measured, linear in its logarithm; no further than the ends.

    `spent` (B,) increases, `values` (B, seeds, problems).
    """
    marks = np.log(np.asarray(spent, dtype=float))
    if (np.diff(marks) <= 0).any():
        raise ValueError(f"spent {list(spent)}: must increase with the budget")
    place = np.interp(np.log(target), marks, np.arange(len(marks)))
    before = min(int(place), len(marks) - 2) if len(marks) > 1 else 0
    after = min(before + 1, len(marks) - 1)
    return values[before] + (place - before) * (values[after] - values[before])


def at_equal_spending(
    one: tuple[Sequence[float], np.ndarray], other: tuple[Sequence[float], np.ndarray]
) -> tuple[float, Interval] | None:
    """The middle of the spendings that both splits were measured at, and the paired difference there, one less other.

    A split is its spending (B,) and its values (B, seeds, problems). None where no spending lies within both ranges.
    """
    low, high = (pick(spent) for pick, spent in ((max, [one[0][0], other[0][0]]), (min, [one[0][-1], other[0][-1]])))
    if low > high:
        return None
    target = float(np.sqrt(low * high))
    return target, paired_interval(at_spending(*one, target) - at_spending(*other, target))


def equal_record(found: tuple[float, Interval] | None) -> dict[str, float] | None:
    """`at_equal_spending` as a record keeps it: tokens, effect, low, high."""
    if found is None:
        return None
    tokens, interval = found
    return {"tokens": tokens, **{name: float(getattr(interval, name)) for name in ("effect", "low", "high")}}


def by_split(counts: Mapping[tuple[float, str], np.ndarray], n: int, k: int) -> pd.DataFrame:
    """pass@k of every split of every budget, for `charts.by_bin`: bin (the split), condition (the budget), mean, low,
    high; `counts[budget, split]` are correct ones of `n` samples (seeds, problems).
    """
    rows = [
        (split, budget_words(budget), found.effect, found.low, found.high)
        for (budget, split), values in counts.items()
        for found in [paired_interval(pass_at_k(n, values, k), bounds=SHARES)]
    ]
    return pd.DataFrame(rows, columns=["bin", "condition", "mean", "low", "high"])


def along_spending(
    counts: Mapping[tuple[float, str], np.ndarray], spent: Mapping[tuple[float, str], float], n: int, k: int
) -> pd.DataFrame:
    """The same along what every split spent, for `charts.spending`: condition (the split), tokens, mean, low, high."""
    table = by_split(counts, n, k)
    splits = [CONDITIONS.get(split, split) for _, split in counts]
    return table.assign(condition=splits, tokens=[float(spent[key]) for key in counts]).drop(columns="bin")


def against(
    counts: Mapping[str, Mapping[tuple[float, str], np.ndarray]],
    pairs: Mapping[str, tuple[str, str]],
    n: Mapping[str, int],
    ks: Mapping[str, int],
) -> pd.DataFrame:
    """Paired differences of pass@k of two splits at every budget, for `charts.effects`: label (budget), group (where
    and which), effect, low, high. `pairs`, `n` and `ks` say for each kind of problems which two, of how many samples,
    and at which k.
    """
    rows = []
    for where, (one, other) in pairs.items():
        words = f"{where}: pass@{ks[where]}, {one} less {other}"
        for budget in _measured(counts[where], one, other):
            now, before = (pass_at_k(n[where], counts[where][budget, name], ks[where]) for name in (one, other))
            found = paired_interval(now - before)
            rows.append((budget_words(budget), words, found.effect, found.low, found.high))
    return pd.DataFrame(rows, columns=["label", "group", "effect", "low", "high"])


def pair_at_equal_spending(
    counts: Mapping[tuple[float, str], np.ndarray],
    spent: Mapping[tuple[float, str], float],
    pair: tuple[str, str],
    n: int,
    k: int,
) -> tuple[float, Interval] | None:
    """`at_equal_spending` of two splits, from their counts at all budgets."""
    lines = []
    for split in pair:
        budgets = _measured(counts, split)
        values = np.stack([pass_at_k(n, counts[budget, split], k) for budget in budgets])
        lines.append(([spent[budget, split] for budget in budgets], values))
    return at_equal_spending(*lines)


def _measured(counts: Mapping[tuple[float, str], np.ndarray], *splits: str) -> list[float]:
    """Budgets, from the smallest, that were spent in all of these ways."""
    return sorted(set.intersection(*({budget for budget, name in counts if name == split} for split in splits)))


def equal_table(found: Mapping[str, dict[str, float] | None], pairs: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """`equal_record` of several pairs to be read: problems, comparison, tokens spent, points with interval."""
    rows = []
    for where, record in found.items():
        effect = in_points(*(record[end] for end in ("effect", "low", "high"))) if record else "ranges do not meet"
        tokens = f"{record['tokens']:,.0f}" if record else ""
        rows.append((where, " less ".join(pairs[where]), tokens, effect))
    return pd.DataFrame(rows, columns=["problems", "comparison", "tokens spent by each", "points [95 % interval]"])


def as_record(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """`against` as a record keeps it: effect, low, high by "budget, which"; a point in a name becomes "_"."""
    return {
        f"{row.label}, {row.group}".replace(".", "_"): {
            end: float(getattr(row, end)) for end in ("effect", "low", "high")
        }
        for row in table.itertuples()
    }


def spent_record(spent: Mapping[tuple[float, str], float]) -> dict[str, float]:
    """What was spent as a record keeps it: tokens by "budget, split"."""
    return {f"{budget_words(b)}, {split}".replace(".", "_"): float(tokens) for (b, split), tokens in spent.items()}


def mean_length(texts: Sequence[Sequence[int]]) -> float:
    """Mean number of tokens of texts given as ids."""
    return float(np.mean([len(ids) for ids in texts]))
