"""Where the base model overtakes: the first k at which the mean of RL - base turns from above zero to below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from beyondbase.measure.intervals import paired_intervals

# Differences of two pass@k that both round to 1 are a few units in the last place, of either sign; they are ties.
TIE = 1e-12


@dataclass(frozen=True)
class Crossing:
    """The crossing k with its confidence set [low, high], all as real numbers on the k axis.

    `state` is "crossing", or why there is none: "above" (RL ahead at every measured k), "below" (RL ahead at none),
    "meet" (RL's lead shrinks to nothing at large k, but the base never leads). `k` is None unless the state is
    "crossing". An end that the measured range does not close is None: the set then reaches below the first k or
    beyond the last one. Without a crossing the set holds the k at which one is still compatible with the data; with
    both ends None and `possible` false no measured k is.
    """

    k: float | None
    low: float | None
    high: float | None
    state: str
    possible: bool
    level: float

    def __str__(self) -> str:
        low, high = ("..." if end is None else f"{end:.3g}" for end in (self.low, self.high))
        if self.k is not None:
            return f"k = {self.k:.3g} [{low}, {high}]"
        return f"no crossing ({self.state})" + (f"; compatible with one in [{low}, {high}]" if self.possible else "")


def crossing(ks, differences, level: float = 0.95) -> Crossing:
    """First k where the mean difference turns <= 0 after having been > 0, with its confidence set.

    `differences` (K, seeds, problems) are RL - base at `ks` (K,); between two ks the line on log k is taken. The set is
    the test turned round: every k whose paired interval holds 0, of which the run of neighbours around the crossing is
    kept. Raises ValueError for ks that do not rise or do not fit.
    """
    ks, differences = np.asarray(ks, dtype=np.float64), np.asarray(differences, dtype=np.float64)
    if ks.ndim != 1 or len(ks) < 2 or ks[0] <= 0 or (np.diff(ks) <= 0).any():
        raise ValueError("ks must be at least two positive numbers in rising order")
    if differences.ndim != 3 or len(differences) != len(ks):
        raise ValueError(
            f"differences of shape {differences.shape} for {len(ks)} ks: expected ({len(ks)}, seeds, problems)"
        )
    effect, low, high = paired_intervals(differences, level)
    effect = np.where(np.abs(effect) < TIE, 0, effect)
    holds_zero = (low <= TIE) & (high >= -TIE)
    last, state = _last_before_crossing(effect)
    if state == "crossing":
        first_held = _run_end(holds_zero, last, -1) + 1
        after_held = _run_end(holds_zero, last + 1, 1)
        return Crossing(
            k=_zero(ks, effect, last),
            low=None if first_held == 0 else _zero(ks, low, first_held - 1),
            high=None if after_held == len(ks) else _zero(ks, high, after_held - 1),
            state=state,
            possible=True,
            level=level,
        )
    low_end = high_end = None
    possible = bool(holds_zero[0] if state == "below" else holds_zero[-1])
    if possible and state == "below" and not holds_zero.all():
        high_end = _zero(ks, high, _run_end(holds_zero, 0, 1) - 1)
    if possible and state != "below" and not holds_zero.all():
        low_end = _zero(ks, low, _run_end(holds_zero, len(ks) - 1, -1))
    return Crossing(None, low_end, high_end, state, possible, level)


def _last_before_crossing(effect: np.ndarray) -> tuple[int, str]:
    """Index of the last k with a positive difference before the first crossing, and the state."""
    positive = np.flatnonzero(effect > 0)
    if len(positive) == 0:
        return -1, "below"
    falls = positive[positive < len(effect) - 1]
    falls = falls[effect[falls + 1] <= 0]
    for index in falls:
        following = effect[index + 1 :][effect[index + 1 :] != 0]
        if len(following) and following[0] < 0:  # a lead that shrinks to a tie and no further is no crossing
            return int(index), "crossing"
    return -1, "meet" if effect[-1] == 0 else "above"


def _run_end(flags: np.ndarray, start: int, step: int) -> int:
    """First index from `start` in direction `step` where the flag is down; one beyond the array if it never is."""
    index = start
    while 0 <= index < len(flags) and flags[index]:
        index += step
    return index


def _zero(ks: np.ndarray, curve: np.ndarray, index: int) -> float:
    """k where the line between points `index` and `index + 1` of the curve is 0 (the nearer end if it never is)."""
    first, second = curve[index], curve[index + 1]
    share = 0.5 if first == second else np.clip(first / (first - second), 0, 1)
    return float(ks[index] * (ks[index + 1] / ks[index]) ** share)
