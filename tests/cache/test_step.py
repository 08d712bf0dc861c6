"""Cached steps: what is reused, what is redone and why, and that nothing half-written is ever read."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from steps_for_tests import Broken, Maker, Source, Sum

from beyondbase.cache import FROM_SCRATCH, Damaged, Planned, ancestors, check, gather, planning, ship
from beyondbase.cache import step as step_module

pytestmark = pytest.mark.usefixtures("runs")


def made(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith(("making", "damaged"))]


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="beyondbase.cache")


def test_a_step_is_made_once_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    first = Source(value=7).files()
    assert "first of its kind" in made(caplog)[0]
    caplog.clear()
    again = Source(value=7).files()
    assert first == again and (again / "data.txt").read_text().startswith("7(3, 4)")
    assert made(caplog) == [] and "reused" in caplog.text


def test_a_changed_parameter_redoes_the_step_and_those_after_it(caplog: pytest.LogCaptureFixture) -> None:
    Sum(left=Source(value=1), right=Source(value=2)).files()
    caplog.clear()
    Sum(left=Source(value=1), right=Source(value=30)).files()
    said = made(caplog)
    assert len(said) == 2, said
    assert "Sum" in said[0] and "right.value 2 -> 30" in said[0]
    assert "Source(30)" in said[1] and "value" in said[1]


def test_changed_code_redoes_the_step_and_those_after_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Sum(left=Source(value=1), right=Source(value=2)).files()
    caplog.clear()
    real = step_module.sources

    def edited(*modules: str) -> dict[str, str]:
        found = real(*modules)
        return {name: "edited" if name == "beyondbase.tasks.seeds" else digest for name, digest in found.items()}

    monkeypatch.setattr(step_module, "sources", edited)
    Sum(left=Source(value=1), right=Source(value=2)).files()
    assert len(made(caplog)) == 3
    assert all("code of beyondbase.tasks.seeds changed" in line for line in made(caplog))


def test_what_does_not_depend_on_the_change_is_reused(caplog: pytest.LogCaptureFixture) -> None:
    Sum(left=Source(value=1), right=Source(value=2)).files()
    caplog.clear()
    Sum(left=Source(value=1), right=Source(value=2), scale=2.0).files()
    assert len(made(caplog)) == 1 and "scale 1.0 -> 2.0" in made(caplog)[0]


@pytest.mark.parametrize("damage", ["alter", "remove", "add", "seal"])
def test_damage_is_named_and_redone(damage: str, caplog: pytest.LogCaptureFixture) -> None:
    folder = Source(value=3).files()
    good = (folder / "data.txt").read_text()
    if damage == "alter":
        (folder / "data.txt").write_text(good[:-1] + "x")
    elif damage == "remove":
        (folder / "data.txt").unlink()
    elif damage == "add":
        (folder / "stray.txt").write_text("stray")
    else:
        (folder / "seal.json").write_text('{"files"')
    caplog.clear()
    assert (Source(value=3).files() / "data.txt").read_text() == good
    assert any("damaged" in line and str(folder) in line for line in made(caplog)), made(caplog)
    check(folder)


def test_damaged_memory_of_exca_does_not_stop_a_step() -> None:
    step = Source(value=4)
    (step.files().parent / "job.pkl").write_bytes(b"not a pickle")
    assert (Source(value=4).files() / "data.txt").exists()
    (step.folder / "data.txt").unlink()
    assert (Source(value=4).files() / "data.txt").exists()


def test_a_failing_step_leaves_nothing_and_is_retried(tmp_path: Path) -> None:
    fuse = tmp_path / "fuse"
    fuse.touch()
    step = Broken(fuse=str(fuse))
    with pytest.raises(RuntimeError, match="disk is full"):
        step.files()
    assert not step.folder.exists() and not list(step.folder.parent.glob(".files*"))
    fuse.unlink()
    assert (Broken(fuse=str(fuse)).files() / "half.txt").exists()


def test_gather_makes_shared_inputs_once_in_worker_processes(caplog: pytest.LogCaptureFixture) -> None:
    shared = Source(value=11)
    steps = [Sum(left=shared, right=Source(value=v)) for v in (1, 2)]
    gather(steps, jobs=2)
    assert [float((step.files() / "sum.txt").read_text()) for step in steps] == [15000.0, 15000.0]
    assert sum("Source(11)" in line for line in made(caplog)) == 1
    caplog.clear()
    gather(steps, jobs=2)
    assert made(caplog) == [] and "reused  5 of 5 steps" in caplog.text


def test_processes_stay_for_the_next_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def process(number: int) -> str:
        return (gather([Maker(number=number)], jobs=1)[0].files() / "process.txt").read_text()

    first = process(1)
    os.kill(int(first), signal.SIGINT)  # as when a notebook is interrupted while nothing is being made
    assert process(2) == first != str(os.getpid())
    monkeypatch.setenv("BEYONDBASE_SOMETHING", "else")  # a step may read the environment: it gets today's
    second = process(3)
    assert second != first and process(4) == second
    (fuse := tmp_path / "fuse").touch()
    with pytest.raises(RuntimeError, match="disk is full"):
        gather([Broken(fuse=str(fuse))], jobs=1)
    assert process(5) not in (first, second)


def test_planning_makes_nothing(runs: Path) -> None:
    with planning(), pytest.raises(Planned) as planned:
        gather([Sum(left=Source(value=1), right=Source(value=2))])
    assert [type(step).__name__ for step in planned.value.steps] == ["Source", "Source", "Sum"]
    assert not runs.exists()


def test_ancestors_come_before_what_is_made_from_them() -> None:
    step = Sum(left=Source(value=1), right=Source(value=1))
    assert [type(each).__name__ for each in ancestors(step)] == ["Source"]


def test_what_changed_is_told_to_the_leaf() -> None:
    parts = [{"task": {"name": "graphs"}, "weight": 0.9}, {"task": {"name": "graphs"}, "weight": 0.1}]
    other = [parts[0], parts[1] | {"weight": 0.2}]
    notes = [
        {"parameters": {"seed": 1, "sizes": [1, 2], "task": {"parts": each}}, "source": {}} for each in (parts, other)
    ]
    assert step_module.differences(*notes) == ["task.parts.1.weight 0.1 -> 0.2"]
    shorter = notes[0] | {"parameters": notes[0]["parameters"] | {"sizes": [1], "task": {"parts": parts[:1]}}}
    assert step_module.differences(notes[0], shorter) == [
        "sizes [1, 2] -> [1]", "task.parts.1.task.name graphs -> None", "task.parts.1.weight 0.1 -> None",
    ]  # fmt: skip


KILLED = """
import sys
sys.path.insert(0, {here!r})
from steps_for_tests import Source, Sum
from beyondbase.cache import gather
if __name__ == "__main__":
    gather([Sum(left=Source(value=1, seconds_to_make={pause}), right=Source(value=2, seconds_to_make={pause}))], jobs=2)
"""


@pytest.mark.parametrize("after", [0.0, 0.6, 1.6])
def test_a_run_killed_at_any_moment_is_completed_by_the_next(after: float, tmp_path: Path, runs: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(here=str(Path(__file__).parent), pause=0.5))
    process = subprocess.Popen([sys.executable, script], env=os.environ | {"BEYONDBASE_RUNS": str(runs)},
                               stderr=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(runs.glob("cache/*/*/.files-*")) and time.monotonic() < deadline:  # until something is being written
        time.sleep(0.02)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for seal in runs.glob("cache/*/*/files/seal.json"):
        check(seal.parent)  # whatever stands is whole
    step = Sum(left=Source(value=1, seconds_to_make=0.5), right=Source(value=2, seconds_to_make=0.5))
    assert float((step.files() / "sum.txt").read_text()) == 14000.0


TOGETHER = """
import sys
sys.path.insert(0, {here!r})
import logging
from steps_for_tests import Source
logging.basicConfig(level=logging.INFO, format="%(message)s")
if __name__ == "__main__":
    Source(value=5, seconds_to_make=1.5).files()
"""


@pytest.mark.parametrize("path", ["the same", "a link"])
def test_of_two_processes_that_want_a_step_one_makes_it(path: str, tmp_path: Path, runs: Path) -> None:
    script = tmp_path / "together.py"
    script.write_text(TOGETHER.format(here=str(Path(__file__).parent)))
    other = runs if path == "the same" else tmp_path / "other"
    for folder in {runs, other}:
        folder.mkdir()
    (runs / "cache").mkdir()
    if other is not runs:
        (other / "cache").symlink_to(runs / "cache")
    environments = [os.environ | {"BEYONDBASE_RUNS": str(folder)} for folder in (runs, other)]
    command, options = [sys.executable, script], {"stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, env=environment, **options) for environment in environments]
    said = "".join(process.communicate(timeout=120)[1] for process in both)
    assert [process.returncode for process in both] == [0, 0], said
    assert said.count("making  Source(5)") == 1 and said.count("reused  Source(5)") == 1


@pytest.fixture
def repository(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own, to ship steps with."""
    (tmp_path / "checkout" / "book").mkdir(parents=True)
    shutil.copy(root / "book" / "claims.yml", tmp_path / "checkout" / "book")
    monkeypatch.setenv("BEYONDBASE_ROOT", str(tmp_path / "checkout"))
    return tmp_path / "checkout"


def test_a_shipped_step_is_taken_and_not_made(
    repository: Path, runs: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ship(Source(value=7))
    assert folder.parent == repository / "book" / "shipped" and check(folder)["parameters"]["value"] == 7
    shutil.rmtree(runs)
    caplog.clear()
    gather([Sum(left=Source(value=7), right=Source(value=7))], jobs=1)
    assert "shipped Source(7)" in caplog.text and "making  Source" not in caplog.text
    assert "older code" not in caplog.text
    monkeypatch.setenv(FROM_SCRATCH, "1")
    caplog.clear()
    Sum(left=Source(value=7), right=Source(value=7)).files()
    said = made(caplog)  # though both are in the cache: one is shipped, the other rests on it
    assert len(said) == 2 and "Sum" in said[0] and "Source(7)" in said[1] and "shipped" not in caplog.text
    caplog.clear()
    Sum(left=Source(value=7), right=Source(value=7)).files()
    assert made(caplog) == []


def test_a_shipped_step_of_older_code_says_so(
    repository: Path, runs: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(Source(value=7))
    shutil.rmtree(runs)
    real = step_module.sources
    monkeypatch.setattr(step_module, "sources", lambda *modules: real(*modules) | {"beyondbase.tasks.seeds": "edited"})
    Source(value=7).files()
    assert "made by older code (beyondbase.tasks.seeds)" in caplog.text


def test_a_damaged_shipped_step_is_refused_by_name(repository: Path, runs: Path) -> None:
    folder = ship(Source(value=7))
    shutil.rmtree(runs)
    (folder / "data.txt").write_text("something else")
    with pytest.raises(Damaged, match=r"data\.txt: altered"):
        Source(value=7).files()
