"""A cached step of an experiment: a pydantic model whose files are made once for its parameters, code and inputs.

`exca` keys, runs and remembers the step, in the process that asks for it (`gather` asks for many at once, in processes
or in Slurm's jobs); the files themselves lie in a sealed folder. The key of a step covers its parameters, the source
it uses, and, through the steps it holds as fields, the keys of its inputs. Each use says on the log why it was reused
or redone.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import os
import shutil
import textwrap
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import exca
import pydantic
from filelock import FileLock, Timeout

from . import shipped
from .fingerprint import digest, hash_of, sources
from .sealed import Damaged, check, sealing

log = logging.getLogger("beyondbase.cache")
PACKAGES = ("torch", "numpy")
gathered: set[str] = set()  # folders this process has seen to and spoken of; reading them again is no news


def flatten(value: Any, name: str = "") -> dict[str, Any]:
    """Leaves of nested dicts, and of lists of dicts, by dotted name."""
    if isinstance(value, list | tuple) and any(isinstance(each, dict) for each in value):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, inner in value.items() for k, v in flatten(inner, f"{name}.{key}".strip(".")).items()}


def differences(old: dict, new: dict) -> list[str]:
    """What changed between two notes of steps (`Step.note`), in words."""
    before, after = flatten(old.get("parameters", {})), flatten(new["parameters"])
    said = [f"{n} {before.get(n)} -> {after.get(n)}" for n in sorted(before | after) if before.get(n) != after.get(n)]
    was, now = old.get("source", {}), new["source"]
    changed = [name for name in sorted(was | now) if was.get(name) != now.get(name)]
    return said + ([f"code of {', '.join(changed)} changed"] if changed else [])


@functools.cache
def _packages() -> dict[str, str]:
    return {f"package {name}": version(name) for name in PACKAGES}


@functools.cache
def _own_code(cls: type) -> str:
    return hash_of(textwrap.dedent(inspect.getsource(cls)))


def _rests_on(values: Iterable[Any], besides: str) -> tuple[set[type], set[str]]:
    """What the models among the values, and inside them, stand for: classes, and modules of this package.

    A model that names its `modules`, as a step does, stands for its own code and theirs; any other for its module.
    """
    classes: set[type] = set()
    modules: set[str] = set()
    for value in values:
        if isinstance(value, pydantic.BaseModel) and not isinstance(value, Step | exca.TaskInfra):
            inside = _rests_on(dict(value).values(), besides)
            classes, modules = classes | inside[0], modules | inside[1]
            home = type(value).__module__
            if named := getattr(type(value), "modules", None):
                classes, modules = classes | {type(value)}, modules | set(named)
            elif home != besides and home.startswith("beyondbase."):
                modules.add(home)
    return classes, modules


class Step(pydantic.BaseModel):
    """Base of all steps: subclasses name their modules and write their files in `make(folder)`."""

    model_config = pydantic.ConfigDict(extra="forbid", validate_default=True)
    modules: ClassVar[tuple[str, ...]] = ()
    infra: exca.TaskInfra = exca.TaskInfra()

    @pydantic.model_validator(mode="before")
    @classmethod
    def _default_infra(cls, values: Any) -> Any:
        if isinstance(values, dict) and "infra" not in values:
            infra = {"folder": shipped.cache(), "version": digest(cls.code(values)), "mode": "retry"}
            return {**values, "infra": infra}
        return values

    @classmethod
    def code(cls, values: dict[str, Any]) -> dict[str, str]:
        """Fingerprints of the step's class and its bases, of the modules it names, and of what its values stand for.

        The versions of the packages that do the arithmetic are among them.
        """
        classes, modules = _rests_on(values.values(), besides=cls.__module__)
        classes |= {base for base in cls.__mro__ if issubclass(base, Step) and base is not Step}
        own = {f"{each.__module__}.{each.__name__}": _own_code(each) for each in classes}
        return {**dict(sorted(own.items())), **_packages(), **sources(*sorted({*cls.modules, *modules}))}

    @classmethod
    @functools.cache
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """As pydantic's, kept for the class: exca asks at every key, and it costs a hundred times the key."""
        return super().model_json_schema(*args, **options)

    def make(self, folder: Path) -> None:
        """Write the step's files into an empty folder."""
        raise NotImplementedError

    def passes(self) -> tuple[str, float]:
        """Model size, and how many tokens pass forward through it (a backward pass counts as two): the step's cost."""
        return "", 0.0

    def inputs(self) -> list[Step]:
        """The steps this one is made from: its fields that are steps."""
        return [value for name in type(self).model_fields if isinstance(value := getattr(self, name), Step)]

    def parameters(self) -> dict:
        """The step's own and its inputs' parameters as plain values, without where and how it runs."""
        plain = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name == "infra":
                continue
            if isinstance(value, Step):
                value = value.parameters()
            elif isinstance(value, pydantic.BaseModel):
                value = value.model_dump(mode="json")
            plain[name] = list(value) if isinstance(value, tuple) else value
        return {"step": type(self).__name__, **plain}

    def note(self) -> dict:
        """What the key stands for, in readable form: parameters and the source of the step and its inputs."""
        family = [self, *ancestors(self)]
        code = {name: value for step in family for name, value in step.code(dict(step)).items()}
        return {"step": type(self).__name__, "parameters": self.parameters(), "source": code}

    @property
    def folder(self) -> Path:
        """Where the step's files lie, made or not."""
        return Path(self.infra.uid_folder()) / "files"

    def ready(self) -> bool:
        """Whether the step's files are there and whole; says so on the log if they are damaged."""
        if not self.folder.exists():
            return False
        try:
            check(self.folder)
        except Damaged as damage:
            log.warning("damaged: %s: it is made again", damage)
            self.infra.clear_job()
            shutil.rmtree(self.folder, ignore_errors=True)
            return False
        return True

    def at_hand(self) -> bool:
        """Whether the step need not be made: its files are there, or came with the repository and are there now."""
        if self.ready():
            return True
        if not shipped.offered(self):
            return False
        with self._alone():
            return self.ready() or shipped.take(self)

    @infra.apply
    def seal(self) -> float:
        """Make the files if they are not there; seconds that took."""
        note = self.note()
        begun = time.perf_counter()
        with sealing(self.folder, note) as folder:
            self.make(folder)
            note["seconds"] = round(time.perf_counter() - begun, 3)
        return note["seconds"]

    def files(self) -> Path:
        """The step's sealed folder, made now if need be; logs why it was reused or made.

        Of several processes that want the same step, in one run or in several, one makes it and the others wait.
        """
        if not self.at_hand():
            with self._alone():
                if not self.ready():
                    log.info("%s", self.reason())
                    self._forget_unreadable_job()
                    self.seal()
                    return self.folder
        if str(self.folder) not in gathered:
            log.info("reused  %s (%.0f s saved)", self.title(), self.seconds())
        return self.folder

    @contextmanager
    def _alone(self) -> Iterator[None]:
        folder = Path(self.infra.folder) / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        place = str(self.folder.relative_to(self.infra.folder))  # a cache may be reached by several paths
        lock = FileLock(folder / digest({"step": place}))  # the system frees it if this process dies
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("waiting for %s, which another process makes", self.title())
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def seconds(self) -> float:
        """Seconds the step took when it was made."""
        return float(json.loads((self.folder / "seal.json").read_text())["seconds"])

    def title(self) -> str:
        """A short name for logs: class and the fields of `label`."""
        return f"{type(self).__name__}({', '.join(str(part) for part in self.label())})"

    def label(self) -> list:
        """What tells this step from its neighbours on a log line."""
        return []

    def reason(self) -> str:
        """Why the step has to be made: the difference to the nearest one made before."""
        new = self.note()
        known = [differences(old, new) for old in self._neighbours()]
        nearest = min(
            known, key=lambda said: (sum(not line.startswith("code of") for line in said), len(said)), default=None
        )
        if nearest is None:
            return f"making  {self.title()}: first of its kind here"
        return f"making  {self.title()}: " + ("; ".join(nearest[:4]) or "its files were gone")

    def _neighbours(self) -> Iterator[dict]:
        # uid folders are <cache>/<method>,<version>/<uid>: siblings and cousins are the same method.
        method = Path(self.infra.uid_folder()).parent.name.split(",")[0]
        for seal in sorted(Path(self.infra.folder).glob(f"{method},*/*/files/seal.json")):
            try:
                yield json.loads(seal.read_text())
            except (OSError, ValueError):
                continue

    def _forget_unreadable_job(self) -> None:
        # exca remembers the job; without the files (removed, damaged, killed while writing) that memory is void.
        self.infra.clear_job()
        for stray in Path(self.infra.uid_folder()).glob(".files-*"):
            if time.time() - os.stat(stray).st_mtime > 3600:
                shutil.rmtree(stray, ignore_errors=True)


def ancestors(step: Step) -> list[Step]:
    """All steps a step rests on, inputs before what is made from them, each once."""
    ordered: dict[str, Step] = {}
    for parent in step.inputs():
        for earlier in [*ancestors(parent), parent]:
            ordered.setdefault(str(earlier.folder), earlier)
    return list(ordered.values())
