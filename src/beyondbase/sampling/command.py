"""`beyondbase sample`: what its options mean together, and the lines it says."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import platform
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import backends, loading, prompts, run
from .blocks import Block, Key, blocks, sample_seed
from .grades import Grading, grading
from .options import checked, engine_options
from .store import FILE, Row, Store
from .text import Text, check_model, revision_of


@dataclass(frozen=True)
class Plan:
    """A call that may start: all that its options mean together, and the store, begun."""

    options: argparse.Namespace
    store: Store
    todo: list[Block]
    text: Text
    ids: dict[str, tuple[int, ...]]
    shown: dict[str, backends.Shown]  # of the problems with pictures
    stop: tuple[int, ...]
    context: int | None
    revision: str | None  # None for a local model
    grade: Grading | None
    grader: str

    @property
    def by(self) -> str | None:
        """The grader whose grades all samples are to have, where those of another are not kept."""
        return self.grader if self.options.regrade else None


def main(options: argparse.Namespace) -> int:
    """Sample as asked; ValueError and FileNotFoundError say what is wrong before anything is loaded or written."""
    with prepared(options) as plan:
        last_lines(plan, fill(plan))
    return 0


@contextmanager
def prepared(options: argparse.Namespace) -> Iterator[Plan]:
    """Check what is asked and begin the store; the grader ends with the context."""
    shard = checked(options)
    local = check_model(options.model)
    found = loading.find(options.benchmark)
    prompt = prompts.prompt(options.prompt or found.prompt)
    revision = revision_of(options.model, options.revision)
    text = Text(options.model, None if local else revision, options.trust_remote_code)
    if found.pictured:
        text.look(found.name)
    loaded = loading.load(options.benchmark, options.benchmark_source, options.benchmark_revision)
    say(f"{found.name}: {len(loaded.ids)} problems, {loaded.revision}; prompt {prompt.name}, version {prompt.version}")
    ids, shown = _asked(loaded.problems, prompt, text)
    context, short = run.prompt_lengths(ids, text.context, options.max_tokens)
    if short:
        say(f"note: the model reads {text.context} tokens: {short} problem(s) leave less than {options.max_tokens}")
    name = options.name or (Path(options.model).resolve().name if local else options.model)
    folder = Path(options.out or Path("samples") / f"{name}--{_short(found.name)}".replace("/", "--"))
    settings = {
        "model": name, "revision": revision, "benchmark": _short(found.name),
        "benchmark_source": _short(options.benchmark_source or found.source),
        "benchmark_revision": loaded.revision, "problems": _fingerprint(ids, shown), "prompt": prompt.name,
        "prompt_version": prompt.version, "prompt_source": prompt.source, "temperature": options.temperature,
        "top_p": options.top_p, "max_tokens": options.max_tokens, "context": text.context, "seed": options.seed,
        "backend": options.backend or _recorded(folder) or backends.default_backend(), "dtype": options.dtype,
    }  # fmt: skip
    grader_name = options.grader or found.grader
    grader = _grader(grader_name) if options.grade else None
    try:
        problems = {problem["id"]: problem for problem in loaded.problems}
        grade = _gradable(grader_name, grader, problems) if grader else None
        store = Store.make(folder, settings, _versions(options))
        todo = list(blocks(loaded.ids[: options.limit], options.n, shard))
        pinned = None if local else revision
        yield Plan(options, store, todo, text, ids, shown, text.stop(prompt.stop), context, pinned, grade, grader_name)
    finally:
        if grader:
            grader.close()


def fill(plan: Plan) -> run.Report:
    """Fill the store as far as others leave it to this call."""
    store, options, todo = plan.store, plan.options, plan.todo
    state = list(run.missing(store, todo, ungraded=plan.grade is not None, by=plan.by))
    check_grader(plan)
    told = _notes(store, 0)
    total, there = sum(len(block.keys) for block in todo), sum(here for _, here, _ in state)
    lacking = [block for block, here, ungraded in state if here < len(block.keys) or ungraded]
    say(f"{store.folder}: {there} of {total} samples are there")
    backend: backends.Backend = _Nothing()
    if there < total:
        backend = backends.start(store.settings["backend"], backends.Engine(
            options.model, plan.revision, options.dtype, options.temperature, options.top_p, plan.stop, plan.context,
            options.tensor_parallel, options.data_parallel, options.batch, options.trust_remote_code,
            bool(plan.shown), engine_options(options.engine),
        ))  # fmt: skip
        say(f"{store.settings['backend']}: {', '.join(f'{k} {v}' for k, v in backend.versions.items())}")
        store.made = backend.versions
    source = run.Source(*_source(plan))
    try:
        with _ends_like_ctrl_c(), Bar(total, there) as bar:
            report = run.fill(store, lacking, source, backend, plan.grade, bar.tell, by=plan.by)
    finally:
        backend.close()
    _notes(store, told)
    if report.elsewhere:
        say(f"{len(report.elsewhere)} block(s) are being worked on by others, the first is {report.elsewhere[0]}")
    return report


def check_grader(plan: Plan) -> None:
    """ValueError where samples have grades of another grader: those of two mean different things."""
    if plan.grade is None or plan.by is not None:
        return
    others = {name: count for name, count in plan.store.graders().items() if name not in (None, plan.grader)}
    for name, count in others.items():
        raise ValueError(
            f"{plan.store.folder}: {count} sample(s) were graded by {name}, now it is {plan.grader}; take --grader"
            f" {name}, or --regrade to have {plan.grader} grade all of them"
        )


def last_lines(plan: Plan, report: run.Report) -> None:
    """What was done, and what to do next."""
    folder = plan.store.folder
    print(f"{report.drawn} samples drawn ({report.tokens:,} tokens), {report.graded} graded; the store: {folder}")
    print(f"beyondbase audit {folder} OTHER_STORE" if plan.grade else "grade them: the same command without --no-grade")


def _asked(
    problems: list[loading.Problem], prompt: prompts.Prompt, text: Text
) -> tuple[dict[str, tuple[int, ...]], dict[str, backends.Shown]]:
    """Ids of each problem's prompt, and what is shown with those that have a picture."""
    ids: dict[str, tuple[int, ...]] = {}
    shown: dict[str, backends.Shown] = {}
    if pictures := sum("image" in problem for problem in problems):
        say(f"{pictures} problem(s) have pictures")
    for problem in problems:
        name, words = problem["id"], prompt.render(problem)
        if "image" in problem:
            ids[name], shown[name] = text.show(words, problem["image"])
        else:
            ids[name] = text.encode(words)
    return ids, shown


def _source(plan: Plan):
    """How a key becomes a job, and its completion a row."""
    settings, ids, shown = plan.store.settings, plan.ids, plan.shown
    hashes = {problem: _digest(_content(problem, ids, shown))[:16] for problem in ids}
    common = {name: settings[name] for name in ("model", "temperature", "top_p", "max_tokens")}

    def seed(key: Key) -> int:
        return sample_seed(settings["seed"], settings["model"], settings["revision"], settings["benchmark"], key)

    def job(key: Key) -> backends.Job:
        room = settings["context"] - len(ids[key[0]]) if settings["context"] else settings["max_tokens"]
        most = min(settings["max_tokens"], room)
        return backends.Job(key, ids[key[0]], seed(key), most, shown.get(key[0]))

    def row(key: Key, made: backends.Completion) -> Row:
        return {**common, "problem_id": key[0], "sample": key[1], "prompt_hash": hashes[key[0]], "seed": seed(key),
                "text": plan.text.decode(made.ids, plan.stop), "tokens": len(made.ids), "finish": made.finish,
                "logprob": made.logprob}  # fmt: skip

    return job, row


def _grader(name: str) -> Any:
    """The grader; ValueError says why it cannot be had here, and what to do."""
    from ..grading import Unavailable, grader

    try:
        return grader(name)
    except Unavailable as fault:
        raise ValueError(f"grader {name}: {fault}; --no-grade samples now and leaves grading to a later call") from None


def _gradable(name: str, grader: Any, problems: dict[str, loading.Problem]) -> Grading:
    """How rows are graded; ValueError, before anything is drawn, where a problem has nothing to grade by."""
    grade = grading(name, grader, problems)
    empty = [{"problem_id": problem, "text": "", "finish": "stop"} for problem in problems]
    try:
        grade(empty)
    except ValueError:
        for row in empty:
            try:
                grade([row])
            except ValueError as fault:
                place = f"grader {name}, problem {row['problem_id']!r}"
                raise ValueError(f"{place}: {fault}; --no-grade samples without it") from None
    return grade


def _recorded(folder: Path) -> str | None:
    """The backend of a store that is there already: samples may be graded, or the store looked at, anywhere."""
    return Store.open(folder).settings.get("backend") if (folder / FILE).is_file() else None


def _short(name: str) -> str:
    """A path of one's own by its last part, which is the same wherever the command is called."""
    return Path(name).name if Path(name).suffix in loading.FORMATS or Path(name).exists() else name


def _fingerprint(ids: dict[str, tuple[int, ...]], shown: dict[str, backends.Shown]) -> str:
    return _digest([(problem, _content(problem, ids, shown)) for problem in ids])[:40]


def _content(problem: str, ids: dict[str, tuple[int, ...]], shown: dict[str, backends.Shown]) -> Any:
    """What a model is given of a problem, as JSON: ids, and of a picture its digest (its ids do not tell it)."""
    return [ids[problem], shown[problem].picture.digest] if problem in shown else ids[problem]


def _digest(words: Any) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _versions(options: argparse.Namespace) -> dict[str, str]:
    names = ("beyondbase", "transformers", "datasets", "torch", "math-verify", "vllm")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return {**found, **{f"--engine {word.partition('=')[0]}": word.partition("=")[2] for word in options.engine}}


def _notes(store: Store, told: int) -> int:
    for note in store.notes[told:]:
        say(f"note: {note}")
    return len(store.notes)


@contextmanager
def _ends_like_ctrl_c() -> Iterator[None]:
    """SIGTERM, which a cluster sends before it kills, ends a run as Ctrl-C does: what is finished is written."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


class _Nothing(backends.Backend):
    """In the place of a model where only grades are missing."""

    appetite, pending, versions = 1, 0, {}  # noqa: RUF012

    def submit(self, jobs) -> None:
        raise RuntimeError("samples vanished from the store since it was looked at; call again")

    def poll(self) -> list:
        return []


class Bar:
    """A progress bar with samples, tokens a second and the time left, on standard error."""

    def __init__(self, total: int, there: int) -> None:
        from tqdm import tqdm

        self.bar = tqdm(
            total=total, initial=there, unit="sample", smoothing=0.1, mininterval=1.0 if sys.stderr.isatty() else 30.0
        )
        self.tokens = 0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def tell(self, samples: int, tokens: int) -> None:
        self.tokens += tokens
        seconds = max(self.bar.format_dict["elapsed"], 1e-9)
        self.bar.set_postfix_str(f"{self.tokens / seconds:,.0f} tokens/s", refresh=False)
        self.bar.update(samples)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
