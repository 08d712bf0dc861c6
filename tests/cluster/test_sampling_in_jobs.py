"""`beyondbase sample --cluster slurm`: several jobs fill one store, one of them killed on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from pathlib import Path

import pytest
from test_cluster import until

from beyondbase import cli
from beyondbase.policy.checkpoint import save
from beyondbase.policy.model import Policy
from beyondbase.policy.sizes import Size
from beyondbase.sampling import cluster
from beyondbase.sampling.store import Store
from beyondbase.tasks.countdown import Countdown

OPTIONS = ["--benchmark", "countdown", "--limit", "32", "--max-tokens", "18", "--backend", "transformers", "--n", "64",
           "--name", "tiny"]  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A policy that has learnt nothing: any text will do."""
    size = Size(hidden=16, layers=1, heads=1, kv_heads=1, ffn=16)
    policy = Policy.init(Countdown(operands=(3, 4)).vocabulary, size, seed=1)
    return save(policy, tmp_path_factory.mktemp("models") / "tiny", {"seed": 1})


def drawn(text: str) -> tuple[int, int, int]:
    """Samples, tokens and grades of the last line but one."""
    found = re.search(r"(\d+) samples drawn \(([\d,]+) tokens\), (\d+) graded", text)
    return int(found[1]), int(found[2].replace(",", "")), int(found[3])


@pytest.mark.slow
def test_jobs_fill_one_store_although_one_is_killed(runs, slurm, checkpoint, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(cluster, "LOOKS", 0.3)
    here, there = tmp_path / "here", tmp_path / "there"
    model = ["sample", "--model", str(checkpoint), *OPTIONS]

    def kill_one() -> None:
        until(lambda: list(there.glob("claims/p*.json")), 60.0)
        owner = json.loads(next(there.glob("claims/p*.json")).read_text())["pid"]
        os.kill(owner, signal.SIGKILL)
        killed.set()

    killed = threading.Event()
    threading.Thread(target=kill_one, daemon=True).start()
    assert cli.main([*model, "--out", str(there), "--cluster", "slurm", "--slurm", "time=10", "--jobs", "2"]) == 0
    told = capsys.readouterr().out
    assert killed.is_set()
    monkeypatch.delenv("BEYONDBASE_CLUSTER")
    assert cli.main([*model, "--out", str(here)]) == 0
    assert drawn(told) == drawn(capsys.readouterr().out) and drawn(told)[0] == 32 * 64
    assert told.splitlines()[-1] == f"beyondbase audit {there} OTHER_STORE"
    rows = [{(row["problem_id"], row["sample"]): row for row in Store.open(folder).rows()} for folder in (here, there)]
    assert len(rows[0]) == sum(1 for _ in Store.open(there).rows()) == 32 * 64
    logprobs = [[row.pop("logprob") for _, row in sorted(side.items())] for side in rows]
    assert rows[0] == rows[1]
    assert logprobs[0] == pytest.approx(logprobs[1], abs=1e-4)  # rounding depends on who shares a batch


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--jobs", "2"], "--jobs 2: goes with --cluster slurm"),
        (["--slurm", "time=3"], "--slurm time=3: goes with --cluster slurm"),
        (["--cluster", "slurm", "--shard", "1/2"], "--shard 1/2: not with --cluster"),
        (["--cluster", "slurm", "--jobs", "0"], "--jobs 0: must be at least 1"),
        (["--cluster", "pbs"], "invalid choice: 'pbs'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(checkpoint, tmp_path, capsys, options, fault) -> None:
    out = tmp_path / "out"
    arguments = ["sample", "--model", str(checkpoint), *OPTIONS, "--out", str(out), *options]
    try:
        code = cli.main(arguments)
    except SystemExit as left:
        code = left.code
    assert code == 2 and fault in capsys.readouterr().err and not out.exists()
