"""Contestants in turn: start a process for each, let one compute at a time, repeat in rounds, survive whoever dies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..workers.process import Failed, Program, Worker

Contestant = Program  # who competes: the name in the tables, and its adapter


@dataclass
class Outcome:
    """What a contestant did: its settings, measurements by job name, and why it stopped, if it did."""

    info: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    reason: str | None = None


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
