"""Contestants in turn: start a process for each, let one compute at a time, repeat in rounds, survive whoever dies."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[2]
# Idle threads that spin would take the cores from whoever's turn it is.
QUIET = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYTHONWARNINGS": "ignore",
}


class Failed(Exception):
    """A contestant that cannot go on; the text is the reason."""


@dataclass(frozen=True)
class Contestant:
    """Who competes: a name, `module:Class` of its adapter, and where it runs if not in this environment."""

    name: str
    place: str
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What a contestant did: its settings, measurements by job name, and why it stopped, if it did."""

    info: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    reason: str | None = None


class Worker:
    """A contestant's process. `Failed` gives a reason for the table; `close` always ends the process."""

    def __init__(self, who: Contestant, threads: int, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.who, self.log = who, log
        mine, theirs = os.pipe()
        given = {**os.environ, **QUIET, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(SOURCE), **who.environment}
        # The reader thread must never wait for output that nobody reads: prints go to a file.
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [who.python, "-m", "beyondbase.bench.worker", who.place, str(theirs)],
                stdin=subprocess.PIPE, stdout=out, stderr=out, pass_fds=(theirs,), env=given, start_new_session=True,
            )  # fmt: skip
        os.close(theirs)
        self.replies, self.buffer = mine, b""

    def tell(self, do: str, job: dict[str, Any]) -> None:
        """Send a request, whose answer `hear` waits for."""
        try:
            self.process.stdin.write(json.dumps({"do": do, "job": job}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise Failed(self._death()) from None

    def hear(self, do: str, timeout: float) -> dict[str, Any]:
        """The next answer; the first of all says that the contestant is imported."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.replies], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise Failed(f"no answer to {do} within {timeout:.0f} s")
            if not (part := os.read(self.replies, 65536)):
                raise Failed(self._death())
            self.buffer += part
        line, _, self.buffer = self.buffer.partition(b"\n")
        answer = json.loads(line)
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer["said"]

    def _death(self) -> str:
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = "unknown"
        last = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()][-1:]
        return f"the process ended with {code}" + (f": {last[0].strip()[:200]}" if last else "")

    def close(self) -> None:
        if self.replies is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # with whatever it started
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdin.close()
        os.close(self.replies)
        self.replies = None


@dataclass
class Competition:
    """The contestants of one competition that are still in it, and what they did so far."""

    workers: dict[str, Worker]
    outcomes: dict[str, Outcome]
    timeout: float
    say: Callable[[str], None]

    def attempt(self, name: str, call: Callable[[Worker], dict[str, Any] | None]) -> dict[str, Any] | None:
        """What `call` gets from a contestant; None where it is out, or goes out now, with the reason kept."""
        if self.outcomes[name].reason is not None:
            return None
        try:
            return call(self.workers[name])
        except Failed as failed:
            self.outcomes[name].reason = str(failed)
            self.workers[name].close()
            self.say(f"{name}: not measured: {failed}")
            return None

    def start(self, prepare: Callable[[], dict[str, Any]]) -> None:
        """Import all contestants side by side, then build one after the other: some warm up as they are built."""
        job = prepare()
        for name in self.outcomes:
            self.attempt(name, lambda worker: worker.hear("import", self.timeout))
        for name, outcome in self.outcomes.items():
            outcome.info = self.turn(name, "prepare", job) or {}

    def turn(self, name: str, do: str, job: dict[str, Any]) -> dict[str, Any] | None:
        """One contestant's answer to one request, while all others wait."""

        def ask(worker: Worker) -> dict[str, Any]:
            worker.tell(do, job)
            return worker.hear(do, self.timeout)

        return self.attempt(name, ask)

    def job(self, label: str, job: dict[str, Any], repeats: int) -> None:
        """Let everyone find its best setting and warm up for a job, untimed, then its rounds.

        A job may say how many rounds it wants (`repeats`) and who sits it out (`skip`).
        """
        competing = {name: one for name, one in self.outcomes.items() if name not in job.get("skip", ())}
        repeats = job.get("repeats", repeats)
        for name, outcome in competing.items():
            if (settings := self.turn(name, "tune", job)) is not None:
                outcome.settings[label], outcome.measured[label] = settings, []
        for number in range(repeats):
            for name, outcome in competing.items():
                if (said := self.turn(name, "repeat", job)) is not None:
                    outcome.measured[label].append(said)
                    self.say(f"{label}, {number + 1} of {repeats}, {name}: {told(said)}")


def compete(
    contestants: Sequence[Contestant],
    prepare: Callable[[], dict[str, Any]],
    jobs: dict[str, dict[str, Any]],
    repeats: int,
    *,
    logs: Path,
    threads: int,
    timeout: float = 300.0,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Outcome]:
    """Outcome of each contestant by name, from `repeats` rounds of every job, one contestant computing at a time.

    All are built from what `prepare` returns, which is called while they import. Whoever fails, dies or lets `timeout`
    seconds pass leaves the competition with a reason; what it measured before stays.
    """
    workers: dict[str, Worker] = {}
    try:
        for who in contestants:
            workers[who.name] = Worker(who, threads, logs / f"{who.name}.log")
        found = Competition(workers, {who.name: Outcome() for who in contestants}, timeout, say)
        say(f"loading {', '.join(workers)}")
        found.start(prepare)
        for label, job in jobs.items():
            found.job(label, job, repeats)
        return found.outcomes
    finally:
        for worker in workers.values():
            worker.close()


def told(said: dict[str, Any]) -> str:
    """A measurement in a few words, for the progress lines."""
    if "tokens" in said and said.get("seconds"):
        return f"{said['tokens'] / said['seconds']:,.0f} tokens/s in {said['seconds']:.2f} s"
    return f"{said.get('seconds', 0):.3f} s"
