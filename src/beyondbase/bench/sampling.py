"""Sampling: ours, transformers' `generate` and continuous batching, vLLM, and the bound, on the same prompts."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import paths
from ..workers import vllm_environment
from ..workers.process import Failed
from . import results, workloads
from .rounds import Contestant, Outcome, compete

OURS, GENERATE, CONTINUOUS, BOUND = "ours", "generate", "continuous", "bound"
EAGER, COMPILED = "vllm", "vllm, compiled"
PLACES = {
    OURS: "beyondbase.bench.ours:Sampling",
    GENERATE: "beyondbase.bench.transformers_peers:Generate",
    CONTINUOUS: "beyondbase.bench.transformers_peers:ContinuousBatching",
    BOUND: "beyondbase.bench.bound:MatrixProducts",
}
VLLM = "beyondbase.bench.vllm_peer:VLLM"
SIZES, MAIN, SAMPLES = ("tiny", "small", "medium"), "small", (16, 64, 1024)
ROWS = {"tiny": 1024, "small": 1024, "medium": 512}
ROUNDS = {"tiny": 2, "medium": 2}  # fewer beside the main size, which has the goals
PEER_ROWS = {"tiny": 512, "small": 512, "medium": 256}  # vLLM's, where it is not the main comparison


@dataclass(frozen=True)
class Setting:
    """Where and how a run measures: device, threads of every contestant, folder of logs and checkpoints, progress."""

    device: str
    threads: int
    folder: Path
    say: Callable[[str], None]

    def job(self, size: Any, **more: Any) -> dict[str, Any]:
        """What every contestant is prepared with: the checkpoint of that size, device, threads, and `more`."""
        name = size if isinstance(size, str) else "x".join(map(str, size))
        folder = workloads.checkpoint(self.folder / "checkpoints" / name, size)
        return {"checkpoint": str(folder), "device": self.device, "threads": self.threads, **more}

    def compete(
        self, contestants: Sequence[Contestant], prepare: Callable[[], dict], jobs: dict[str, dict], repeats: int
    ) -> dict[str, Outcome]:
        return compete(
            contestants, prepare, jobs, repeats, logs=self.folder / "logs", threads=self.threads, say=self.say
        )


def named(*names: str) -> list[Contestant]:
    """Contestants of this environment."""
    return [Contestant(name, PLACES[name]) for name in names]


def vllm_contestant(root: Path, setting: Setting) -> Contestant:
    """vLLM of this environment on a GPU, else of its own, made if need be; `Failed` says why it cannot be had."""
    if setting.device == "cuda":
        if importlib.util.find_spec("vllm") is None:
            raise Failed("vllm is not installed here; `pip install 'beyondbase[gpu]'` brings it")
        return Contestant(EAGER, VLLM, environment={"VLLM_ENABLE_V1_MULTIPROCESSING": "0"})
    if not sys.platform.startswith("linux"):
        raise Failed("its CPU wheel is for Linux")
    folder = root / vllm_environment.NAME
    vllm_environment.make(root, folder, setting.say)
    settings = vllm_environment.settings(folder, setting.threads)
    return Contestant(EAGER, VLLM, python=str(folder / "bin" / "python"), environment=settings)


def quick(setting: Setting, repeats: int = 3) -> dict[str, Any]:
    """The five numbers of `--quick`: small model, 16 prompts of 64 samples, 48 + 48 tokens; `detail` has the rounds."""
    label, words = f"{MAIN}, n = 64", workloads.vocabulary().size
    outcomes = setting.compete(
        named(OURS, GENERATE, BOUND),
        lambda: setting.job(MAIN, batches=[128, 256]),
        {label: workloads.sampling(64, words)},
        repeats,
    )
    entries = {name: results.entry(outcome, label) for name, outcome in outcomes.items()}
    rates = {name: found.get("tok_s") for name, found in entries.items()}
    return {
        "ours_tok_s": rates[OURS],
        "generate_tok_s": rates[GENERATE],
        "bound_tok_s": rates[BOUND],
        "ratio_generate": results.ratio(rates[OURS], rates[GENERATE]),
        "share_of_bound": results.ratio(rates[OURS], rates[BOUND]),
        "detail": entries,
    }


def full(setting: Setting, repeats: int = 3, sizes: Sequence[str] = SIZES) -> list[dict[str, Any]]:
    """A row for each size and n, with every contestant's rounds, the ratios, and the share of the bound."""
    try:
        vllm = [vllm_contestant(paths.root(), setting)]
        absent = None
    except Failed as failed:
        setting.say(f"vllm: not measured: {failed}")
        vllm, absent = [], str(failed)
    return [row for size in sizes for row in of_size(setting, size, repeats, vllm, absent)]


def of_size(
    setting: Setting, size: str, repeats: int, vllm: list[Contestant], absent: str | None
) -> list[dict[str, Any]]:
    """The rows of one size. Compiled vLLM takes part in the main size only: compiling takes it a minute."""
    repeats = min(repeats, ROUNDS.get(size, repeats))
    words, rows = workloads.vocabulary().size, ROWS[size] * (4 if setting.device == "cuda" else 1)
    jobs = {}
    for n in SAMPLES:
        main = (size, n) == (MAIN, 64)
        job = workloads.sampling(n, words, rows=rows)
        # A scheduler of requests on two cores needs seconds for what others do in one: one n shows its rate.
        job |= {"repeats": repeats + 2 if main else repeats, "skip": [] if n == 64 else [CONTINUOUS]}
        jobs[f"{size}, n = {n}"] = job | {"peer_rows": rows if main else PEER_ROWS[size]}
    contestants = [*named(OURS, GENERATE, CONTINUOUS), *vllm, *named(BOUND)]
    if vllm and size == MAIN:
        contestants.append(Contestant(COMPILED, f"{vllm[0].place}Compiled", vllm[0].python, vllm[0].environment))
    outcomes = setting.compete(contestants, lambda: setting.job(size), jobs, repeats)
    if absent:
        outcomes[EAGER] = Outcome(reason=absent)
    config = json.loads((setting.folder / "checkpoints" / size / "config.json").read_text())
    return [row(size, job, label, outcomes, config) for label, job in jobs.items()]


def row(size: str, job: dict[str, Any], label: str, outcomes: dict[str, Outcome], config: dict) -> dict[str, Any]:
    """One line of the table; ratios are to the faster of vLLM's two ways."""
    competing = {name: one for name, one in outcomes.items() if name not in job["skip"]}
    entries = {name: results.entry(one, label) for name, one in competing.items()}
    rates = {name: found.get("tok_s") for name, found in entries.items()}
    ours = rates.get(OURS)
    best_vllm = max((rates.get(name) or 0.0 for name in (EAGER, COMPILED)), default=0.0)
    ratios = {
        "generate": results.ratio(ours, rates.get(GENERATE)),
        "continuous": results.ratio(ours, rates.get(CONTINUOUS)),
        "vllm": results.ratio(ours, best_vllm),
    }
    return {
        "size": size,
        "n": job["n"],
        "prompts": len(job["prompts"]),
        "prompt_tokens": len(job["prompts"][0]),
        "new_tokens": job["new"],
        "contestants": entries,
        "ratios": ratios,
        "share_of_bound": results.ratio(ours, rates.get(BOUND)),
        "cache_bytes_per_token": cache_bytes(config, job),
    }


def cache_bytes(config: dict[str, Any], job: dict[str, Any]) -> float:
    """Bytes of float32 keys and values that one new token is computed from, a prompt's counted once for its n rows."""
    heads, channels = config["num_key_value_heads"], config["hidden_size"] // config["num_attention_heads"]
    position = config["num_hidden_layers"] * 2 * heads * channels * 4
    return position * ((job["new"] - 1) / 2 + len(job["prompts"][0]) / job["n"])
