"""Who works on which block: a file created exclusively, kept fresh by a heartbeat, taken over when it grows old.

Claims only save work. What keeps a store right is that a shard is replaced in one step by its own name: two workers
who both believe that a block is theirs write the same samples.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path

EXPIRY = 300.0  # seconds without a heartbeat; clocks of machines that share a store may differ by less


class Claims:
    """The claims of one worker in a folder; `close` gives back what is still held."""

    def __init__(self, folder: Path, expiry: float = EXPIRY) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.expiry = folder, expiry
        self.owner = {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid()),
                      "token": uuid.uuid4().hex}  # fmt: skip
        self.held: set[str] = set()
        self._stop = threading.Event()
        self._beat: threading.Thread | None = None

    def take(self, name: str) -> bool:
        """Claim a block; False where somebody living has it."""
        path = self.folder / f"{name}.json"
        alive = self._alive(path)
        if alive:
            return False
        for left in self.folder.glob(f".{name}.*"):  # of one who was killed here
            left.unlink(missing_ok=True)
        aside = self.folder / f".{name}.{self.owner['token']}"
        aside.write_text(json.dumps(self.owner))
        try:
            if alive is None:
                _exclusively(aside, path)
            else:
                os.replace(aside, path)
        except (FileExistsError, FileNotFoundError):  # somebody else was faster
            aside.unlink(missing_ok=True)
            return False
        if not self._mine(path):  # somebody else took it over at the same moment
            return False
        self.held.add(name)
        if self._beat is None:
            self._beat = threading.Thread(target=self._keep_fresh, daemon=True)
            self._beat.start()
        return True

    def give(self, name: str) -> None:
        """Give a claim back, unless it has been taken over meanwhile."""
        self.held.discard(name)
        path = self.folder / f"{name}.json"
        if self._mine(path):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        self._stop.set()
        for name in list(self.held):
            self.give(name)

    def _alive(self, path: Path) -> bool | None:
        """Whether the owner of a claim may still be at work: fresh, and on this machine a living process.

        None where there is no claim.
        """
        try:
            age = time.time() - path.stat().st_mtime
            owner = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:  # only where a file system has no hard links: being written, or cut off while it was
            return age < min(self.expiry, 5.0)
        if owner.get("host") == self.owner["host"]:
            return _started(owner.get("pid", -1)) == owner.get("started") is not None
        return age < self.expiry

    def _mine(self, path: Path) -> bool:
        try:
            return json.loads(path.read_bytes())["token"] == self.owner["token"]
        except (OSError, ValueError, KeyError):
            return False

    def _keep_fresh(self) -> None:
        while not self._stop.wait(self.expiry / 10):
            for name in list(self.held):
                try:
                    os.utime(self.folder / f"{name}.json")
                except OSError:
                    pass


def _exclusively(aside: Path, path: Path) -> None:
    """Give a file another name, unless that one is taken (FileExistsError): whole at once where links are known."""
    try:
        os.link(aside, path)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY), "wb") as file:
            file.write(aside.read_bytes())
    aside.unlink(missing_ok=True)


def _started(pid: int) -> str | None:
    """When a process of this machine began, which tells it from a later one of the same number; None if it is gone."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if words[0] in "ZX" else words[19]
    except OSError:
        if Path("/proc/self").exists():
            return None
    try:
        os.kill(pid, 0)
        return "unknown"
    except OSError:
        return None
