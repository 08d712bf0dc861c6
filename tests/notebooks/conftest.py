"""Makes `every_claim` importable; smoke runs, kept for the tests of a module."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from beyondbase.book import evidence
from beyondbase.cli import main

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("every_claim")


@pytest.fixture(scope="module")
def runs(smoke_runs: Path) -> Path:
    """The shared folder of runs, in force for this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BEYONDBASE_RUNS", str(smoke_runs))
        yield smoke_runs


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, runs: Path) -> evidence.Evidence:
    """The evidence of a smoke run made by the command line, of each of the module's claims in turn."""
    assert main(["run", request.param, "--jobs", "1"]) == 0
    return evidence.read(runs / request.param / "smoke")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives `run` each of the module's claims."""
    if "run" in metafunc.fixturenames:
        metafunc.parametrize("run", metafunc.module.CLAIMS, indirect=True, scope="module")
