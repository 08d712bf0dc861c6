"""Running a claim's notebook through papermill, from checked parameters to sealed evidence."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
import yaml

from .. import paths
from ..cache.sealed import sealing
from . import evidence
from .claims import Claim, find
from .parameters import BadParameter, checked, declared
from .study import OUT


class RunFailed(RuntimeError):
    """The notebook stopped with an error; the message is that error in one line and where the notebook lies."""


@dataclass(frozen=True)
class Plan:
    """A run that may start: everything about it has been checked."""

    claim: Claim
    preset: str
    notebook: Path
    parameters: dict[str, Any]
    custom: bool

    @property
    def folder(self) -> Path:
        """Where its evidence will lie; a run with settings of its own never stands in for the preset."""
        name = f"{self.preset}-custom" if self.custom else self.preset
        return evidence.place(self.claim.id, name, published=False)


def presets(claim: Claim) -> list[str]:
    """Presets of a claim, smallest first."""
    folder = paths.root() / "notebooks" / "presets"
    return [name for name in evidence.PRESETS if (folder / name / f"{claim.id}.yaml").exists()]


def preset_parameters(claim: Claim, preset: str) -> dict[str, Any]:
    """The parameters a preset sets; ValueError naming the presets there are."""
    if preset not in presets(claim):
        raise ValueError(f"no preset {preset!r} for {claim.id}; there are: {', '.join(presets(claim))}")
    file = paths.root() / "notebooks" / "presets" / preset / f"{claim.id}.yaml"
    return yaml.safe_load(file.read_text())


def plan(name: str, preset: str, settings: dict[str, Any] | None = None, jobs: int = 0) -> Plan:
    """Check claim, preset and every parameter; ValueError in one line otherwise. Writes nothing."""
    claim = find(name)
    notebook = paths.root() / "notebooks" / claim.notebook
    known = declared(notebook)
    chosen = checked(preset_parameters(claim, preset), known)
    own = checked(settings or {}, known)
    if "preset" in own:
        raise BadParameter("preset is not to be --set; use --preset")
    return Plan(claim, preset, notebook, {**chosen, **own, **({"jobs": jobs} if jobs else {})}, custom=bool(own))


def run(planned: Plan) -> evidence.Evidence:
    """Execute the notebook and seal its evidence; the earlier evidence stays until then.

    Raises ValueError where the notebook itself refused its parameters, `RunFailed` for any other error in it.
    """
    target = planned.folder
    with sealing(target, {}) as folder:
        executed = folder / evidence.NOTEBOOK
        os.environ[OUT] = str(folder)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                papermill.execute_notebook(
                    planned.notebook,
                    executed,
                    parameters=planned.parameters,
                    cwd=planned.notebook.parent,
                    kernel_name="python3",
                    progress_bar=False,
                    extra_arguments=["--log-level=40"],  # errors only: the kernel warns of its own loopback sockets
                    stderr_file=sys.stderr,
                )
        except papermill.PapermillExecutionError as error:
            raise _failure(error, executed, target) from error
        finally:
            del os.environ[OUT]
        notebook = evidence.normalise(nbformat.read(executed, as_version=4))
        nbformat.write(notebook, executed)
    found = evidence.read(target)
    assert found is not None
    return found


def _failure(error: papermill.PapermillExecutionError, executed: Path, target: Path) -> Exception:
    if error.ename in ("ValueError", "BadParameter", "ValidationError"):
        return ValueError(" ".join(str(error.evalue).split()))
    left = target.with_name(f"{target.name}-failed.ipynb")
    os.replace(executed, left)
    return RunFailed(
        f"{error.ename}: {' '.join(str(error.evalue).split())[:300]} (the notebook as far as it came: {left})"
    )
