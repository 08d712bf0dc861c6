"""Smoke runs of the first claim: by the command line, by papermill, killed and completed; and how sources are kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml

from beyondbase.book import evidence
from beyondbase.book.claims import load
from beyondbase.cli import main

CLAIMS = list(load())
SEALS = "cache/*/*/files/seal.json"  # of finished steps; a search of whole trees would meet folders that come and go
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def first(runs: Path) -> evidence.Evidence:
    """The evidence of a smoke run of the first claim: what it shows of running and caching holds for all."""
    assert main(["run", CLAIMS[0]]) == 0
    return evidence.read(runs / CLAIMS[0] / "smoke")


def test_rerunning_is_instant_and_gives_the_same_values(first: evidence.Evidence, capfd: pytest.CaptureFixture) -> None:
    before = {name: table.copy() for name, table in first.values().items()}
    assert main(["run", first.claim]) == 0
    assert "reused  25 of 25 steps" in capfd.readouterr().err.replace("\r", "\n")
    again = evidence.read(first.folder)
    for name, table in again.values().items():
        pd.testing.assert_frame_equal(table, before[name])
    assert again.record["seconds"] < 60


def test_plain_papermill_gives_the_same_values(first: evidence.Evidence, root: Path, tmp_path: Path) -> None:
    claim = load()[first.claim]
    before = first.values()
    command = [sys.executable, "-m", "papermill", f"notebooks/{claim.notebook}", str(tmp_path / "out.ipynb"),
               "-f", f"notebooks/presets/smoke/{claim.id}.yaml", "-k", "python3"]  # fmt: skip
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    plain = evidence.read(first.folder)
    assert plain.notebook is None  # papermill put it where it was told to
    for name, table in plain.values().items():
        pd.testing.assert_frame_equal(table, before[name])
    assert main(["run", first.claim]) == 0


def test_source_notebooks_carry_no_outputs_and_presets_match_their_defaults(root: Path) -> None:
    for claim in load().values():
        notebook = nbformat.read(root / "notebooks" / claim.notebook, as_version=4)
        assert all(
            not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code"
        )
        longest = max((len(c.source.splitlines()), i) for i, c in enumerate(notebook.cells) if c.cell_type == "code"
                      and "parameters" not in c.metadata.get("tags", []))  # fmt: skip
        assert longest[0] <= 20, f"{claim.notebook}: cell {longest[1]} has {longest[0]} lines"
        noisy = [cell for cell in notebook.cells if cell.cell_type == "code" and "gather(" in cell.source]
        assert all("nbval-ignore-output" in cell.metadata.get("tags", []) for cell in noisy), claim.notebook
        smoke = yaml.safe_load((root / "notebooks" / "presets" / "smoke" / f"{claim.id}.yaml").read_text())
        assert smoke["preset"] == "smoke"


def test_a_killed_run_is_completed_with_the_same_values(first: evidence.Evidence, root: Path, tmp_path: Path) -> None:
    environment = os.environ | {"BEYONDBASE_RUNS": str(tmp_path / "killed")}
    command = [sys.executable, "-m", "beyondbase.cli", "run", first.claim]
    process = subprocess.Popen(command, cwd=root, env=environment, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        deadline = time.monotonic() + 240
        while len(list((tmp_path / "killed").glob(SEALS))) < 4 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert list((tmp_path / "killed").glob(SEALS)), "nothing was made before the kill"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert evidence.read(tmp_path / "killed" / first.claim / "smoke") is None
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    completed = evidence.read(tmp_path / "killed" / first.claim / "smoke")
    for name, table in completed.values().items():
        pd.testing.assert_frame_equal(table, first.values()[name])
    assert json.loads((completed.folder / "record.json").read_text())["verdict"] == first.record["verdict"]


def test_a_value_that_only_the_notebook_can_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    """Two numbers make too few held-out problems: one line, no traceback, no step made, no evidence left."""
    monkeypatch.setenv("BEYONDBASE_RUNS", str(tmp_path))
    assert main(["run", CLAIMS[0], "--set", "operands=[2]", "--set", "problems=500"]) == 2
    err = capfd.readouterr().err
    assert "Traceback" not in err and "500" in err.splitlines()[-1]
    assert not list(tmp_path.rglob("seal.json"))
