"""Tables over bins of difficulty: pass@k from counts of graded samples, verified and answer-only, and its changes.

Counts are read as `counts[bin][condition]`, arrays (seeds, problems) of how many of `n` samples were right; a bin is a
name ("edge") or a number of operations. The same problems in every condition of a bin, so that changes are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..measure import Interval, paired_interval, pass_at_k

Arrays = Mapping[str, np.ndarray]
Counts = Mapping[Any, Arrays]
SHARES = (0.0, 1.0)

# Where a base stands on a kind of problem, by its pass@1 and its pass@k at a large k.
REACH, SURE, HOPE = 0.90, 0.25, 0.05
INSIDE, EDGE, BEYOND = "within reach", "at the edge", "out of reach"
WORDS = {"rl": "RL", "shuffled": "shuffled rewards"}  # as `charts` names them
INTENDED = {"inside": INSIDE, "edge": EDGE, "hard": BEYOND}


def counted(drawn: Mapping[Any, Mapping[str, Sequence]], read: Callable[[Sequence], np.ndarray]) -> dict:
    """Counts by bin and condition of measured samples; `read` is `experiments.correct_counts` or `answer_counts`."""
    return {where: {name: read(steps) for name, steps in each.items()} for where, each in drawn.items()}


def by_operations(counts: Counts, operations: Mapping[Any, Sequence[int]]) -> dict[int, dict[str, np.ndarray]]:
    """The same counts with a bin for every number of operations; `operations[bin]` names those of its problems."""
    found: dict[int, dict[str, list[np.ndarray]]] = {}
    for where, arrays in counts.items():
        labels = np.asarray(operations[where])
        for name, values in arrays.items():
            if values.shape[-1] != len(labels):
                raise ValueError(f"{where}: {values.shape[-1]} problems counted, {len(labels)} numbers of operations")
            for number in np.unique(labels).tolist():
                found.setdefault(number, {}).setdefault(name, []).append(values[:, labels == number])
    return {number: {name: np.concatenate(parts, -1) for name, parts in found[number].items()}
            for number in sorted(found)}  # fmt: skip


def levels(counts: Counts, n: int, ks: Sequence[int], judged: str = "verified") -> pd.DataFrame:
    """pass@k with its 95 % interval: bin, condition, judged, k, mean, low, high, problems."""
    rows = []
    for where, arrays in counts.items():
        for name, values in arrays.items():
            for k in ks:
                found = paired_interval(pass_at_k(n, values, k), bounds=SHARES)
                rows.append((str(where), name, judged, k, found.effect, found.low, found.high, values.shape[-1]))
    return pd.DataFrame(rows, columns=["bin", "condition", "judged", "k", "mean", "low", "high", "problems"])


def both_levels(correct: Counts, answer: Counts, n: int, ks: Sequence[int]) -> pd.DataFrame:
    """`levels` of verified-correct samples and of those whose answer alone is right, one below the other."""
    return pd.concat([levels(correct, n, ks), levels(answer, n, ks, "answer only")], ignore_index=True)


def gaps(arrays: Arrays, condition: str, n: int, k: int, against: str = "base") -> np.ndarray:
    """Change of pass@k from one condition to another, (seeds, problems)."""
    return pass_at_k(n, arrays[condition], k) - pass_at_k(n, arrays[against], k)


def change(arrays: Arrays, condition: str, n: int, k: int, against: str = "base", less: float = 0) -> Interval:
    """Paired interval of the change of pass@k in one bin, `less` a constant: a tolerance that a rule states."""
    return paired_interval(gaps(arrays, condition, n, k, against) - less)


def changes(counts: Counts, n: int, ks: Sequence[int], against: str = "base") -> pd.DataFrame:
    """Paired changes of pass@k: bin, condition, k, effect, low, high; label and group as `charts.effects` wants them.

    A condition that a bin lacks is left out there. `label` says the bin and the k, `group` the condition.
    """
    rows = []
    for where, arrays in counts.items():
        for k in ks:
            for name in [name for name in arrays if name != against]:
                found = change(arrays, name, n, k, against)
                label = f"{where}: pass@{k:,}"
                group = WORDS.get(name, name)
                rows.append((str(where), name, k, found.effect, found.low, found.high, label, group))
    return pd.DataFrame(rows, columns=["bin", "condition", "k", "effect", "low", "high", "label", "group"])


def as_record(table: pd.DataFrame, value: str = "effect") -> dict[str, dict[str, float]]:
    """`changes` (or `levels`, with "mean") as a record keeps them: value, low, high by "bin, condition, k".

    Prose names a value by its path with points between the steps, so a point in a name becomes "_".
    """
    return {
        f"{row['bin']}, {row['condition']}, {row['k']}".replace(".", "_"): {
            end: float(row[end]) for end in (value, "low", "high")
        }
        for row in table.to_dict("records")
    }


def standing(one: float, many: float) -> str:
    """Where a base stands: INSIDE, EDGE or BEYOND its competence, by its pass@1 and its pass@k at a large k.

    At the edge it seldom solves a problem in one attempt and often enough in many: RL there has rewards to find.
    """
    if many < HOPE:
        return BEYOND
    return INSIDE if many >= REACH or one >= SURE else EDGE


def competence(base: Mapping[Any, np.ndarray], n: int, k: int) -> pd.DataFrame:
    """What the base can do, bin by bin: bin, problems, one and many (pass@1, pass@k, with _low and _high), standing.

    `base`: counts (seeds, problems) by bin, or by number of operations.
    """
    rows = []
    for where, values in base.items():
        one, many = (paired_interval(pass_at_k(n, values, each), bounds=SHARES) for each in (1, k))
        numbers = [getattr(found, end) for found in (one, many) for end in ("effect", "low", "high")]
        rows.append((str(where), values.shape[-1], *numbers, standing(one.effect, many.effect)))
    ends = ["one", "one_low", "one_high", "many", "many_low", "many_high"]
    return pd.DataFrame(rows, columns=["bin", "problems", *ends, "standing"])


def by_base(counts: Counts, edges: Sequence[int], condition: str, n: int, k: int) -> pd.DataFrame:
    """pass@k of every base before and after: base (from 1), edge, then "bin, base" and "bin, condition" of each bin."""
    columns = {
        f"{where}, {name}": pass_at_k(n, arrays[name], k).mean(-1)
        for where, arrays in counts.items()
        for name in ("base", condition)
    }
    return pd.DataFrame({"base": range(1, len(edges) + 1), "edge": edges, **columns})


def told(table: pd.DataFrame, k: int, intended: Mapping[Any, str] = INTENDED) -> list[str]:
    """A line a bin: what the base can do there, and whether that is what the bin was chosen for."""
    lines = []
    for row in table.itertuples():
        said = f"{row.bin}: pass@1 {100 * row.one:.1f} %, pass@{k:,} {100 * row.many:.1f} %, {row.standing}"
        wanted = intended.get(row.bin, row.standing)
        lines.append(said + (", as chosen" if wanted == row.standing else f", though chosen to be {wanted}"))
    return lines


def in_points(table: pd.DataFrame) -> pd.DataFrame:
    """`changes` to be read: a row a bin and k, a column a condition, percentage points with their intervals."""
    words = [f"{100 * e:+.1f} [{100 * a:+.1f}, {100 * b:+.1f}]"
             for e, a, b in zip(table["effect"], table["low"], table["high"], strict=True)]  # fmt: skip
    wide = table.assign(words=words).pivot(index=["bin", "k"], columns="condition", values="words")
    kept = pd.MultiIndex.from_frame(table[["bin", "k"]].drop_duplicates())
    return wide.reindex(index=kept, columns=list(dict.fromkeys(table["condition"]))).fillna("").reset_index()


WHAT = {"answer": "right answer", "correct": "every step right too", "process": "share of required steps right"}


def signals(
    histories: Mapping[str, Sequence[pd.DataFrame]], points: int = 12, columns: Sequence[str] = ("answer", "correct")
) -> pd.DataFrame:
    """What rollouts earned through training: condition, step, what, mean, low, high (lowest and highest seed).

    `histories`: what RL runs noted (`experiments.histories`), by condition, a frame a seed; `columns` of them, averaged
    over about `points` stretches of equal length, each named by its last step. Where right answers rise and those with
    every step right do not, the reward is hacked.
    """
    rows = []
    for name, frames in histories.items():
        length = max(1, -(-len(frames[0]) // points))
        for column in columns:
            means = [frame.groupby((frame["step"] - 1) // length)[column].mean() for frame in frames]
            ends = frames[0].groupby((frames[0]["step"] - 1) // length)["step"].max()
            for step, values in zip(ends, np.array(means).T, strict=True):
                rows.append((name, int(step), WHAT[column], values.mean(), values.min(), values.max()))
    return pd.DataFrame(rows, columns=["condition", "step", "what", "mean", "low", "high"])


def hacked(histories: Mapping[str, Sequence[pd.DataFrame]], part: float = 0.1) -> pd.DataFrame:
    """At the end of training, over the last `part` of updates and all seeds: condition, answer, correct, hacked.

    `hacked`: the share of right answers that have a wrong step; nan where no answer was right.
    """
    rows = []
    for name, frames in histories.items():
        last = pd.concat([frame.tail(max(1, round(len(frame) * part))) for frame in frames])
        answer, correct = float(last["answer"].mean()), float(last["correct"].mean())
        rows.append((name, answer, correct, 1 - correct / answer if answer else float("nan")))
    return pd.DataFrame(rows, columns=["condition", "answer", "correct", "hacked"])


def places(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """`competence` as a record keeps it: one (pass@1), many (pass@k) and standing by bin."""
    return {row.bin: {"one": float(row.one), "many": float(row.many), "standing": row.standing}
            for row in table.itertuples()}  # fmt: skip


def shares(table: pd.DataFrame) -> dict[str, float | None]:
    """`hacked` as a record keeps it: the share by condition, None where no answer was right."""
    return {row.condition: float(row.hacked) if np.isfinite(row.hacked) else None for row in table.itertuples()}
