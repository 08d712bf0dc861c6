"""The rounds: turns, one at a time, and what becomes of contestants that print, die, hang or cannot compete."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from beyondbase.bench.rounds import Contestant, compete
from beyondbase.workers.process import SOURCE

HERE = Path(__file__).parent


def who(name: str) -> Contestant:
    return Contestant(name.lower(), f"fakes:{name}", environment={"PYTHONPATH": f"{SOURCE}{os.pathsep}{HERE}"})


def run(tmp_path: Path, names: list[str], repeats: int = 3, timeout: float = 20.0, **jobs: dict):
    job = {"word": "good", "diary": str(tmp_path / "diary")}
    jobs = jobs or {"short": {"length": 1}}
    contestants = [who(name) for name in names]
    return compete(contestants, lambda: job, jobs, repeats, logs=tmp_path / "logs", threads=1, timeout=timeout)


def test_contestants_take_turns_one_at_a_time(tmp_path: Path) -> None:
    found = run(tmp_path, ["Good", "Prints"], short={"length": 1}, long={"length": 9, "repeats": 1, "skip": ["prints"]})
    assert found["good"].info["given"] == "good" and found["good"].settings["long"]["tuned"] == 9
    assert [one["call"] for one in found["good"].measured["short"]] == [1, 2, 3]
    assert [one["call"] for one in found["good"].measured["long"]] == [4]
    assert list(found["prints"].measured) == ["short"]
    diary = (tmp_path / "diary").read_text().splitlines()
    assert diary == ["good begins", "good ends"] * 7


def test_prints_are_no_replies_and_go_to_the_log(tmp_path: Path) -> None:
    found = run(tmp_path, ["Prints"])["prints"]
    assert found.reason is None and [one["tokens"] for one in found.measured["short"]] == [100] * 3
    assert b"garbage" in (tmp_path / "logs" / "prints.log").read_bytes()


@pytest.mark.parametrize(
    ("name", "reason", "rounds"),
    [
        ("Dies", "the process ended with 7: out of luck", 1),
        ("Hangs", "no answer to repeat within 4 s", 0),
        ("Cannot", "needs a thing that is not here", None),
        ("Broken", "KeyError: 'no such\\nweight'", None),
        ("Absent", "AttributeError: module 'fakes' has no attribute 'Absent'", None),
    ],
)
def test_whoever_fails_leaves_with_a_reason_and_the_others_go_on(
    tmp_path: Path, name: str, reason: str, rounds: int | None
) -> None:
    found = run(tmp_path, [name, "Good"], timeout=4.0)
    lost = found[name.lower()]
    assert lost.reason == reason
    assert len(lost.measured["short"]) == rounds if rounds is not None else "short" not in lost.measured
    assert found["good"].reason is None and len(found["good"].measured["short"]) == 3


def test_peak_memory_is_of_the_round(tmp_path: Path) -> None:
    first, second, _ = (one["peak_mib"] for one in run(tmp_path, ["Grows"])["grows"].measured["short"])
    assert first > 190
    if sys.platform == "linux":
        assert second < first - 150


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    script = f"""
import os
from pathlib import Path
from beyondbase.workers.process import SOURCE, Program, Worker
places = str(SOURCE) + os.pathsep + {str(HERE)!r}
who = Program("hangs", "fakes:Hangs", environment={{"PYTHONPATH": places}})
worker = Worker(who, 1, Path({str(tmp_path / "log")!r}))
worker.hear("import", 20)
worker.tell("prepare", {{"word": "x", "diary": "none"}})
worker.hear("prepare", 20)
worker.tell("repeat", {{}})
print(worker.process.pid, flush=True)
os._exit(1)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    worker = int(said.stdout)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and alive(worker):
        time.sleep(0.05)
    assert not alive(worker)


def alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text() if Path("/proc").exists() else ""
        os.kill(process, 0)
    except (ProcessLookupError, FileNotFoundError):
        return False
    return status.rpartition(")")[2].split()[:1] != ["Z"]
