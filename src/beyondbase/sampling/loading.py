"""Benchmarks as problems: rows of the hub, of a local folder or of a file, checked and with ids."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .benchmarks import BENCHMARKS, Benchmark, own_file
from .pictures import of_value, rows_of

FORMATS = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv"}
Problem = dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """Problems with `id`, `question` and, where there are such, `answer` and `image` (a `Picture`, a reference) beside
    their own fields; where they are from."""

    benchmark: Benchmark
    problems: list[Problem]
    revision: str

    @property
    def ids(self) -> list[str]:
        return [problem["id"] for problem in self.problems]


def load(name: str, source: str | None = None, revision: str | None = None) -> Loaded:
    """The problems of a benchmark by name, or of a file or folder of one's own.

    `source` puts another hub id, folder or file in the place of the table's. ValueError for an unknown name, or rows
    that are no problems; FileNotFoundError for files that are not there; RuntimeError where the hub cannot be reached.
    """
    row = find(name)
    where = source or row.source
    if row.name == "countdown" and source is None:
        found, at = _countdown(), f"version {row.revision}"
    elif (path := Path(where)).exists():
        found, at = _local(path, row), _digest(path)
    elif path.suffix in FORMATS or where.startswith((".", "/", "~")):
        raise FileNotFoundError(f"{where}: no such benchmark file or folder")
    else:
        found, at = _hub(row, where, revision)
    # One row at a time: LiveCodeBench's tests are gigabytes.
    problems = [_problem(row, fields, number) for number, fields in enumerate(found) if row.keep(fields)]
    if not problems:
        raise ValueError(f"{where}: no problems in it{'' if name == where else f' that belong to {row.name}'}")
    repeated = [name for name, times in Counter(problem["id"] for problem in problems).items() if times > 1]
    if repeated:
        raise ValueError(f"{where}: {len(repeated)} id(s) twice, the first is {repeated[0]!r}; ids must be distinct")
    return Loaded(row, problems, at)


def find(name: str) -> Benchmark:
    """The table's row, or one for a path; ValueError lists the names."""
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    if Path(name).suffix in FORMATS or Path(name).is_dir():
        return own_file(name)
    raise ValueError(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}, and any .jsonl or .parquet file")


def _problem(row: Benchmark, fields: Mapping[str, Any], number: int) -> Problem:
    """A row with its id, question and answer under these names; ValueError names the row that has none."""
    question = _first(fields, row.question)
    if question in (None, ""):
        have = ", ".join(fields)
        raise ValueError(f"{row.source}, row {number + 1}: no question ({' or '.join(row.question)}); it has {have}")
    found = _first(fields, row.id)
    problem = {**fields, "id": str(number if found is None else found), "question": question}
    answer = _first(fields, row.answer)
    if isinstance(answer, list | tuple):
        answer = ", ".join(str(part).strip().strip("$") for part in answer)
    if answer is not None:
        problem["answer"] = str(answer)
    if row.image and (picture := problem.pop(row.image, None)) not in (None, ""):
        problem["image"] = picture
    elif row.pictured:
        raise ValueError(f"{row.source}, row {number + 1}: no picture ({row.image})")
    return problem


def _first(fields: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _countdown() -> list[Problem]:
    from ..tasks.countdown import Countdown

    problems = Countdown(operands=(3, 4)).problems(200, split="test", seed=0)
    return [{"key": problem.key, "prompt": problem.prompt, "difficulty": problem.difficulty} for problem in problems]


def _local(path: Path, row: Benchmark) -> Iterable[Mapping[str, Any]]:
    """Rows of a file, of a folder that `datasets` saved, or of the files of a split in a folder."""
    from datasets import DatasetDict, load_from_disk

    if path.is_dir() and ((path / "state.json").exists() or (path / "dataset_dict.json").exists()):
        saved = load_from_disk(str(path))
        data = saved[_split(saved, row.split)] if isinstance(saved, DatasetDict) else saved
        return rows_of(data, row.image, str(path), path)
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in FORMATS and p.is_file())
    if path.is_dir():
        files = [file for file in files if row.split in file.stem or row.split in file.parent.name] or files
    if not files:
        raise FileNotFoundError(f"{path}: no {', '.join(FORMATS)} file in it")
    return (fields for file in files for fields in _rows(file, row.image))


def _rows(file: Path, image: str | None) -> Iterable[Mapping[str, Any]]:
    if file.suffix == ".jsonl":
        return _json_lines(file, image)
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    try:
        data = load_dataset(FORMATS[file.suffix], data_files=str(file), split="train")
    except (DatasetGenerationError, ValueError) as fault:
        raise ValueError(f"{file}: cannot be read: {_first_line(fault.__cause__ or fault)}") from None
    return rows_of(data, image, str(file), file.parent)


def _json_lines(file: Path, image: str | None = None) -> Iterator[Mapping[str, Any]]:
    """Rows of JSON lines, each as it is written: `datasets` would force one type on a field of several."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError as fault:
                raise ValueError(f"{file}, row {number}: not JSON in UTF-8: {_first_line(fault)}") from None
            if not isinstance(row, dict):
                raise ValueError(f"{file}, row {number}: a JSON object is expected, not {type(row).__name__}")
            if image and row.get(image):
                row[image] = of_value(row[image], file.parent, f"{file}, row {number}, {image}")
            yield row


def _hub(row: Benchmark, where: str, revision: str | None) -> tuple[Iterable[Mapping[str, Any]], str]:
    """Rows of a data set of the hub, and the commit that they are of."""
    from datasets import load_dataset

    wanted = revision or (row.revision if where == row.source else None)
    try:
        at = _commit(where, wanted)
        if row.files:
            from huggingface_hub import hf_hub_download

            paths = [hf_hub_download(where, name, repo_type="dataset", revision=at) for name in row.files]
            return (fields for path in paths for fields in _json_lines(Path(path))), at
        data = load_dataset(where, row.config, split=row.split, revision=at)
        return rows_of(data, row.image, where, Path()), at
    except Exception as fault:
        raise RuntimeError(
            f"{where} cannot be loaded ({type(fault).__name__}: {_first_line(fault)}); with no network, name a"
            " local copy with --benchmark-source"
        ) from fault


def _commit(where: str, revision: str | None) -> str:
    """The commit behind a revision of a data set, by the hub, or as it is where it is one already."""
    if revision and len(revision) == 40:
        return revision
    from huggingface_hub import HfApi

    return HfApi().dataset_info(where, revision=revision).sha


def _split(saved: Mapping[str, Any], split: str) -> str:
    if split in saved:
        return split
    if len(saved) == 1:
        return next(iter(saved))
    raise ValueError(f"no split {split!r}; there are {', '.join(saved)}")


def _digest(path: Path) -> str:
    """A fingerprint of a file, or of all files of a folder and their names."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as data:
            digest.update(hashlib.file_digest(data, "sha256").digest())
    return f"sha256:{digest.hexdigest()[:40]}"


def _first_line(fault: BaseException) -> str:
    return (str(fault).splitlines() or [""])[0][:200].rstrip(".")
