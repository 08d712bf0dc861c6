"""What the site knows (the register, published records, this machine's runs) and how prose quotes a number from it.

Everything here works on plain dictionaries, so that the site can be built from any register and any records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PRESETS = ("cluster", "gpu", "laptop")
"""Presets whose runs may stand on the site, the one that speaks for a claim first. Smoke runs never do."""


class SiteError(Exception):
    """The site cannot be built; one line for each reason, naming the page, the line and the fix."""


@dataclass(frozen=True)
class Run:
    """One run of a claim: its record, its executed notebook, and what has changed in the code since.

    `changed` names the modules that are no longer what the record rests on; ("",) where only the fact is known.
    """

    claim: str
    preset: str
    record: Mapping
    notebook: Path | None
    folder: Path | None
    changed: tuple[str, ...] = ()
    published: bool = True

    @property
    def place(self) -> str:
        """Folder of this run's files below `_static/`."""
        return f"evidence/{self.claim}/{self.preset}" + ("" if self.published else "-this-machine")

    @property
    def seeds(self) -> int | None:
        """How many seeds; a record has their number or the seeds themselves."""
        seeds = self.record.get("seeds")
        return len(seeds) if isinstance(seeds, list | tuple) else seeds

    @property
    def seed_words(self) -> str:
        """ "3 seeds", "1 seed", or nothing where the record does not say."""
        return f"{self.seeds} seed{'s' if self.seeds > 1 else ''}" if self.seeds else ""

    def size(self) -> list[str]:
        """How much evidence this is, in words: seeds, problems, preset; what the record lacks is left out."""
        problems = self.record.get("problems")
        words = [self.seed_words, f"{problems:,} problems" if problems else ""]
        return [word for word in [*words, f"preset {self.preset}"] if word]


@dataclass(frozen=True)
class Library:
    """Register and runs by claim; runs of a claim are ordered as `PRESETS`."""

    claims: Mapping[str, Mapping]
    published: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    local: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)

    def best(self, claim: str) -> Run | None:
        """The published run that speaks for a claim, None before the first."""
        return next(iter(self.published.get(claim, ())), None)


def library(
    claims: Iterable[Mapping],
    records: Mapping[str, Mapping[str, Mapping]],
    local: Mapping[str, Mapping[str, Mapping]] | None = None,
    presets: tuple[str, ...] = PRESETS,
) -> Library:
    """Bring register and records into one `Library`.

    `records` and `local`: claim -> preset -> {"record": dict, "notebook": Path | None, "stale": bool or names of what
    changed, "folder": Path | None (default: the notebook's)}. Raises `SiteError` for runs of a claim nobody registered.
    """
    register = {claim["id"]: claim for claim in claims}
    for name in [*records, *(local or {})]:
        if name not in register:
            raise SiteError(
                f"runs of {name!r}, which is not in the register; it has: {', '.join(register) or 'no claims'}"
            )
    return Library(
        register,
        {name: _runs(name, runs, presets, True) for name, runs in records.items()},
        {name: _runs(name, runs, presets, False) for name, runs in (local or {}).items()},
    )


def _runs(claim: str, runs: Mapping[str, Mapping], presets: tuple[str, ...], published: bool) -> tuple[Run, ...]:
    found = []
    for preset in presets:
        if (entry := runs.get(preset)) is None:
            continue
        notebook = Path(entry["notebook"]) if entry.get("notebook") else None
        folder = Path(entry["folder"]) if entry.get("folder") else notebook.parent if notebook else None
        stale = entry.get("stale") or ()
        changed = ("",) if stale is True else tuple(stale)
        found.append(Run(claim, preset, entry["record"], notebook, folder, changed, published))
    return tuple(found)


def look_up(book: Library, path: str) -> object:
    """Value at `claim[@preset].name.name...` in a published record; whole numbers index lists.

    Raises LookupError whose text says what is missing and what there is instead.
    """
    name, *steps = path.split(".")
    name, _, preset = name.partition("@")
    if name not in book.claims:
        raise LookupError(f"no claim {name!r} in the register; it has: {', '.join(book.claims) or 'none'}")
    runs = book.published.get(name, ())
    run = next((run for run in runs if preset in ("", run.preset)), None)
    if run is None:
        wanted = preset or "laptop"
        raise LookupError(f"no published record; `beyondbase run {name} --preset {wanted} --publish` makes it")
    value: object = run.record
    for depth, step in enumerate(steps):
        try:
            value = value[int(step)] if isinstance(value, list | tuple) else value[step]  # type: ignore[index]
        except (KeyError, IndexError, ValueError, TypeError):
            known = sorted(map(str, value)) if isinstance(value, Mapping) else f"a {type(value).__name__}"
            reached = ".".join([name, *steps[:depth]])
            raise LookupError(f"the {run.preset} record has no {step!r} in {reached}; there is: {known}") from None
    return value


def show(value: object, form: str) -> str:
    """A value as text.

    `x` (or nothing): plain; `pp`: a share as signed percentage points, without the words; a Python format such as `.3f`
    or `,d`; `count`: how many entries; `duration`: seconds in words. Minus signs are typographic.
    Raises ValueError for a value that has no such form (None, a list as a number).
    """
    if value is None:
        raise ValueError("the record says there is no such value (null)")
    if form == "count":
        if not isinstance(value, list | tuple | Mapping):
            raise ValueError(f"`count` wants a list, the record has {value!r}")
        return str(len(value))
    if form in ("", "x"):
        if isinstance(value, list | tuple | Mapping):
            raise ValueError(f"the record has {len(value)} entries here, not one value; name one, or use |count")
        text = str(value)
        return text.replace("-", "−", 1) if isinstance(value, int | float) else text
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"`{form}` wants a number, the record has {value!r}")
    if form == "pp":
        return f"{100 * value:+.1f}".replace("-", "−")
    if form == "duration":
        return duration(value)
    try:
        return format(value, form).replace("-", "−")
    except ValueError:
        raise ValueError(f"`{form}` is no number format; use x, pp, count, duration or one like .3f") from None


def duration(seconds: float) -> str:
    """Seconds as a reader says them: 42 seconds, 8 minutes, 3.5 hours."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


def time_taken(record: Mapping[str, Any]) -> str | None:
    """How long a run took, and the work in all that it rests on, base models and steps found at hand too."""
    if record.get("seconds") is None:
        return None
    work = record.get("work_seconds")
    return duration(record["seconds"]) + (f" (steps: {duration(work)} of one core)" if work else "")
