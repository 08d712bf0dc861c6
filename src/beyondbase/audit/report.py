"""An audit as report.json and as a table for the terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from . import verdict as rules
from .analysis import BINS, Audit, Comparison, Curve

CELLS = {"both": "both", "base_only": "base only", "rl_only": "RL only", "neither": "neither"}
LISTED = 8  # ids that the terminal shows of a cell
RULE = rules.__doc__.split("\n\n", 1)[1].strip()


def as_json(audit: Audit) -> dict[str, Any]:
    """The content of report.json: plain numbers, lists and words; shares, not percent."""
    counts = audit.counts
    models = [
        {"name": name, "problems": len(counts.problems), "samples": int(n.sum()), "correct": int(c.sum()),
         "solved": int((c > 0).sum()), "n_min": int(n.min()), "n_max": int(n.max())}
        for name, n, c in zip(counts.models, counts.n, counts.c, strict=True)
    ]  # fmt: skip
    chosen = _comparison(audit.comparisons[audit.rl])
    return {
        "base": audit.base,
        "rl": audit.rl,
        "models": models,
        "passk": {model: _curve(curve) for model, curve in audit.passk.items()},
        **chosen,
        "comparisons": {model: _comparison(other) for model, other in audit.comparisons.items() if model != audit.rl},
        "histograms": {model: _bins(table) for model, table in audit.histograms.items()},
        "rule": RULE,
        "level": 0.95,
        "notes": list(audit.notes),
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    rows = [
        row | {"wins": each.second, "ties": each.ties, "losses": each.first}
        for row, each in zip(_curve(found.difference), found.wins, strict=True)
    ]
    k, delta = found.delta_se
    verdict = found.verdict
    return {
        "verdict": verdict.word,
        "sentence": verdict.sentence,
        "answers": {"sharper": verdict.sharper, "wider": verdict.wider, "k": verdict.k, "margin": verdict.margin},
        "difference": rows,
        "crossing": _crossing(found),
        "coverage": {cell: {"count": len(ids), "ids": list(ids)} for cell, ids in found.coverage.items()},
        "delta_se": {"k": k, "value": delta.effect, "low": delta.low, "high": delta.high},
        "to_settle": [{"k": each.k, "samples": each.samples, "problems": each.problems, "words": each.words}
                      for each in found.forecasts],
    }  # fmt: skip


def _crossing(found: Comparison) -> dict[str, Any]:
    at = found.crossing
    if at is None:
        return {"k": None, "low": None, "high": None, "state": "one k only", "possible": True}
    return {"k": at.k, "low": at.low, "high": at.high, "state": at.state, "possible": at.possible}


def _curve(curve: Curve) -> list[dict[str, float]]:
    columns = (curve.k.tolist(), curve.value.tolist(), curve.low.tolist(), curve.high.tolist())
    return [dict(zip(("k", "value", "low", "high"), row, strict=True)) for row in zip(*columns, strict=True)]


def _bins(table: np.ndarray) -> list[dict[str, float]]:
    return [{"low": at / BINS, "high": (at + 1) / BINS, "problems": int(size)} for at, size in enumerate(table)]


def text(audit: Audit) -> str:
    """The terminal's table: models, pass@k and wins at powers of two, coverage, crossing, verdict, notes."""
    counts = audit.counts
    lines = [f"{len(counts.problems)} problems"]
    for name, n, c in zip(counts.models, counts.n, counts.c, strict=True):
        size = f"{n.min()}" if n.min() == n.max() else f"{n.min()} to {n.max()}"
        role = " (base)" if name == audit.base else " (RL)" if name == audit.rl else ""
        lines.append(
            f"  {name}{role}: {size} samples a problem, {c.sum():,} of {n.sum():,} correct, solves {(c > 0).sum()}"
        )
    for found in audit.comparisons.values():
        lines += ["", *_table(audit, found), "", *_words(found)]
    lines += ["", "notes", *(f"  - {note}" for note in audit.notes)] if audit.notes else []
    return "\n".join(lines)


def _table(audit: Audit, found: Comparison) -> list[str]:
    gap = found.difference
    shown = [at for at, k in enumerate(gap.k) if (k & (k - 1)) == 0 or at == len(gap.k) - 1]
    first, second = audit.passk[found.base], audit.passk[found.rl]
    head = ("k", "base", "RL", "RL - base, points", "RL larger", "tie", "base larger")
    rows = [head]
    for at in shown:
        ends = f"{rules.signed(gap.value[at])} [{rules.signed(gap.low[at])}, {rules.signed(gap.high[at])}]"
        values = (f"{100 * curve.value[np.searchsorted(curve.k, gap.k[at])]:.1f} %" for curve in (first, second))
        won = found.wins[at]
        rows.append((str(gap.k[at]), *values, ends, str(won.second), str(won.ties), str(won.first)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    names = f"RL = {found.rl}, base = {found.base}; pass@k with paired 95 % intervals over problems"
    cells = [[word.rjust(width) for word, width in zip(row, widths, strict=True)] for row in rows]
    return [names, *("  ".join(row) for row in cells)]


def _words(found: Comparison) -> list[str]:
    k, delta = found.delta_se
    end = found.verdict.k
    lines = [f"solved within all samples (k = {end} compared)"]
    for cell, ids in found.coverage.items():
        few = "" if cell in ("both", "neither") or not ids else f": {', '.join(ids[:LISTED])}"
        more = f" and {len(ids) - LISTED} more" if few and len(ids) > LISTED else ""
        lines.append(f"  {CELLS[cell]:<9} {len(ids):>5}{few}{more}")
    lines.append(f"crossing  {rules.crossing_words(found.crossing) if found.crossing else 'one k only'}")
    words = f"pass@{k} of the base minus pass@1 of RL, lower is better"
    lines.append(f"Delta_SE  {rules.points(delta)} ({words})")
    lines.append(f"verdict   {found.verdict.sentence}")
    return lines + [f"to settle {each.words}" for each in found.forecasts]


def write(path: Path, content: str) -> Path:
    """Write aside, then rename: a stopped run leaves the earlier file as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(content, encoding="utf-8")
    aside.replace(path)
    return path


def write_json(audit: Audit, folder: Path) -> Path:
    """report.json in `folder`."""
    return write(folder / "report.json", json.dumps(as_json(audit), indent=1, allow_nan=False) + "\n")
