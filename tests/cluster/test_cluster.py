"""Steps as jobs of a real Slurm: equal to those made here, in order, and made again where a job is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from steps_for_tests import Broken, Held, Source, Sum

from beyondbase.cache import cluster, gather


def jobs(state: str = "RUNNING") -> list[str]:
    done = subprocess.run(["squeue", "--noheader", "--array", f"--states={state}", "--format=%i"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    return done.stdout.split()


def until(true, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def worker(job: str) -> int:
    """The process in which `submitit` runs a job."""
    array, _, task = job.partition("_")
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words, variables = (path / "cmdline").read_bytes(), (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        ours = {f"SLURM_ARRAY_JOB_ID={array}".encode(), f"SLURM_ARRAY_TASK_ID={task}".encode()} <= set(variables)
        if ours and b"submitit.core._submit" in words and not words.startswith((b"srun", b"/bin/bash")):
            return int(path.name)
    raise AssertionError(f"job {job} has no process")


def test_steps_become_jobs_in_order_and_equal_those_made_here(runs, slurm, monkeypatch, tmp_path, capsys) -> None:
    parts = [Source(value=value) for value in (1, 2)]
    both = Sum(left=parts[0], right=parts[1])
    gather([both, Sum(left=parts[1], right=parts[1])])
    said = capsys.readouterr().err.replace("\r", "\n")
    assert said.index("made    Source(1)") < said.index("made    Sum") and "4/4" in said
    there = {step.title(): (step.files() / name).read_bytes()
             for step, name in ((parts[0], "data.txt"), (parts[1], "data.txt"), (both, "sum.txt"))}  # fmt: skip
    assert not list((runs / "slurm").iterdir()), "what went to and fro is swept away when all went well"

    monkeypatch.delenv(cluster.CLUSTER)
    monkeypatch.setenv("BEYONDBASE_RUNS", str(tmp_path / "local"))
    parts = [Source(value=value) for value in (1, 2)]
    both = Sum(left=parts[0], right=parts[1])
    gather([both], jobs=1)
    here = {step.title(): (step.files() / name).read_bytes()
            for step, name in ((parts[0], "data.txt"), (parts[1], "data.txt"), (both, "sum.txt"))}  # fmt: skip
    assert here == there


def test_jobs_killed_in_the_middle_are_completed(runs, slurm, caplog, tmp_path) -> None:
    """One cancelled, one whose process dies, one that Slurm itself puts back into the queue."""
    gate = tmp_path / "gate"
    steps = [Held(value=value, gate=str(gate)) for value in (7, 8, 9)]
    with ThreadPoolExecutor(1) as thread:
        gathering = thread.submit(gather, steps)
        until(lambda: len(list(runs.glob("cache/*/*/.files-*/data.txt"))) == 3)
        begun = [path.parent for path in runs.glob("cache/*/*/.files-*/data.txt")]
        first, second, third = jobs()
        os.kill(worker(second), signal.SIGKILL)
        subprocess.run(["scontrol", "requeue", third], check=True)
        subprocess.run(["scancel", first], check=True)
        # submitit takes no notice of SIGTERM, and slurmd kills five seconds later. Then Slurm would wait two minutes.
        until(lambda: third in jobs("PENDING"))
        subprocess.run(["scontrol", "update", f"JobId={third}", "StartTime=now"], check=True)
        gate.touch()  # none could end before
        gathering.result(timeout=60)
    assert all(folder.exists() for folder in begun), "half-made folders show that the jobs were in the middle"
    assert [(step.files() / "data.txt").read_text() for step in steps] == [f"{value}" * 1000 for value in (7, 8, 9)]
    told = "".join(record.getMessage() for record in caplog.records)
    assert [f"job {job} " in told for job in (first, second, third)] == [True, True, False]


def test_what_fails_in_a_job_is_raised_here_with_its_log(runs, slurm, tmp_path, caplog) -> None:
    fuse = tmp_path / "fuse"
    fuse.touch()
    with pytest.raises(RuntimeError, match="^the disk is full$"):
        gather([Broken(fuse=str(fuse))])
    log = next(Path(record.getMessage().split("its log: ")[1]) for record in caplog.records
               if "its log" in record.getMessage())  # fmt: skip
    assert "the disk is full" in log.read_text()


def test_a_job_that_never_ends_well_is_given_up(runs, slurm, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "ATTEMPTS", 1)
    with cluster.SlurmPool(cluster.parsed("time=10")) as pool:
        future = pool.submit(os._exit, 3, name="leaving")
        with pytest.raises(RuntimeError, match=r"\(leaving\) ended without a result, 1 times in a row; its log: "):
            future.result(timeout=60)


def test_ctrl_c_takes_the_jobs_along(runs, slurm) -> None:
    with pytest.raises(KeyboardInterrupt), cluster.SlurmPool(cluster.parsed("time=10")) as pool:
        future = pool.submit(time.sleep, 600)
        until(lambda: jobs())
        raise KeyboardInterrupt
    assert future.cancelled()
    until(lambda: not jobs("RUNNING,PENDING"))


def test_slurm_is_asked_whether_it_takes_such_jobs(slurm, monkeypatch) -> None:
    assert cluster.choose("slurm", "partition=book,time=1:30:00,cpus=2") == {
        "partition": "book", "time": 90, "gpus": 0, "cpus": 2}  # fmt: skip
    with pytest.raises(ValueError, match="Slurm refuses such jobs: .*invalid partition specified: nope"):
        cluster.choose("slurm", "partition=nope")


@pytest.mark.parametrize(
    ("cluster_name", "text", "fault"),
    [
        (None, "time=5", "--slurm time=5: goes with --cluster slurm"),
        ("slurm", "tim=5", "--slurm tim=5: must be NAME=VALUE with a name of partition"),
        ("slurm", "time", "--slurm time: must be NAME=VALUE"),
        ("slurm", "time=long", "--slurm time=long: time must be a whole number, 1 or more"),
        ("slurm", "gpus=-1", "--slurm gpus=-1: gpus must be a whole number, 0 or more"),
        ("slurm", "cpus=0", "--slurm cpus=0"),
    ],
)
def test_options_that_cannot_be_are_named(cluster_name, text, fault) -> None:
    with pytest.raises(ValueError, match=f"^{fault}"):
        cluster.choose(cluster_name, text)


def test_without_slurm_it_says_so(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="there is no Slurm here"):
        cluster.choose("slurm", None)
