"""From rounds to numbers: medians, rates, ratios, straight lines. Pure functions on plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from .rounds import Outcome


def rate(measured: Sequence[Mapping[str, Any]]) -> float | None:
    """Median tokens a second over the rounds; None without any."""
    return median(one["tokens"] / one["seconds"] for one in measured) if measured else None


def seconds(measured: Sequence[Mapping[str, Any]], of: str = "seconds") -> float | None:
    """Median seconds of a round; None without any."""
    return median(one[of] for one in measured) if measured else None


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """How many times theirs is ours; None where either was not measured."""
    return None if not ours or not theirs else ours / theirs


def entry(outcome: Outcome, job: str) -> dict[str, Any]:
    """What is kept of one contestant's rounds of one job: settings, every round, medians, or why there is nothing."""
    rounds = outcome.measured.get(job, [])
    kept: dict[str, Any] = {"settings": {**outcome.info, **outcome.settings.get(job, {})}}
    kept["settings"].pop("peak_mib", None)
    if outcome.reason and not rounds:
        return {**kept, "not_measured": outcome.reason}
    kept["seconds"] = [round(one["seconds"], 5) for one in rounds]
    kept["peak_mib"] = max((one["peak_mib"] for one in rounds), default=None)
    if rounds and "tokens" in rounds[0]:
        kept["tokens"] = rounds[0]["tokens"]
        kept["tok_s"] = rate(rounds)
    for name in rounds[0] if rounds else ():
        if name not in ("seconds", "tokens", "peak_mib"):
            kept[name] = [one[name] for one in rounds]
    return kept


def line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float, float]:
    """Intercept and slope of the straight line with the least relative error, and the largest relative deviation.

    Relative, because the points span decades: an absolute fit would look at the largest alone.
    """
    weights = [1.0 / y**2 for y in ys]
    total = math.fsum(weights)
    mean_x = math.fsum(w * x for w, x in zip(weights, xs, strict=True)) / total
    mean_y = math.fsum(w * y for w, y in zip(weights, ys, strict=True)) / total
    spread = math.fsum(w * (x - mean_x) ** 2 for w, x in zip(weights, xs, strict=True))
    together = math.fsum(w * (x - mean_x) * (y - mean_y) for w, x, y in zip(weights, xs, ys, strict=True))
    slope = together / spread
    intercept = mean_y - slope * mean_x
    return intercept, slope, max(abs(intercept + slope * x - y) / y for x, y in zip(xs, ys, strict=True))
