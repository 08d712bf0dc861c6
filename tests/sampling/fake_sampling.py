"""A fast engine whose samples are functions of their seeds, and the plain parts of a run around it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from beyondbase.sampling.backends import Backend, Completion, Job
from beyondbase.sampling.blocks import Key, sample_seed
from beyondbase.sampling.run import Source
from beyondbase.sampling.store import Row
from beyondbase.tasks.seeds import derive_seed

SETTINGS = {"model": "fake", "revision": "1", "benchmark": "numbers", "temperature": 0.6, "top_p": 0.95, "seed": 0}
PROBLEMS = {f"q{number}": {"question": f"{number} + 1?", "answer": str(number + 1)} for number in range(40)}


class FakeBackend(Backend):
    """`together` samples a poll, `pause` seconds each poll; counts what it was asked for."""

    def __init__(self, appetite: int = 1, together: int = 7, pause: float = 0.0) -> None:
        self.appetite, self.together, self.pause = appetite, together, pause
        self.jobs: list[Job] = []
        self.asked: list[Key] = []
        self.versions = {"fake": "1"}

    @property
    def pending(self) -> int:
        return len(self.jobs)

    def submit(self, jobs: Sequence[Job]) -> None:
        self.jobs += jobs
        self.asked += [job.key for job in jobs]

    def poll(self) -> list[tuple[Key, Completion]]:
        time.sleep(self.pause)
        now, self.jobs = self.jobs[: self.together], self.jobs[self.together :]
        return [(job.key, Completion([job.seed % 97, job.seed % 89, 2], "stop", -(job.seed % 31) / 7)) for job in now]


def seed(key: Key) -> int:
    return sample_seed(0, "fake", "1", "numbers", key)


def source() -> Source:
    """Jobs of any key, rows whose text says which sample they are and what the engine made of the seed."""

    def row(key: Key, made: Completion) -> Row:
        text = f"{key[0]} {key[1]} {made.ids[0]}"
        return {"problem_id": key[0], "sample": key[1], "text": text, "tokens": len(made.ids), "finish": made.finish,
                "seed": seed(key), "model": "fake", "prompt_hash": key[0], "temperature": 0.6, "top_p": 0.95,
                "max_tokens": 8, "logprob": made.logprob}  # fmt: skip

    return Source(lambda key: Job(key, (1,), seed(key), 8), row)


def grade(rows: Sequence[Row]) -> list[Row]:
    """Right by a coin that the seed decides."""
    return [
        {**row, "correct": derive_seed(row["seed"], "coin") % 3 == 0, "answer": row["text"], "reason": "a coin",
         "grader": "fake"}
        for row in rows
    ]  # fmt: skip
