"""Compiled loops: built where a compiler is, left out where not, never a silent failure of this package's own files."""

from __future__ import annotations

import logging

import pytest

from beyondbase.native import build

SOURCES = sorted(path.stem for path in build.HERE.glob("*.c"))


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """No library loaded, none built."""
    monkeypatch.setenv("BEYONDBASE_RUNS", str(tmp_path))
    build._load.cache_clear()
    build.compiler.cache_clear()
    yield tmp_path / "native"
    monkeypatch.undo()
    build._load.cache_clear()
    build.compiler.cache_clear()


@pytest.mark.skipif(build.compiler() is None, reason="no C compiler here")
@pytest.mark.parametrize("name", SOURCES)
def test_every_file_of_the_package_compiles(name, fresh):
    assert build.library(name) is not None
    assert [path.suffix for path in fresh.iterdir()] == [".so"]


def test_there_are_files_to_compile():
    assert {"sampler", "forest"} <= set(SOURCES)


def test_without_a_compiler_there_is_no_library(fresh, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(fresh))
    assert build.compiler() is None and build.library("sampler") is None


def test_native_loops_can_be_switched_off(fresh, monkeypatch):
    monkeypatch.setenv("BEYONDBASE_NATIVE", "0")
    assert build.library("sampler") is None and not fresh.exists()


@pytest.mark.skipif(build.compiler() is None, reason="no C compiler here")
def test_a_refused_file_is_named_and_left_out(fresh, monkeypatch, tmp_path, caplog):
    (tmp_path / "broken.c").write_text("int sample(void) { return }\n")
    monkeypatch.setattr(build, "HERE", tmp_path)
    with caplog.at_level(logging.WARNING, logger="beyondbase.native"):
        assert build.library("broken") is None
    assert "broken.c" in caplog.text and "plain path" in caplog.text
    assert not list(fresh.glob("*.so"))
