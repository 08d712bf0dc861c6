"""`beyondbase sample --cluster slurm --jobs N`: jobs that fill one store, seen from the process that submits them."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ..cache import cluster
from . import claims, command, run
from .options import checked
from .store import Store

LOOKS = 5.0  # seconds between two looks at the store
IDLE = 3  # rounds of jobs in a row that may add nothing


def main(options: argparse.Namespace) -> int:
    """Check all that can be checked here, begin the store, submit, wait, and say what came of it.

    A job that is killed or runs out of time is submitted again as long as samples are missing; they are counted in the
    store itself, so that none is missed or counted twice, whatever happened to the jobs. Jobs that wait in the queue
    when nothing is missing any more are called off.
    """
    if checked(options) != (1, 1):
        raise ValueError(
            f"--shard {options.shard}: not with --cluster; its jobs take the blocks that no other works on"
        )
    if options.jobs < 1:
        raise ValueError(f"--jobs {options.jobs}: must be at least 1")
    chosen = cluster.choose(options.cluster, options.slurm)
    options.backend = options.backend or ("vllm" if chosen["gpus"] else "transformers")
    with command.prepared(options) as plan:
        before, lacking = Tally(plan.store), _lacking(plan)
        command.check_grader(plan)
        total, there = sum(len(block.keys) for block in plan.todo), before.rows
        command.say(f"{plan.store.folder}: {there} of {total} samples are there")
        with command.Bar(total, there) as bar:
            after = _rounds(plan, options, chosen, before, lacking, bar.tell)
        command.last_lines(plan, run.Report(
            after.rows - before.rows, after.tokens - before.tokens, after.graded - before.graded
        ))  # fmt: skip
    return 0


class Tally:
    """Rows, tokens and grades of a store: shards are read again only where they were replaced."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._seen: dict[str, tuple[tuple[int, int], tuple[int, int, int]]] = {}
        self.rows = self.tokens = self.graded = 0
        self.look()

    def look(self) -> None:
        """Count anew. A shard that cannot be read counts nothing: who fills its block sets it aside."""
        for name in self.store.names():
            path = self.store.path(name)
            try:
                stamp = (path.stat().st_mtime_ns, path.stat().st_ino)
                if name not in self._seen or self._seen[name][0] != stamp:
                    self._seen[name] = stamp, _counts(path)
            except (OSError, ValueError):
                self._seen.pop(name, None)
        self.rows, self.tokens, self.graded = (sum(numbers) for numbers in zip(
            (0, 0, 0), *(counted for _, counted in self._seen.values()), strict=True
        ))  # fmt: skip

    def blocks(self, names: Iterable[str]) -> Iterator[tuple[str, int, int]]:
        """Name, rows and grades of each of these blocks, as last seen."""
        for name in names:
            rows, _, graded = self._seen[name][1] if name in self._seen else (0, 0, 0)
            yield name, rows, graded


def _counts(path: Path) -> tuple[int, int, int]:
    table = pq.ParquetFile(path).read(["tokens", "grader"], use_threads=False)
    graded = table.num_rows - table["grader"].null_count
    return table.num_rows, sum(table["tokens"].to_pylist()), graded


def _lacking(plan: command.Plan) -> list[str]:
    """Names of the blocks that lack samples, or grades where these are wanted."""
    state = run.missing(plan.store, plan.todo, ungraded=plan.grade is not None, by=plan.by)
    return [block.name for block, here, ungraded in state if here < len(block.keys) or ungraded]


def _rounds(
    plan: command.Plan, options: argparse.Namespace, chosen: dict[str, Any], before: Tally, lacking: list[str],
    tell: Callable[[int, int], None],
) -> Tally:  # fmt: skip
    """Submit jobs until nothing is lacking; RuntimeError where that does not come nearer."""
    tally, idle = Tally(plan.store), 0
    while lacking:
        had = (tally.rows, tally.graded)
        with cluster.SlurmPool(chosen, f"sample-{plan.store.settings['model']}"[:60].replace("/", "-")) as pool:
            count = min(options.jobs, len(lacking))
            jobs = [pool.submit(_fill, options, name=f"sampling job {i + 1} of {count}") for i in range(count)]
            if not _watch(jobs, tally, tell, _Full(plan, tally)):
                pool.shutdown(cancel_futures=True)
        lacking = _lacking(plan)
        idle = 0 if (tally.rows, tally.graded) != had else idle + 1
        if lacking and idle >= IDLE:
            raise RuntimeError(
                f"{plan.store.folder}: {len(lacking)} block(s) are not filled, the first is {lacking[0]}"
            )
        if lacking and idle:  # what a job that died elsewhere had claimed becomes free in a while
            time.sleep(claims.EXPIRY / 2)
    return tally


class _Full:
    """Whether a store has lacked nothing for two looks, so that no job can add to it."""

    def __init__(self, plan: command.Plan, tally: Tally) -> None:
        self.plan, self.tally, self.wanted = plan, tally, {block.name: len(block.keys) for block in plan.todo}
        self.known: tuple[tuple[int, int], bool] | None = None

    def __call__(self) -> bool:
        """Shards are read whole only where their numbers of rows allow it, and once for the same numbers."""
        now = (self.tally.rows, self.tally.graded)
        if self.known is None or self.known[0] != now:
            at_least = all(
                rows >= self.wanted[name] and (graded >= self.wanted[name] or self.plan.grade is None)
                for name, rows, graded in self.tally.blocks(self.wanted)
            )
            self.known = now, at_least and not _lacking(self.plan)
            return False
        return self.known[1]


def _watch(jobs: list[Future], tally: Tally, tell: Callable[[int, int], None], full: Callable[[], bool]) -> bool:
    """Tell of what comes into the store until all jobs have ended (True), or the store is full (False).

    Raises what a job raised, its time's end aside.
    """
    waiting = set(jobs)
    while waiting:
        ended, waiting = wait(waiting, timeout=LOOKS, return_when=FIRST_COMPLETED)
        rows, tokens = tally.rows, tally.tokens
        tally.look()
        tell(tally.rows - rows, tally.tokens - tokens)
        for job in ended:
            if not isinstance(fault := job.exception(), cluster.OutOfTime | None):
                raise fault
        if waiting and full():
            return False
    return True


def _fill(options: argparse.Namespace) -> None:
    """What a job does."""
    with command.prepared(options) as plan:
        command.fill(plan)
