"""Make many steps at once: one process a core, one thread a process, inputs before what is made from them.

Under `--cluster slurm` the processes are Slurm jobs.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar

from tqdm import tqdm

from .cluster import SlurmPool, active
from .step import Step, ancestors, gathered

log = logging.getLogger("beyondbase.cache")
_planning: ContextVar[bool] = ContextVar("planning", default=False)
_kept: dict[tuple, ProcessPoolExecutor] = {}  # at most one; its processes serve later calls in the same environment


class Planned(Exception):
    """Raised by `gather` under `planning`, with every step it would have seen to, inputs first."""

    def __init__(self, steps: list[Step]) -> None:
        super().__init__(f"{len(steps)} steps")
        self.steps = steps


@contextmanager
def planning() -> Iterator[None]:
    """Within this context `gather` makes nothing and raises `Planned`: what would a notebook cost?"""
    token = _planning.set(True)
    try:
        yield
    finally:
        _planning.reset(token)


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _leave_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)  # the caller was killed: work nobody waits for would only disturb its rerun


def _start_worker(parent: int) -> None:
    logging.getLogger("exca").setLevel(logging.ERROR)  # the caller gets the error itself
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an idle process serves the call after an interruption
    threading.Thread(target=_leave_with_parent, args=(parent,), daemon=True).start()


def _make(step: Step) -> float:
    begun = time.perf_counter()
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # Ctrl-C ends a step at once, without a traceback of its own
    try:
        step.files()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return time.perf_counter() - begun


def gather(steps: list[Step], jobs: int = 0, later: Sequence[Step] = ()) -> list[Step]:
    """Make every step that is not there yet, and give the same steps back.

    `jobs` is the number of processes, 0 for one a core (on a cluster: of jobs, 0 for one a step). Steps shared by
    several others are made once. The log says for each step whether it was reused, and why not; the bar counts steps
    and shows those under way. Results do not depend on `jobs`. The first failure ends the call after the running steps
    have ended; what was made stays. `later` stands for what a following call will make once these results are known:
    counted under `planning`, never made.
    """
    plan: dict[str, Step] = {}
    for step in [*steps, *(later if _planning.get() else ())]:
        for each in [*ancestors(step), step]:
            plan.setdefault(str(each.folder), each)
    if _planning.get():
        raise Planned(list(plan.values()))
    needs = {key: {str(parent.folder) for parent in step.inputs()} for key, step in plan.items()}
    ready = {key for key, step in plan.items() if step.at_hand()}
    saved = sum(plan[key].seconds() for key in ready)
    if ready:
        log.info("reused  %d of %d steps (%.0f s of work saved)", len(ready), len(plan), saved)
    waiting = [key for key in plan if key not in ready]
    for key in waiting:
        log.info("%s", plan[key].reason())
    if waiting:
        _run(plan, needs, ready, waiting, min(jobs or (len(waiting) if active() else cores()), len(waiting)))
    gathered.update(plan)
    return steps


@contextmanager
def _pool(jobs: int) -> Iterator[Executor]:
    """Where steps are made: jobs of a cluster, or processes that stay for the next call, for torch is slow to import.

    A failure ends them after their running steps, and so does a call in another environment.
    """
    if cluster := active():
        with SlurmPool(cluster) as pool:
            yield pool
        return
    size = max(jobs, cores())
    key = size, frozenset(os.environ.items())
    if key not in _kept:
        _dismiss()
        # spawn: forking a process that has started threads (torch, a notebook's kernel) can hang.
        _kept[key] = ProcessPoolExecutor(size, multiprocessing.get_context("spawn"), _start_worker, (os.getpid(),))
    try:
        yield _kept[key]
    except BaseException:
        _dismiss()
        raise


def _dismiss() -> None:
    while _kept:
        _kept.popitem()[1].shutdown(cancel_futures=True)


def _submit(pool: Executor, step: Step) -> Future:
    named = {"name": step.title()} if isinstance(pool, SlurmPool) else {}
    return pool.submit(_make, step, **named)


def _run(plan: dict, needs: dict, done: set, waiting: list, jobs: int) -> None:
    environment = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
    former = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    running: dict = {}
    try:
        with _pool(jobs) as pool, tqdm(total=len(waiting), unit="step", file=sys.stderr, mininterval=0.5) as bar:
            while waiting or running:
                for key in [key for key in waiting if needs[key] <= done][: jobs - len(running)]:
                    waiting.remove(key)
                    running[_submit(pool, plan[key])] = (key, time.perf_counter())
                ended, _ = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
                for future in ended:
                    key, _ = running.pop(future)
                    seconds = future.result()
                    done.add(key)
                    bar.update()
                    bar.write(f"made    {plan[key].title()} in {seconds:.0f} s", file=sys.stderr)
                now = [f"{plan[key].title()} {time.perf_counter() - begun:.0f} s" for key, begun in running.values()]
                bar.set_postfix_str(", ".join(now))
    finally:
        for name, value in former.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
