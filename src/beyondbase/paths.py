"""Where things are: the repository, its notebooks, its runs."""

from __future__ import annotations

import os
from pathlib import Path


def root() -> Path:
    """The repository's top: `BEYONDBASE_ROOT`, else the checkout this package is installed from.

    Raises FileNotFoundError where neither holds `book/claims.yml`.
    """
    named = os.environ.get("BEYONDBASE_ROOT")
    top = Path(named) if named else Path(__file__).resolve().parents[2]
    if not (top / "book" / "claims.yml").is_file():
        raise FileNotFoundError(
            f"{top} is not a checkout of this book (no book/claims.yml); set BEYONDBASE_ROOT to one"
        )
    return top.resolve()


def runs() -> Path:
    """Folder of this machine's runs and cache (ignored by git): `BEYONDBASE_RUNS`, else `runs/`."""
    named = os.environ.get("BEYONDBASE_RUNS")
    return Path(named).resolve() if named else root() / "runs"
