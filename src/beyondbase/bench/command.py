"""`beyondbase bench`: measure, write, print."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from .. import paths
from . import sampling

QUICK = "runs/bench/quick.json"


def cores() -> int:
    """Cores that this process may use: the threads of every contestant."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(*, quick: bool, only: str | None, publish: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure what is asked for; the results as plain values."""
    begun = time.monotonic()
    setting = sampling.Setting("cpu", cores(), paths.runs() / "bench", lambda text: say(_stamped(begun, text)))
    return sampling.quick(setting)


def _stamped(begun: float, text: str) -> str:
    return f"{time.monotonic() - begun:5.0f} s  {text}"


def text(found: dict[str, Any]) -> str:
    """The results as lines to read."""
    names = {"ours": "ours_tok_s", "transformers generate": "generate_tok_s", "bound (products alone)": "bound_tok_s"}
    lines = [f"{name:24} {_number(found[key])} tokens/s" for name, key in names.items()]
    lines.append(f"{'ours to generate':24} {_number(found['ratio_generate'], '.2f')} times")
    lines.append(f"{'share of the bound':24} {_number(found['share_of_bound'], '.0%')}")
    return "\n".join(lines)


def _number(value: float | None, form: str = ",.0f") -> str:
    return format("not measured" if value is None else format(value, form), ">12")
