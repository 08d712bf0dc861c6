"""vLLM as the engine: one process for each data-parallel part, fed without a pause between blocks.

It is taken from this environment, or from `.venv-vllm` beside it (its CPU build wants other versions than this book).
`LLM(data_parallel_size=...)` is refused by vLLM within one process, so each part here is an engine with devices of its
own.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..workers.process import Failed, Program, Worker
from ..workers.vllm_environment import NAME, settings
from .backends import Backend, Completion, Engine, Job
from .blocks import Key

PLACE = "beyondbase.sampling.vllm_engine:Engine"
SECONDS = 2.0  # of computing between two looks at what is done
LOADING, ANSWER = 3600.0, 7200.0  # seconds until an engine counts as dead


class VllmBackend(Backend):
    """Engines in processes of their own; a job goes to the one with the fewest open."""

    def __init__(self, engine: Engine) -> None:
        import torch

        gpu = torch.cuda.is_available()
        python, folder = interpreter()
        options = {**({} if gpu else {"enforce_eager": True}), **engine.options}
        dtype = engine.dtype if engine.dtype != "auto" or gpu else "float32"
        self.appetite = engine.data_parallel * int(options.get("max_num_seqs", 256))
        self.workers: list[Worker] = []
        self.open: list[dict[int, Job]] = [{} for _ in range(engine.data_parallel)]
        self.new: list[list[Job]] = [[] for _ in range(engine.data_parallel)]
        self.number = 0
        self.logs = Path(tempfile.mkdtemp(prefix="beyondbase-vllm-"))
        job = {"model": engine.model, "revision": engine.revision, "dtype": dtype, "max_model_len": engine.context,
               "tensor_parallel": engine.tensor_parallel, "trust": engine.trust, "temperature": engine.temperature,
               "top_p": engine.top_p, "stop": list(engine.stop), "options": options,
               "pictures": engine.pictures}  # fmt: skip
        try:
            for part in range(engine.data_parallel):
                where = _devices(engine, part) if gpu else _cpu(folder)
                who = Program("vllm", PLACE, python, {"HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "0"), **where})
                self.workers.append(Worker(who, _threads(), self.logs / f"{part}.log"))
            infos = [self._ask(worker, "prepare", job) for worker in self.workers]
        except BaseException:
            self.close()
            raise
        self.versions = {"vllm": infos[0]["vllm"], "dtype": infos[0]["dtype"], "device": "cuda" if gpu else "cpu",
                         "tensor_parallel": str(engine.tensor_parallel)}  # fmt: skip

    @property
    def pending(self) -> int:
        return sum(map(len, self.open)) + sum(map(len, self.new))

    def submit(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            loads = [len(open_) + len(new) for open_, new in zip(self.open, self.new, strict=True)]
            self.new[loads.index(min(loads))].append(job)

    def poll(self) -> list[tuple[Key, Completion]]:
        for worker, open_, new in zip(self.workers, self.open, self.new, strict=True):
            add = []
            for job in new:
                open_[self.number] = job
                add.append({"number": self.number, "seed": job.seed, "max_tokens": job.max_tokens, **self._prompt(job)})
                self.number += 1
            new.clear()
            self._tell(worker, "step", {"add": add, "seconds": SECONDS})
        found = []
        for worker, open_ in zip(self.workers, self.open, strict=True):
            for number, *made in self._hear(worker, "step", ANSWER)["done"]:
                found.append((open_.pop(number).key, Completion(*made)))
        return found

    def _prompt(self, job: Job) -> dict[str, Any]:
        """Ids, and where there is a picture its file: vLLM puts the picture in the place of the one placeholder."""
        if job.shown is None:
            return {"ids": job.ids, "picture": None}
        file = self.logs / f"{job.shown.picture.digest}.picture"
        if not file.exists():
            file.write_bytes(job.shown.picture.read())
        return {"ids": job.shown.ids, "picture": str(file)}

    def close(self) -> None:
        for file in self.logs.glob("*.picture"):
            file.unlink()
        for worker in self.workers:
            worker.close()

    def _ask(self, worker: Worker, do: str, job: dict[str, Any]) -> dict[str, Any]:
        self._hear(worker, "import", LOADING)
        self._tell(worker, do, job)
        return self._hear(worker, do, LOADING)

    def _tell(self, worker: Worker, do: str, job: dict[str, Any]) -> None:
        try:
            worker.tell(do, job)
        except Failed as failed:
            raise RuntimeError(f"vllm: {failed} (its log: {worker.log})") from None

    def _hear(self, worker: Worker, do: str, timeout: float) -> dict[str, Any]:
        try:
            return worker.hear(do, timeout)
        except Failed as failed:
            raise RuntimeError(f"vllm: {failed} (its log: {worker.log})") from None


def interpreter() -> tuple[str, Path | None]:
    """The Python that has vLLM, and its environment's folder where that is not this one; ValueError where none has."""
    if importlib.util.find_spec("vllm"):
        return sys.executable, None
    from ..paths import root

    folder = root() / NAME
    if (folder / "beyondbase.stamp").is_file():
        return str(folder / "bin" / "python"), folder
    raise ValueError(
        "vLLM is not installed here: pip install 'beyondbase[gpu]' on a GPU, `make vllm` in this checkout for its CPU"
        " build, or --backend transformers"
    )


def _devices(engine: Engine, part: int) -> dict[str, str]:
    """The GPUs of one data-parallel part; ValueError where there are too few."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    have = named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]
    need = engine.tensor_parallel * engine.data_parallel
    if len(have) < need:
        sizes = f"--tensor-parallel {engine.tensor_parallel} --data-parallel {engine.data_parallel}"
        raise ValueError(f"{sizes}: needs {need} GPUs, there are {len(have)}")
    mine = have[part * engine.tensor_parallel : (part + 1) * engine.tensor_parallel]
    return {"CUDA_VISIBLE_DEVICES": ",".join(mine), "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "WARNING",
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}  # fmt: skip


def _cpu(folder: Path | None) -> dict[str, str]:
    return settings(folder or Path(sys.prefix), _threads())


def _threads() -> int:
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
