"""What an engine takes and gives: jobs of token ids with a seed each, completions as they are done."""

from __future__ import annotations

import abc
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .blocks import Key
from .options import BACKENDS
from .pictures import Picture


@dataclass(frozen=True, slots=True)
class Shown:
    """A prompt with a picture: its text by the model's chat template, and the ids of that text, where one placeholder
    stands for the picture."""

    text: str
    ids: tuple[int, ...]
    picture: Picture


@dataclass(frozen=True, slots=True)
class Job:
    """One sample to draw: its key, the prompt's ids (a picture's own included), its seed, the most new tokens."""

    key: Key
    ids: tuple[int, ...]
    seed: int
    max_tokens: int
    shown: Shown | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """New ids, the stop token included; `finish` is "stop" or "length"; `logprob` as the store keeps it."""

    ids: Sequence[int]
    finish: str
    logprob: float | None = None


@dataclass(frozen=True)
class Engine:
    """What is loaded and how it draws; `options` go to the engine as they are. `pictures`: some prompts have one."""

    model: str
    revision: str | None = None
    dtype: str = "auto"
    temperature: float = 0.6
    top_p: float = 0.95
    stop: tuple[int, ...] = ()
    context: int | None = None
    tensor_parallel: int = 1
    data_parallel: int = 1
    batch: int = 64
    trust: bool = False
    pictures: bool = False
    options: dict[str, Any] = field(default_factory=dict)


class Backend(abc.ABC):
    """An engine at work: `submit` jobs, `poll` for what is done; `appetite` is the number of jobs it likes to have.

    `versions` says what it runs on. A sample depends on its prompt, seed and settings alone, up to rounding: engines
    add in another order when other samples are beside it, so a near tie of two tokens can fall the other way.
    """

    appetite: int
    pending: int
    versions: dict[str, str]

    @abc.abstractmethod
    def submit(self, jobs: Sequence[Job]) -> None: ...

    @abc.abstractmethod
    def poll(self) -> list[tuple[Key, Completion]]:
        """Completions since the last call, possibly none: computes for a while."""

    def close(self) -> None:  # noqa: B027 - an engine in this process ends with it
        """End whatever was started."""


def default_backend() -> str:
    """vllm where there is a GPU and vLLM, else transformers."""
    import torch

    return "vllm" if torch.cuda.is_available() and importlib.util.find_spec("vllm") else "transformers"


def start(name: str, engine: Engine) -> Backend:
    """The backend of that name with its model loaded; ValueError where it cannot be had here."""
    if name == "vllm":
        from .vllm_backend import VllmBackend

        return VllmBackend(engine)
    if name == "transformers":
        from .transformers_backend import TransformersBackend

        return TransformersBackend(engine)
    raise ValueError(f"no backend {name!r}; there are {', '.join(BACKENDS)}")
