"""Folders that are either whole or not there: written aside, checksummed, renamed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SEAL = "seal.json"


class Damaged(RuntimeError):
    """A sealed folder whose files are not those it was sealed with."""


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under a folder by relative path, the seal itself left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files if path.name != SEAL}


def check(folder: Path) -> dict:
    """The seal of a folder; raises `Damaged` naming the first file that is missing, foreign or altered."""
    try:
        seal = json.loads((folder / SEAL).read_text())
        wanted = seal["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{folder}: the seal cannot be read ({type(error).__name__})") from error
    found = contents(folder)
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            what = "missing" if name not in found else "not part of it" if name not in wanted else "altered"
            raise Damaged(f"{folder / name}: {what}")
    return seal


@contextmanager
def sealing(target: Path, note: dict) -> Iterator[Path]:
    """Give a folder to write into; on leaving without an error it is sealed and takes the target's place.

    `note` is kept in the seal and may be filled while the folder is open. The former folder stays until the new one
    is complete; an error, Ctrl-C or a full disk leaves it as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    former = aside.with_name(aside.name + "-former")
    try:
        yield aside
        (aside / SEAL).write_text(json.dumps({**note, "files": contents(aside)}, indent=1, sort_keys=True) + "\n")
        if target.exists():
            os.rename(target, former)
        os.rename(aside, target)
        shutil.rmtree(former, ignore_errors=True)
    finally:
        if former.exists() and not target.exists():
            os.rename(former, target)
        shutil.rmtree(aside, ignore_errors=True)
