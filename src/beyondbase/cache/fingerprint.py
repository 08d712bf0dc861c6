"""Fingerprints of the source that a piece of work really uses.

A cached result is good as long as the code that made it says the same. The fingerprint of a module covers the module
and everything of this package that it imports, directly or not; comments, docstrings and blank lines do not count, so
that explaining the code better does not cost an hour of compute.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import tokenize
from pathlib import Path

PACKAGE = "beyondbase"
SOURCE = Path(__file__).resolve().parents[1]
NATIVE = f"{PACKAGE}.native.build"  # who imports this rests on C files, too


def _docstring_lines(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            lines.update(range(first.lineno, first.end_lineno + 1))
    return lines


def meaning(source: str) -> str:
    """Source text without comments, docstrings and blank lines (the same on every Python version)."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    dropped = _docstring_lines(ast.parse(source))
    kept = [line.rstrip() for number, line in enumerate(lines, 1) if number not in dropped]
    return "\n".join(line for line in kept if line)


def file_of(module: str, source: Path = SOURCE) -> Path | None:
    """The file of one of the package's modules (of a package, its `__init__`), None where there is none."""
    base = source.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imports(module: str, path: Path, source: Path) -> set[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            name = ".".join(part for part in (parent, node.module) if part)
            found.add(name)
            found.update(f"{name}.{alias.name}" for alias in node.names)
    return {name for name in found if name.split(".")[0] == PACKAGE and name != PACKAGE and file_of(name, source)}


@functools.lru_cache
def sources(*modules: str, source: Path = SOURCE) -> dict[str, str]:
    """SHA-256 of the meaning of each module and of every package module it imports, by module name.

    A package's `__init__` counts where a name is imported from the package, not where one of its modules is. With the
    module that builds the C files come those files, whole, as "beyondbase/native/sampler.c" and the like.
    """
    waiting, found = list(modules), {}
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        path = file_of(module, source)
        if path is None:
            raise ValueError(f"module {module!r} is not in {source}; name one of the package's own modules")
        found[module] = hashlib.sha256(meaning(path.read_text()).encode()).hexdigest()
        waiting += _imports(module, path, source)
        if module == NATIVE:
            for file in sorted(path.parent.glob("*.[ch]")):
                found[f"{PACKAGE}/native/{file.name}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return dict(sorted(found.items()))


def digest(parts: dict[str, str]) -> str:
    """One hash (12 hex digits) for many named ones."""
    text = "\n".join(f"{name} {value}" for name, value in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
