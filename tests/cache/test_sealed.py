"""Sealed folders: whole, or not there; the former one stays until then."""

from __future__ import annotations

from pathlib import Path

import pytest

from beyondbase.cache import Damaged, check, sealing


def write(folder: Path, text: str) -> None:
    with sealing(folder, {"made": "by test"}) as open_folder:
        (open_folder / "sub").mkdir()
        (open_folder / "sub" / "a.txt").write_text(text)


def test_a_sealed_folder_checks(tmp_path: Path) -> None:
    write(tmp_path / "x", "one")
    assert check(tmp_path / "x")["made"] == "by test"
    write(tmp_path / "x", "two")
    assert (tmp_path / "x" / "sub" / "a.txt").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_leaves_the_former_folder(tmp_path: Path, error: BaseException) -> None:
    write(tmp_path / "x", "one")
    with pytest.raises(type(error)), sealing(tmp_path / "x", {}) as folder:
        (folder / "half.txt").write_text("half")
        raise error
    check(tmp_path / "x")
    assert (tmp_path / "x" / "sub" / "a.txt").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_an_interrupt_between_the_two_renames_puts_the_former_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "x", "one")
    import os

    real, calls = os.rename, []

    def rename(source: object, target: object) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr("beyondbase.cache.sealed.os.rename", rename)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "x", "two")
    assert (tmp_path / "x" / "sub" / "a.txt").read_text() == "one"


def test_damage_is_named(tmp_path: Path) -> None:
    write(tmp_path / "x", "one")
    (tmp_path / "x" / "sub" / "a.txt").write_text("One")
    with pytest.raises(Damaged, match=r"sub/a\.txt: altered"):
        check(tmp_path / "x")
