"""Shared by all tests: runs and cache go to a temporary folder, never to this checkout's `runs/`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's top folder."""
    return ROOT


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh, empty folder that stands in for `runs/`."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("BEYONDBASE_RUNS", str(folder))
    return folder


@pytest.fixture(scope="session")
def smoke_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of runs for all tests of a process that run notebooks; all processes share its cache of steps."""
    runs, top = tmp_path_factory.mktemp("runs"), tmp_path_factory.getbasetemp()
    shared = (top.parent if os.environ.get("PYTEST_XDIST_WORKER") else top) / "steps"
    shared.mkdir(exist_ok=True)
    (runs / "cache").symlink_to(shared)
    return runs
