"""Filling a store: blocks are claimed, drawn, written, graded, given back; whatever stops it, the next call goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .backends import Backend, Completion, Job
from .blocks import PROBLEMS, SAMPLES, Block, Key
from .grades import Grading
from .store import Row, Store

FULL = PROBLEMS * SAMPLES  # finished rows that may be unwritten


@dataclass(frozen=True)
class Source:
    """What the samples are of: `jobs` makes the job of a key, `row` its stored row from a completion."""

    job: Callable[[Key], Job]
    row: Callable[[Key, Completion], Row]


@dataclass
class Report:
    """What a call did: samples drawn and tokens, rows graded, blocks that others are at, rows that are there."""

    drawn: int = 0
    tokens: int = 0
    graded: int = 0
    elsewhere: list[str] = field(default_factory=list)
    there: int = 0


@dataclass
class _Open:
    """A claimed block: keys still to come, rows not yet written, rows without a grade."""

    block: Block
    missing: set[Key]
    fresh: list[Row] = field(default_factory=list)
    ungraded: list[Row] = field(default_factory=list)


def fill(
    store: Store,
    todo: Sequence[Block],
    source: Source,
    backend: Backend,
    grade: Grading | None = None,
    tell: Callable[[int, int], None] = lambda samples, tokens: None,
    expiry: float | None = None,
    by: str | None = None,
) -> Report:
    """Draw what is missing of the blocks and grade what has no grade; `tell` hears of samples and tokens as they come.

    With `by`, what another grader graded is graded again. Blocks that somebody else is at are left to them. Killed at
    any moment, at most the finished samples of one block's size are lost; on an exception (Ctrl-C too) none of those
    that are finished.
    """
    return _Filling(store, source, backend, grade, tell, expiry, by).run(todo)


def missing(
    store: Store, todo: Sequence[Block], *, ungraded: bool, by: str | None = None
) -> Iterator[tuple[Block, int, int]]:
    """Every block with the number of its samples that are there, and of those among them to be graded (see `fill`)."""
    names = set(store.names())
    for block in todo:
        rows = store.sound(block.name) if block.name in names else {}
        here = [rows[key] for key in block.keys if key in rows]
        yield block, len(here), sum(_lacks_grade(row, by) for row in here) if ungraded else 0


def _lacks_grade(row: Row, by: str | None) -> bool:
    return row["grader"] is None or (by is not None and row["grader"] != by)


class _Filling:
    def __init__(self, store, source, backend, grade, tell, expiry, by) -> None:
        self.by = by
        self.store, self.source, self.backend, self.grade, self.tell = store, source, backend, grade, tell
        self.claims = store.claims(**({} if expiry is None else {"expiry": expiry}))
        self.open: dict[str, _Open] = {}
        self.whose: dict[Key, str] = {}
        self.report = Report()

    def run(self, todo: Sequence[Block]) -> Report:
        waiting = deque(todo)
        try:
            while waiting or self.open:
                while waiting and self.backend.pending < self.backend.appetite:
                    self._start(waiting.popleft())
                if self.open:
                    self._gather(self.backend.poll())
        finally:
            try:
                for opened in self.open.values():
                    self._write(opened)
            finally:
                self.claims.close()
        return self.report

    def _start(self, block: Block) -> None:
        """Claim a block and submit what it lacks; one that lacks nothing is only graded."""
        if not self.claims.take(block.name):
            self.report.elsewhere.append(block.name)
            return
        there = self.store.sound(block.name)
        keys = block.keys
        lacking = [key for key in keys if key not in there]
        here = [there[key] for key in keys if key in there]
        ungraded = [row for row in here if _lacks_grade(row, self.by)] if self.grade else []
        self.report.there += len(keys) - len(lacking)
        self.open[block.name] = opened = _Open(block, set(lacking), ungraded=ungraded)
        if not lacking:
            self._finish(opened)
            return
        self.whose.update(dict.fromkeys(lacking, block.name))
        self.backend.submit([self.source.job(key) for key in lacking])

    def _gather(self, found: Sequence[tuple[Key, Completion]]) -> None:
        for key, completion in found:
            opened = self.open[self.whose.pop(key)]
            opened.missing.remove(key)
            opened.fresh.append(self.source.row(key, completion))
            self.report.drawn += 1
            self.report.tokens += len(completion.ids)
        self.tell(len(found), sum(len(completion.ids) for _, completion in found))
        for opened in [opened for opened in self.open.values() if not opened.missing]:
            self._finish(opened)
        if sum(len(opened.fresh) for opened in self.open.values()) >= FULL:
            for opened in self.open.values():
                self._write(opened)

    def _write(self, opened: _Open) -> None:
        if opened.fresh:
            self.store.write(opened.block.name, opened.fresh)
            if self.grade:
                opened.ungraded += opened.fresh
            self.report.there += len(opened.fresh)
            opened.fresh = []

    def _finish(self, opened: _Open) -> None:
        """Write a whole block, then its grades, then give it back."""
        self._write(opened)
        if self.grade and opened.ungraded:
            self.store.write(opened.block.name, self.grade(opened.ungraded))
            self.report.graded += len(opened.ungraded)
        del self.open[opened.block.name]
        self.claims.give(opened.block.name)


def prompt_lengths(ids: Mapping[str, Sequence[int]], context: int | None, max_tokens: int) -> tuple[int | None, int]:
    """The context an engine needs, and how many problems leave less than max_tokens; ValueError where one leaves 0."""
    longest = max(map(len, ids.values()))
    if context is None:
        return None, 0
    for problem, tokens in ids.items():
        if len(tokens) >= context:
            raise ValueError(f"problem {problem!r}: its prompt has {len(tokens)} tokens, the model reads {context}")
    return min(context, longest + max_tokens), sum(len(tokens) + max_tokens > context for tokens in ids.values())
