"""Contestants that behave and misbehave; each runs in a worker process of its own."""

from __future__ import annotations

import os
import sys
import time

from beyondbase.workers.served import Unavailable


class Good:
    """Counts its calls; 100 tokens in half a second, if one believes it."""

    def __init__(self, job: dict) -> None:
        self.info, self.job, self.calls = {"dtype": "float32", "given": job["word"]}, job, 0

    def tune(self, job: dict) -> dict:
        return {"tuned": job["length"]}

    def repeat(self, job: dict) -> dict:
        self.calls += 1
        with open(self.job["diary"], "a") as diary:
            diary.write(f"{self.job['word']} begins\n")
            time.sleep(0.05)
            diary.write(f"{self.job['word']} ends\n")
        return {"seconds": 0.5, "tokens": 100, "call": self.calls}


class Prints(Good):
    """Writes to both streams what looks like replies, and what is no text at all."""

    def repeat(self, job: dict) -> dict:
        print('{"said": {"seconds": 0.0, "tokens": 1}}')
        sys.stderr.write("garbage {\n")
        os.write(1, b"\xff\xfe\n" * 5000)
        return super().repeat(job)


class Dies(Good):
    def repeat(self, job: dict) -> dict:
        if self.calls:
            print("out of luck", flush=True)
            os._exit(7)
        return super().repeat(job)


class Hangs(Good):
    def repeat(self, job: dict) -> dict:
        time.sleep(600)
        return {}


class Cannot(Good):
    def tune(self, job: dict) -> dict:
        raise Unavailable("needs a thing that is not here")


class Broken(Good):
    def __init__(self, job: dict) -> None:
        raise KeyError("no such\nweight")


class Grows(Good):
    """Takes 200 MiB for the first round and gives it back."""

    def repeat(self, job: dict) -> dict:
        if not self.calls:
            bytes(bytearray(b"x") * (200 << 20))
        return super().repeat(job)
