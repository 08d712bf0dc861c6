"""Small steps for the tests of the cache; in a module of their own, so that worker processes can import them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import ClassVar

from beyondbase.cache import Step


class Source(Step):
    modules: ClassVar = ("beyondbase.tasks.seeds",)
    value: int = 1
    parts: tuple[int, ...] = (3, 4)
    seconds_to_make: float = 0.0

    def label(self) -> list:
        return [self.value]

    def make(self, folder: Path) -> None:
        half = len(data := f"{self.value}{self.parts}" * 1000) // 2
        with (folder / "data.txt").open("w") as file:
            file.write(data[:half])
            file.flush()
            time.sleep(self.seconds_to_make)
            file.write(data[half:])


class Held(Step):
    """Made in two halves, with a wait between them for a file that the test makes."""

    modules: ClassVar = ("beyondbase.tasks.seeds",)
    value: int
    gate: str

    def label(self) -> list:
        return [self.value]

    def make(self, folder: Path) -> None:
        with (folder / "data.txt").open("w") as file:
            file.write(f"{self.value}" * 500)
            file.flush()
            while not Path(self.gate).exists():
                time.sleep(0.05)
            file.write(f"{self.value}" * 500)


class Sum(Step):
    modules: ClassVar = ("beyondbase.cache.sealed",)
    left: Source
    right: Source
    scale: float = 1.0

    def make(self, folder: Path) -> None:
        total = sum(len((step.files() / "data.txt").read_text()) for step in (self.left, self.right))
        (folder / "sum.txt").write_text(str(total * self.scale))


class Broken(Step):
    modules: ClassVar = ("beyondbase.tasks.seeds",)
    fuse: str

    def make(self, folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        if Path(self.fuse).exists():
            raise RuntimeError("the disk is full")


class Maker(Step):
    """Writes which process made it."""

    modules: ClassVar = ("beyondbase.tasks.seeds",)
    number: int

    def make(self, folder: Path) -> None:
        (folder / "process.txt").write_text(str(os.getpid()))
