"""Pages of the claims: the executed notebook of a claim between a generated head and foot, or a page without a run."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat

from .charts import figure, specification
from .placeholders import fill, raw_html
from .tables import AGREEMENT, badge, comparison, inline, provenance, source_words, tidy_tables
from .values import Library, Run, SiteError, time_taken

STATIC = "../_static/"
FILES = {
    "record.json": "the record",
    "values.parquet": "every value the figures draw",
    "notebook.ipynb": "the executed notebook",
}
PYTHON = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
# Live widgets need a kernel; what they printed stands beside them as text.
LIVE = ("application/vnd.jupyter.widget-view+json",)


def claim_page(
    claim: Mapping, book: Library, static: Path, make: dict[str, Callable[[str], str]], errors: list[str]
) -> tuple[str, str]:
    """(file name, text) of the page of a claim; its evidence is copied below `static`.

    The page shows the published run that speaks for the claim, else this machine's, else says that there is none. What
    is wrong with the notebook is appended to `errors`, one line each.
    """
    name = claim["id"]
    published, local = book.published.get(name, ()), book.local.get(name, ())
    for run in (*published, *local):
        copy_evidence(run, static)
    run = next(iter((*published, *local)), None)
    head, foot = header(claim, published, local), footer(claim, run, published, local)
    if run is None or run.notebook is None:
        return f"{name}.md", f"{head}\n\n{foot}\n"
    notebook = nbformat.read(run.notebook, as_version=4)
    where = f"{name} ({run.preset}), {run.notebook.name}"
    cells = [nbformat.v4.new_markdown_cell(head, id="generated-head")]
    cells += converted(notebook.cells, run, static, where, make, errors)
    cells += [nbformat.v4.new_markdown_cell(foot, id="generated-foot")]
    page = nbformat.v4.new_notebook(cells=cells, metadata=PYTHON)
    return f"{name}.ipynb", nbformat.writes(page)


def copy_evidence(run: Run, static: Path) -> None:
    """Copy what a reader may download of a run: record, values, executed notebook; what there is not is left out."""
    target = static / run.place
    target.mkdir(parents=True, exist_ok=True)
    (target / "record.json").write_text(json.dumps(run.record, indent=1, sort_keys=True, default=str) + "\n")
    if run.folder and (run.folder / "values.parquet").exists():
        shutil.copyfile(run.folder / "values.parquet", target / "values.parquet")
    if run.notebook:
        shutil.copyfile(run.notebook, target / "notebook.ipynb")


def converted(
    cells: list, run: Run, static: Path, where: str, make: dict[str, Callable[[str], str]], errors: list[str]
) -> list:
    """Cells as the site shows them: placeholders filled, code folded, charts and tables as HTML, no second title."""
    result, charts = [], 0
    for number, cell in enumerate(cells, 1):
        cell = nbformat.from_dict(json.loads(json.dumps(cell)))
        place = f"{where} cell {number}"
        if cell.cell_type == "markdown":
            # The register's title heads the page; the notebook's own would be a second one.
            text = re.sub(r"\A\s*#\s+.*\n?", "", cell.source) if number == 1 else cell.source
            cell.source = fill(text, place, make, errors)
            if not cell.source.strip():
                continue
        elif cell.cell_type == "code":
            tags = cell.metadata.get("tags", [])
            hidden = {"remove-input", "remove-cell", "hide-cell", "hide-input"} & set(tags)
            cell.metadata = nbformat.from_dict({"tags": [*tags, *([] if hidden else ["hide-input"])]})
            outputs = []
            for output in cell.outputs:
                charts += specification(output) is not None
                outputs += _output(output, f"{run.place}/chart-{charts}", static, place, errors)
            cell.outputs = outputs
        result.append(cell)
    return result


def _output(output: Mapping, name: str, static: Path, place: str, errors: list[str]) -> list:
    if output["output_type"] == "error":
        errors.append(f"{place}: stopped with {output.get('ename')}: {output.get('evalue')}; run the claim again")
        return []
    if (spec := specification(output)) is not None:
        try:
            html = figure(spec, name=name, static=static, prefix=STATIC)
        except ValueError as error:
            errors.append(f"{place}: {error}")
            return []
        return [nbformat.v4.new_output("display_data", data={"text/html": html})]
    data = output.get("data")
    if data is None:
        return [output]
    data = {mime: text for mime, text in data.items() if mime not in LIVE}
    if outside := re.search(r"<(?:script|img|link|iframe)\b[^>]*(?:https?:)?//[^\s\"'>]+", data.get("text/html", "")):
        errors.append(f"{place}: the output loads something from outside the site: {outside[0]}")
        return []
    if "<table" in data.get("text/html", ""):
        data["text/html"] = tidy_tables(data["text/html"])
    return [nbformat.v4.new_output("display_data", data=data)] if data else []


def header(claim: Mapping, published: tuple[Run, ...], local: tuple[Run, ...]) -> str:
    """Head of a claim's page: verdict, statement, source, prediction, and the table of values."""
    run = next(iter((*published, *local)), None)
    blocks = [f"# {claim['title']}", raw_html(_verdict_card(run))]
    blocks.append(f":::{{div}} bb-statement\n{claim['statement']}\n:::")
    source = claim.get("source")
    reported = source.get("reported") if isinstance(source, Mapping) else claim.get("quoted")
    if source:
        words = source_words(source).rstrip(".")
        blocks.append(f"**Claimed by** {words}." + (f" *Reported there:* {reported}" if reported else ""))
    if prediction := claim.get("prediction"):
        stated = f" on {claim['stated']}" if claim.get("stated") else ""
        blocks.append(f"**Predicted here**, registered{stated} before the run: {prediction}")
    if run:
        blocks.append(raw_html(comparison(claim, published, local)))
        if published and local:
            rules = "; ".join(f"<b>{word}</b>: {meaning}" for word, meaning in AGREEMENT.items())
            blocks.append(raw_html(f'<p class="bb-note">{rules}.</p>'))
        blocks += [_older(one, claim) for one in (*published, *local) if one.changed]
    return "\n\n".join(blocks)


def _verdict_card(run: Run | None) -> str:
    if run is None:
        words = "Registered, not run yet: there is no evidence for or against."
        return f'<div class="bb-card">{badge("not run")}<p>{words}</p></div>'
    record = run.record
    facts = [*run.size(), str(record.get("device") or ""), time_taken(record)]
    note = "" if run.published else "<p><b>Only this machine has run it.</b> Nothing is published yet.</p>"
    reason = f"<p>{inline(str(record['reason']))}</p>" if record.get("reason") else ""
    line = '<span aria-hidden="true"> · </span>'.join(inline(fact) for fact in facts if fact)
    return f'<div class="bb-card">{badge(record["verdict"])}{reason}{note}<p class="bb-note">{line}</p></div>'


def _older(run: Run, claim: Mapping) -> str:
    names = ", ".join(f"`{name}`" for name in run.changed if name)
    what = f"these have changed since: {names}" if names else "the code has changed since"
    who = f"The published record ({run.preset})" if run.published else f"This machine's record ({run.preset})"
    told = f"Its numbers stand as they were run; {what}."
    return f":::{{admonition}} {who} is older than the code\n:class: warning\n{told}\n:::"


def footer(claim: Mapping, run: Run | None, published: tuple[Run, ...], local: tuple[Run, ...]) -> str:
    """Foot of a claim's page: control, limits, how to break it, how to run it, files and provenance."""
    blocks = []
    if control := claim.get("control"):
        what, must = (control.get("what"), control.get("must")) if isinstance(control, Mapping) else (control, None)
        blocks += ["## The control, as registered", f"{what}" + (f" It must {must.rstrip('.')}." if must else "")]
        result = (run.record.get("control") if run else None) or {}
        if reason := result.get("reason"):
            blocks.append(str(reason))
    if history := claim.get("history"):
        told = [
            f"Version {e['version']}: {e['rule']} *Result:* {e['result']} *Changed because* {e['reason']}"
            for e in history
        ]
        blocks += ["## Earlier rules of this claim", _bullets(told)]
    if limits := claim.get("limits"):
        blocks += ["## What this does not show", _bullets(limits)]
    if break_it := claim.get("break_it"):
        blocks += ["## Break it", "What to change, to see the result move or vanish:", _bullets(break_it)]
    command = claim.get("command") or f"beyondbase run {claim['id']} --preset laptop"
    blocks += ["## Run it yourself", f"```bash\n{command}\n```"]
    for one in (*published, *local):
        files = "".join(
            f'<li><a href="{STATIC}{one.place}/{name}" download>{name}</a>, {words}</li>'
            for name, words in FILES.items()
            if _has(one, name)
        )
        title = f"{'Published' if one.published else 'This machine'}, preset {one.preset}: files and provenance"
        is_open = " open" if one is run else ""
        inside = f"<summary>{title}</summary><ul>{files}</ul>{provenance(one)}"
        blocks.append(raw_html(f'<details class="bb-files"{is_open}>{inside}</details>'))
    return "\n\n".join(blocks)


def _has(run: Run, name: str) -> bool:
    if name == "values.parquet":
        return bool(run.folder and (run.folder / name).exists())
    return name == "record.json" or run.notebook is not None


def _bullets(items: str | list[str]) -> str:
    return items if isinstance(items, str) else "\n".join(f"- {' '.join(str(item).split())}" for item in items)


def check_claims(claims: Mapping[str, Mapping]) -> None:
    """Raise `SiteError` naming the claim that lacks what a page cannot do without."""
    for name, claim in claims.items():
        for need in ("title", "statement"):
            if not claim.get(need):
                raise SiteError(f"claim {name!r} has no {need}; add it to the register")
