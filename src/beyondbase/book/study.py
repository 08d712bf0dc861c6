"""One run of a claim, as its notebook sees it: seeds from names, and a conclusion judged by the register."""

from __future__ import annotations

import logging
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from .. import paths
from ..cache import Step, ancestors, cluster, cores
from ..cache.fingerprint import digest
from ..cache.sealed import sealing
from ..measure import Interval, combine, control_verdict, verdict
from ..tasks.seeds import derive_seed
from . import evidence
from .claims import Control, Part, find

OUT = "BEYONDBASE_OUT"  # set by `beyondbase run`: the open folder that takes record and values
PACKAGES = ("torch", "transformers", "numpy", "scipy", "exca", "papermill", "altair")


def device_name(device: str) -> str:
    """What the numbers were made on, in words: "2 cores, AMD EPYC 7763, Linux x86_64"."""
    if jobs := cluster.active():
        return f"Slurm, partition {jobs.get('partition', 'default')}: {jobs['cpus']} cores, {jobs['gpus']} GPUs a job"
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{cores()} cores, {model}, {platform.system()} {platform.machine()}"


def commit() -> str:
    """The checkout's commit, with "+" behind it where files differ from it; "" outside git."""
    import subprocess

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=paths.root(), capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short=12", "HEAD") + (
        "+" if git("status", "--porcelain", "--untracked-files=no") else ""
    )


class Study:
    """A claim under one preset: gives the seeds, and turns effects into a judged record.

    `family` names the random streams (problems, weights, rollouts). Runs of different families share none, so that
    pilots never see what is published; claims that the register gives the same `streams` share them, and with them
    base models and held-out problems. Raises ValueError for an unknown claim or too few seeds.
    """

    def __init__(self, claim: str, *, preset: str, family: str, seeds: int, device: str = "cpu") -> None:
        fewest = min(2, find(claim).minimum_seeds)
        if seeds < fewest:
            raise ValueError(f"seeds={seeds}: at least {fewest} are needed for an interval over seeds")
        if not family:
            raise ValueError("family='': name the random streams, for example after the preset")
        self.claim, self.preset, self.family, self.device = find(claim), preset, family, device
        self.seeds = [self.seed("run", number) for number in range(seeds)]
        self._begun = time.perf_counter()
        logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING, force=True)
        logging.getLogger("beyondbase").setLevel(logging.INFO)

    def seed(self, *names: object) -> int:
        """A seed for one purpose of this study."""
        return derive_seed(self.claim.streams or self.claim.id, self.family, *names)

    def judge(self, effects: dict[str, Interval], control: Interval) -> dict[str, Any]:
        """Verdicts of parts, control and claim by the registered rule, as the record keeps them."""
        claim = self.claim
        if effects.keys() != claim.parts.keys():
            raise ValueError(f"effects {sorted(effects)} given; {claim.id} is decided by {sorted(claim.parts)}")
        parts = {}
        for name, part in claim.parts.items():
            said = verdict(
                effects[name],
                direction=part.direction,
                margin=part.margin,
                minimum_seeds=claim.minimum_seeds,
                share=part.unit == "points",
            )
            parts[name] = {**_rule(part), "verdict": said, **_numbers(effects[name])}
        rule = claim.control
        quiet = control_verdict(
            control,
            direction=rule.direction,
            margin=rule.margin,
            minimum_seeds=claim.minimum_seeds,
            share=rule.unit == "points",
        )
        overall = combine({name: part["verdict"] for name, part in parts.items()}, quiet)
        return {
            "verdict": overall.verdict,
            "reason": overall.reason,
            "parts": parts,
            "control": {**_rule(rule), "verdict": quiet, **_numbers(control)},
        }

    def conclude(
        self,
        *,
        effects: dict[str, Interval],
        control: Interval,
        tables: dict[str, pd.DataFrame],
        steps: list[Step],
        problems: int,
        parameters: dict[str, Any],
        more: dict[str, Any],
    ) -> dict[str, Any]:
        """Judge, and leave record and values where this run's evidence belongs; the record.

        `more` is added to the record (`control` entries are merged): whatever prose quotes beyond the parts. Under
        `beyondbase run` the files go to its open folder, else they replace `runs/<claim>/<preset>/`.
        """
        used = {str(step.folder): step for each in steps for step in [*ancestors(each), each]}
        judged = self.judge(effects, control)
        judged["control"] |= more.pop("control", {})
        code = evidence.code_of(self.claim.notebook, used.values())
        record = {
            "claim": self.claim.id,
            "preset": self.preset,
            "family": self.family,
            "rule": self.claim.rule,
            "rule_version": self.claim.version,
            **judged,
            **more,
            "seeds": len(self.seeds),
            "seed_values": self.seeds,
            "problems": problems,
            "parameters": parameters,
            "seconds": round(time.perf_counter() - self._begun, 1),
            "work_seconds": round(sum(step.seconds() for step in used.values()), 1),
            "device": device_name(self.device),
            "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "commit": commit(),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
            "source_notebook": self.claim.notebook,
            "code": code,
            "fingerprint": digest(code),
        }
        if opened := os.environ.get(OUT):
            evidence.write(Path(opened), record, tables)
        else:
            with sealing(evidence.place(self.claim.id, self.preset, published=False), {}) as folder:
                evidence.write(folder, record, tables)
        return record


def _rule(rule: Part | Control) -> dict[str, Any]:
    """How a record names a statistic: k where there is one, its words and unit where it is no change of pass@k."""
    named = {"k": rule.k, "measure": rule.measure, "unit": rule.unit if rule.unit != "points" else ""}
    return {**{name: value for name, value in named.items() if value}, "margin": rule.margin}


def _numbers(interval: Interval) -> dict[str, float]:
    return {"effect": float(interval.effect), "low": float(interval.low), "high": float(interval.high)}
