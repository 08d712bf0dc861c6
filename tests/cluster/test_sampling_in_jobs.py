"""`beyondbase sample --cluster slurm`: several jobs fill one store, one of them killed on the way."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_cluster import jobs, until

from beyondbase import cli
from beyondbase.policy.checkpoint import save
from beyondbase.policy.model import Policy
from beyondbase.policy.sizes import Size
from beyondbase.sampling import cluster, command, run
from beyondbase.sampling.blocks import blocks
from beyondbase.sampling.options import add_options
from beyondbase.sampling.store import Store
from beyondbase.tasks.countdown import Countdown

OPTIONS = ["--benchmark", "countdown", "--limit", "20", "--max-tokens", "18", "--backend", "transformers", "--n", "40",
           "--batch", "128", "--name", "tiny"]  # fmt: skip


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

    def filled_here() -> run.Report:
        """The same without a cluster, while the jobs are starting."""
        until(lambda: jobs(), 60.0)
        parser = argparse.ArgumentParser()
        add_options(parser)
        with command.prepared(parser.parse_args([*model[1:], "--out", str(here)])) as plan:
            return command.fill(plan)

    def kill_one() -> None:
        until(lambda: list(there.glob("claims/p*.json")), 60.0)
        owner = json.loads(next(there.glob("claims/p*.json")).read_text())["pid"]
        os.kill(owner, signal.SIGKILL)
        killed.set()

    killed = threading.Event()
    threading.Thread(target=kill_one, daemon=True).start()
    thread = ThreadPoolExecutor(1)
    local = thread.submit(filled_here)
    thread.shutdown(wait=False)
    assert cli.main([*model, "--out", str(there), "--cluster", "slurm", "--slurm", "time=10", "--jobs", "2"]) == 0
    told = capsys.readouterr().out
    assert killed.is_set()
    report = local.result(timeout=120)
    assert drawn(told) == (report.drawn, report.tokens, report.graded) and report.drawn == 20 * 40
    assert told.splitlines()[-1] == f"beyondbase audit {there} OTHER_STORE"
    rows = [{(row["problem_id"], row["sample"]): row for row in Store.open(folder).rows()} for folder in (here, there)]
    assert len(rows[0]) == sum(1 for _ in Store.open(there).rows()) == 20 * 40
    until(lambda: not jobs("RUNNING,PENDING"), 30.0)  # a job that nothing was left for is called off
    logprobs = [[row.pop("logprob") for _, row in sorted(side.items())] for side in rows]
    assert rows[0] == rows[1]
    assert logprobs[0] == pytest.approx(logprobs[1], abs=1e-4)  # rounding depends on who shares a batch


def test_a_store_is_full_when_every_wanted_sample_is_there_and_graded(tmp_path, monkeypatch) -> None:
    """A job that waits for a free machine is not waited for then: seen at two looks in a row."""
    store = Store.make(tmp_path / "store", {"model": "m"}, {})
    todo = list(blocks(["a", "b"], 40))
    rows = {block.name: [{"problem_id": problem, "sample": sample, "tokens": 1, "grader": "g"}
                         for problem, sample in block.keys] for block in todo}  # fmt: skip
    tally = cluster.Tally(store)
    full = cluster._Full(SimpleNamespace(store=store, todo=todo, grade=object(), by=None), tally)

    def looks() -> list[bool]:
        tally.look()
        return [full(), full()]

    first, second = todo
    assert looks() == [False, False]
    store.write(first.name, rows[first.name])
    assert looks() == [False, False]
    store.write(second.name, [{**row, "grader": None} for row in rows[second.name]])
    assert looks() == [False, False], "all are there, some have no grade"
    foreign = [{**row, "sample": row["sample"] + 40} for row in rows[second.name]]
    Path(store.path(second.name)).unlink()
    store.write(second.name, foreign)
    assert looks() == [False, False], "as many as are wanted, but of others"
    store.write(second.name, rows[second.name])
    assert looks() == [False, True]
    never = Future()
    monkeypatch.setattr(cluster, "LOOKS", 0.01)
    assert cluster._watch([never], tally, lambda *_: None, lambda: True) is False


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
