"""What the engine promises on a CPU with two cores, and whether a run kept it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .sampling import MAIN


@dataclass(frozen=True)
class Goal:
    """A promise: its words, the number it is about, whether more is better, and the limit."""

    name: str
    words: str
    value: Callable[[Mapping[str, Any]], float | None]
    limit: float
    at_least: bool
    form: str

    def judge(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """The goal with its measured value; `met` is None where nothing was measured."""
        try:
            value = self.value(found)
        except (KeyError, StopIteration, ValueError):
            value = None
        met = None if value is None else (value >= self.limit if self.at_least else value <= self.limit)
        limit = f"{'at least' if self.at_least else 'at most'} {told(self.limit, self.form)}"
        return {"name": self.name, "words": self.words, "limit": limit, "value": value, "form": self.form, "met": met}


def told(value: float | None, form: str) -> str:
    """A value as a reader sees it: `times`, `share` or `bytes`."""
    if value is None:
        return "not measured"
    if form == "share":
        return f"{100 * value:.3g} %"
    return f"{value:.3g} {form}"


def at(found: Mapping[str, Any], n: int) -> Mapping[str, Any]:
    """The row of the sampling table for the main size and n."""
    return next(row for row in found["sampling"] if row["size"] == MAIN and row["n"] == n)


def smallest(*values: float | None) -> float | None:
    return None if None in values else min(values)


GOALS = (
    Goal("generate", "sampling, beside transformers' generate (1M, n = 64)",
         lambda f: at(f, 64)["ratios"]["generate"], 6, True, "times"),
    Goal("vllm", "sampling, beside vLLM (1M, n = 64)", lambda f: at(f, 64)["ratios"]["vllm"], 4, True, "times"),
    Goal("bound", "sampling, share of the bound (1M, the lower of n = 64 and 1,024)",
         lambda f: smallest(at(f, 64)["share_of_bound"], at(f, 1024)["share_of_bound"]), 0.7, True, "share"),
    Goal("trl", "a GRPO step of 256 rollouts, beside TRL", lambda f: f["grpo"]["ratios"]["trl"], 4, True, "times"),
    Goal("rollouts", "rollouts in our GRPO step", lambda f: f["grpo"]["contestants"]["ours"]["rollout_share"],
         0.25, False, "share"),
    Goal("trainer", "pre-training, beside transformers' Trainer", lambda f: f["pretrain"]["ratios"]["trainer"],
         2.5, True, "times"),
    Goal("linear", "time over n, largest distance from a straight line", lambda f: f["growth"]["time_off_line"],
         0.05, False, "share"),
    Goal("memory", "memory for one more token of 100,000 samples of a prompt",
         lambda f: f["growth"]["bytes_per_token"], 48, False, "bytes"),
)  # fmt: skip


def judge(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every goal with its value in these results."""
    return [goal.judge(found) for goal in GOALS]


def peers_ahead(found: Mapping[str, Any]) -> list[str]:
    """Every comparison that the peer won, as a sentence; the page must show them."""
    ahead = []
    for row in found.get("sampling", []):
        for peer, ratio in row["ratios"].items():
            if ratio is not None and ratio < 1:
                where = f"sampling with the {row['size']} model, n = {row['n']:,}"
                ahead.append(f"{NAMES[peer]} is {1 / ratio:.2f} times as fast as ours in {where}.")
    for part, words in (("grpo", "a GRPO step"), ("pretrain", "pre-training")):
        for peer, ratio in found.get(part, {}).get("ratios", {}).items():
            if ratio is not None and ratio < 1:
                ahead.append(f"{NAMES[peer]} is {1 / ratio:.2f} times as fast as ours in {words}.")
    return ahead


NAMES = {
    "ours": "this book",
    "generate": "transformers generate",
    "continuous": "transformers continuous batching",
    "vllm": "vLLM",
    "vllm, compiled": "vLLM, compiled",
    "bound": "the matrix products alone",
    "trl": "TRL GRPOTrainer",
    "trainer": "transformers Trainer",
}
