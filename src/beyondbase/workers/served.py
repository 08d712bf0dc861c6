"""The far end of a worker, the process itself: `python -m beyondbase.workers.served MODULE:CLASS REPLY_FD`.

Requests come as JSON lines on standard input, replies go as JSON lines to an own file descriptor: what libraries print
goes to the log and cannot be taken for a reply. The process ends when its input does, in the middle of a computation
too, so a parent that was killed leaves nobody behind. Imports nothing but the standard library before the program,
because vLLM lives in an environment without this book's dependencies.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import resource
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any


class Unavailable(Exception):
    """Raised by a program that cannot work here; its text is the reason that the near end hears."""


def peak_mib() -> float:
    """Largest resident memory of this process so far, or since `reset_peak`, in MiB."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def reset_peak() -> None:
    """Let `peak_mib` begin anew, where the system can (Linux); elsewhere it stays the peak since the start."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def requests() -> queue.Queue[dict[str, Any]]:
    """Requests as they come; the process ends with its input."""
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            waiting.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return waiting


def serve(place: str, reply: int) -> None:
    """Import the program and say so; build it on "prepare"; answer other requests by its method of that name.

    A program is a class made from the job of "prepare"; its `info` and its methods' results are plain values.
    """
    program: Any = None

    def build(job: dict[str, Any]) -> dict[str, Any]:
        nonlocal program
        program = load(place)(job)
        return program.info

    def started(_: dict[str, Any]) -> dict[str, Any]:
        load(place)
        return {}

    waiting = requests()
    with os.fdopen(reply, "w", buffering=1) as out:
        out.write(json.dumps(answered(started, {})) + "\n")
        while True:
            request = waiting.get()
            call = build if request["do"] == "prepare" else getattr(program, request["do"])
            out.write(json.dumps(answered(call, request["job"])) + "\n")


def load(place: str) -> type:
    """The program's class; importing it is most of a start."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def answered(call: Callable[[dict[str, Any]], dict[str, Any]], job: dict[str, Any]) -> dict[str, Any]:
    """What to reply: what the call says, with the peak of memory, or why it failed."""
    try:
        reset_peak()
        said = call(job)
        return {"said": {**said, "peak_mib": round(said.get("peak_mib", peak_mib()), 1)}}
    except Unavailable as error:
        return {"failed": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}


if __name__ == "__main__":
    from beyondbase.workers.served import serve as serve_imported  # programs raise the imported module's Unavailable

    serve_imported(sys.argv[1], int(sys.argv[2]))
