"""Sampling: ours, transformers' `generate` and continuous batching, vLLM, and the bound, on the same prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import results, workloads
from .rounds import Contestant, Outcome, compete

OURS, GENERATE, BOUND = "ours", "generate", "bound"
PLACES = {
    OURS: "beyondbase.bench.ours:Sampling",
    GENERATE: "beyondbase.bench.transformers_peers:Generate",
    BOUND: "beyondbase.bench.bound:MatrixProducts",
}


@dataclass(frozen=True)
class Setting:
    """Where and how a run measures: device, threads of every contestant, folder of logs and checkpoints, progress."""

    device: str
    threads: int
    folder: Path
    say: Callable[[str], None]

    def job(self, size: Any) -> dict[str, Any]:
        """What every contestant is prepared with: the checkpoint of that size, device and threads."""
        name = size if isinstance(size, str) else "x".join(map(str, size))
        folder = workloads.checkpoint(self.folder / "checkpoints" / name, size)
        return {"checkpoint": str(folder), "device": self.device, "threads": self.threads}

    def compete(
        self, contestants: Sequence[Contestant], prepare: Callable[[], dict], jobs: dict[str, dict], repeats: int
    ) -> dict[str, Outcome]:
        return compete(
            contestants, prepare, jobs, repeats, logs=self.folder / "logs", threads=self.threads, say=self.say
        )


def contestants(names: Sequence[str]) -> list[Contestant]:
    return [Contestant(name, PLACES[name]) for name in names]


def quick(setting: Setting, repeats: int = 3) -> dict[str, Any]:
    """The five numbers of `--quick`: small model, 16 prompts of 64 samples, 48 + 48 tokens."""
    words = workloads.vocabulary().size

    def prepare() -> dict[str, Any]:
        return {**setting.job("small"), "batches": [256, 512]}

    jobs = {"small, n = 64": workloads.sampling(64, words)}
    outcomes = setting.compete(contestants((OURS, GENERATE, BOUND)), prepare, jobs, repeats)
    entries = {name: results.entry(outcome, "small, n = 64") for name, outcome in outcomes.items()}
    rates = {name: found.get("tok_s") for name, found in entries.items()}
    return {
        "ours_tok_s": rates[OURS],
        "generate_tok_s": rates[GENERATE],
        "bound_tok_s": rates[BOUND],
        "ratio_generate": results.ratio(rates[OURS], rates[GENERATE]),
        "share_of_bound": results.ratio(rates[OURS], rates[BOUND]),
        "detail": entries,
    }
