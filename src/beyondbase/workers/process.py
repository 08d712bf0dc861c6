"""The near end of a worker: start its process, send requests, read answers, end it and whatever it started."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[2]
# Idle threads that spin would take the cores from whoever is to compute.
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
    """A worker that cannot go on; the text is the reason."""


@dataclass(frozen=True)
class Program:
    """What a worker runs: a name, `module:Class`, the Python (this one by default) and more variables for it."""

    name: str
    place: str
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)


class Worker:
    """A program's process and the talk with it: `tell` a request, `hear` its answer; `close` always ends the process.

    `Failed` gives the reason where there is no answer. What the program prints goes to the file `log`.
    """

    def __init__(self, who: Program, threads: int, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.who, self.log = who, log
        mine, theirs = os.pipe()
        given = {**os.environ, **QUIET, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(SOURCE), **who.environment}
        # The reader thread must never wait for output that nobody reads: prints go to a file.
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [who.python, "-m", "beyondbase.workers.served", who.place, str(theirs)],
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
        """The next answer; the first of all says that the program is imported."""
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
