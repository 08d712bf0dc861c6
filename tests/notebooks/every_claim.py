"""What holds for every claim's notebook at preset smoke, run by the command line and by nbval.

The claims are dealt out to two modules, because the tests of one module run one after the other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from beyondbase.book import evidence
from beyondbase.book.claims import load

pytestmark = pytest.mark.slow
CLAIMS = list(load())


def test_the_record_says_everything_a_page_needs(run: evidence.Evidence) -> None:
    record = run.record
    claim = load()[run.claim]
    assert record["rule"] == claim.rule and record["parts"].keys() == claim.parts.keys()
    for part in [*record["parts"].values(), record["control"]]:
        assert part["low"] <= part["effect"] <= part["high"]
    assert record["seeds"] == len(set(record["seed_values"])) >= min(2, claim.minimum_seeds) and record["problems"] > 0
    assert record["device"] and record["versions"]["torch"] and run.outdated() == []
    assert not any(str(Path.home()) in str(value) for value in record.values())


def test_the_notebook_is_normalised_and_every_cell_ran(run: evidence.Evidence) -> None:
    notebook = nbformat.read(run.notebook, as_version=4)
    text = run.notebook.read_text()
    assert "stderr" not in text and "papermill" not in notebook.metadata and str(Path.cwd()) not in text
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    charts = [o for o in outputs if any("vegalite" in mime for mime in o.get("data", {}))]
    assert len(charts) >= 4 and not any(output.output_type == "error" for output in outputs)


def test_nbval_finds_the_same_outputs_again(run: evidence.Evidence, tmp_path: Path) -> None:
    copy, elsewhere = tmp_path / "executed.ipynb", tmp_path / "runs"
    copy.write_bytes(run.notebook.read_bytes())
    elsewhere.mkdir()  # evidence of its own, which has no notebook; the steps are those of the run
    (elsewhere / "cache").symlink_to(run.folder.parents[1] / "cache")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", str(copy), "-c", os.devnull]
    environment = os.environ | {"BEYONDBASE_RUNS": str(elsewhere)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
