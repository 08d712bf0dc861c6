"""The sample store: `store.json` and Parquet shards, each replaced in one step, so that no stop can spoil it.

    STORE/store.json            the settings, which never change; `problems` is a fingerprint of ids and prompts
    STORE/shards/BLOCK.parquet  the samples of a block (see `blocks`): a row a sample, settings as columns too
    STORE/claims/BLOCK.json     who works on it now
    STORE/damaged/              shards that could not be read, set aside

A shard may hold a part of its block; writing merges by (problem, sample), so rows are never lost and never double.

`logprob` is the log-probability of a completion under the model itself, in nats: the sum over its `tokens` new tokens,
the stop token included, of the log-softmax of the model's logits as they are: temperature 1, nothing truncated. The
sample was drawn at the store's temperature and top-p, so its probability of being drawn is another number; this one
compares models. Null where it is not known: in stores begun before there was the column.
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .blocks import PROBLEMS, SAMPLES, Key
from .claims import Claims

FORMAT = 1
FILE = "store.json"
SHARD = re.compile(r"p\d{5}-s\d{5}\.parquet")
SCHEMA = pa.schema(
    {
        "problem_id": pa.string(),
        "sample": pa.int32(),
        "correct": pa.bool_(),  # null: not graded, or (with a grader) not to be judged
        "text": pa.string(),
        "tokens": pa.int32(),
        "finish": pa.string(),  # stop or length
        "seed": pa.int64(),
        "answer": pa.string(),
        "reason": pa.string(),
        "grader": pa.string(),
        "model": pa.string(),
        "prompt_hash": pa.string(),
        "temperature": pa.float64(),
        "top_p": pa.float64(),
        "max_tokens": pa.int32(),
        "logprob": pa.float64(),  # nats
    }
)
LATER = {"logprob"}  # columns that shards written before have not
Row = dict[str, Any]


class StoreError(ValueError):
    """A store that cannot be used as asked; the message names the store, the field and what to do."""


class DamagedShard(StoreError):
    """A shard that is not what was written."""


class Store:
    """A folder of samples of one model on one benchmark under one prompt and one way of sampling."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder, self.settings = folder, dict(settings)
        self.shards = folder / "shards"
        self.notes: list[str] = []
        self.made: dict[str, str] = {}  # what writes: versions and device, kept in the shards

    @classmethod
    def open(cls, folder: Path) -> Store:
        """The store in a folder; StoreError where there is none, or it cannot be read."""
        try:
            words = json.loads((folder / FILE).read_bytes())
        except FileNotFoundError:
            raise StoreError(f"{folder}: no sample store here (no {FILE})") from None
        except ValueError as fault:
            raise StoreError(
                f"{folder / FILE}: cannot be read: {fault}; restore it, or sample anew elsewhere"
            ) from None
        if not isinstance(words, dict) or words.get("format") != FORMAT:
            found = words.get("format") if isinstance(words, dict) else type(words).__name__
            raise StoreError(f"{folder / FILE}: format {found!r}; this version reads format {FORMAT}")
        return cls(folder, words["settings"])

    @classmethod
    def make(cls, folder: Path, settings: Mapping[str, Any], versions: Mapping[str, str]) -> Store:
        """The store in a folder, begun if need be; StoreError names the first setting that differs from before."""
        settings = json.loads(json.dumps({**settings, "block": [PROBLEMS, SAMPLES]}))
        if folder.exists() and not (folder / FILE).exists() and any(folder.iterdir()):
            raise StoreError(f"{folder} holds other files and no {FILE}; choose another folder with --out")
        folder.mkdir(parents=True, exist_ok=True)
        begun = {"format": FORMAT, "settings": settings, "versions": dict(versions)}
        _create(folder / FILE, json.dumps(begun, indent=1).encode() + b"\n")
        store = cls.open(folder)
        for name in sorted(settings.keys() | store.settings.keys()):
            old, new = store.settings.get(name), settings.get(name)
            if old != new:
                raise StoreError(
                    f"{folder} was begun with {name} = {old!r}, now it is {new!r}; samples of both cannot be told"
                    " apart: sample as before, or into another folder with --out"
                )
        store.shards.mkdir(exist_ok=True)
        return store

    def claims(self, **options: Any) -> Claims:
        return Claims(self.folder / "claims", **options)

    def names(self) -> list[str]:
        """Names of the blocks that have a shard, in order."""
        if not self.shards.is_dir():
            return []
        return sorted(path.stem for path in self.shards.iterdir() if SHARD.fullmatch(path.name))

    def path(self, name: str) -> Path:
        return self.shards / f"{name}.parquet"

    def read(self, name: str) -> dict[Key, Row]:
        """The rows of a block by key, every byte checked; none where it has no shard. DamagedShard says more."""
        path = self.path(name)
        try:
            with path.open("rb") as file:
                table = pq.ParquetFile(file, page_checksum_verification=True).read(use_threads=False)
        except FileNotFoundError:
            return {}
        except (pa.ArrowException, OSError) as fault:
            raise DamagedShard(f"{path}: damaged: {str(fault).splitlines()[0].rstrip('.')}") from None
        if table.schema.names not in (SCHEMA.names, [name for name in SCHEMA.names if name not in LATER]):
            raise DamagedShard(f"{path}: damaged: not the columns of a shard: {', '.join(table.schema.names)}")
        for later in sorted(LATER - set(table.schema.names)):
            table = table.append_column(later, pa.nulls(table.num_rows, SCHEMA.field(later).type))
        rows = table.to_pylist()
        found = {(row["problem_id"], row["sample"]): row for row in rows}
        if len(found) != len(rows):
            raise DamagedShard(f"{path}: damaged: {len(rows) - len(found)} repeated sample(s)")
        return found

    def sound(self, name: str) -> dict[Key, Row]:
        """`read`, with a damaged shard moved to `damaged/` and named in `notes`: its samples are to be made again."""
        try:
            return self.read(name)
        except DamagedShard as fault:
            aside = self.folder / "damaged" / f"{name}-{time.time_ns()}.parquet"
            aside.parent.mkdir(exist_ok=True)
            os.replace(self.path(name), aside)
            self.notes.append(f"{fault}; set aside as {aside}, its samples are made again")
            return {}

    def write(self, name: str, rows: Sequence[Row]) -> int:
        """Merge rows into a block's shard in one step; how many it holds then. A row replaces the one of its key."""
        merged = self.sound(name)
        merged.update({(row["problem_id"], row["sample"]): row for row in rows})
        table = pa.Table.from_pylist([merged[key] for key in sorted(merged)], SCHEMA.with_metadata(self.made))
        for left in self.shards.glob(f".{name}.*"):  # of a writer of this block who was killed
            left.unlink(missing_ok=True)
        aside = self.shards / f".{name}.{uuid.uuid4().hex}"
        with aside.open("wb") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.replace(aside, self.path(name))
        except FileNotFoundError:  # another writer of this block took ours for a dead one's
            return self.write(name, rows)
        _sync(self.shards)
        return len(merged)

    def graders(self) -> Counter[str | None]:
        """Numbers of samples by the grader that graded them, None where none did; damaged shards aside."""
        found: Counter[str | None] = Counter()
        for name in self.names():
            try:
                table = pq.ParquetFile(self.path(name)).read(["grader"], use_threads=False)
            except (pa.ArrowException, OSError):
                continue  # who fills its block says so
            found.update(table["grader"].to_pylist())
        return found

    def rows(self) -> Iterator[Row]:
        """Every sample, block by block."""
        for name in self.names():
            yield from self.read(name).values()


def _create(path: Path, data: bytes) -> None:
    """Write a file unless it is there: the first of several machines wins, and nobody reads half of it."""
    if path.exists():
        return
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
