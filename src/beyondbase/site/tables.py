"""HTML of the generated parts: verdict badges, intervals, the scoreboard, the table published against this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from bs4 import BeautifulSoup, Tag
from markdown_it import MarkdownIt

from .values import Library, Run, time_taken

# A verdict is told by symbol and word; colour only repeats it.
SYMBOLS = {"reproduced": "✓", "contradicted": "✗", "not seen": "○", "undecided": "?", "not run": "–"}
EFFECT = "Effect, points if not said otherwise <small>with 95 % interval</small>"
AGREEMENT = {
    "agree": "each value lies inside the other interval",
    "overlap": "the intervals share values, but a value lies outside the other interval",
    "differ": "the intervals share no value",
}


def badge(verdict: str) -> str:
    """A verdict as symbol and word; a word that is no verdict of a claim stands plain."""
    if verdict not in SYMBOLS:
        return f'<span class="bb-word">{escape(verdict)}</span>'
    css = verdict.replace(" ", "-")
    return f'<span class="bb-badge bb-{css}"><span aria-hidden="true">{SYMBOLS[verdict]}</span> {verdict}</span>'


def inline(markdown: str) -> str:
    """One paragraph of Markdown as HTML, without the paragraph."""
    return MarkdownIt().renderInline(" ".join(markdown.split()))


def number(value: float | None, unit: str = "points") -> str:
    """A number with a sign: percentage points for shares, three digits otherwise; a dash where there is none."""
    if value is None:
        return "–"
    text = f"{100 * value:+.1f}" if unit == "points" else f"{value:+.3g}"
    return text.replace("-", "−")


def effect(part: Mapping) -> str:
    """Effect and interval of a part of a record: +28.5 [+25.0, +32.1]."""
    unit = part.get("unit", "points")
    bounds = ""
    if part.get("low") is not None and part.get("high") is not None:
        bounds = f' <span class="bb-interval">[{number(part["low"], unit)}, {number(part["high"], unit)}]</span>'
    told = "" if unit == "points" else f" {escape(unit)}"
    return f'<span class="bb-effect">{number(part.get("effect"), unit)}</span>{bounds}{told}'


def agreement(one: Mapping, other: Mapping) -> str | None:
    """agree / overlap / differ for two parts with effect, low and high; None where one of them has no interval.

    agree: each effect lies inside the other's interval. overlap: the intervals share values, yet not that. differ: they
    share none. A simple reading for people, no test: two honest 95 % intervals of one truth differ now and then.
    """
    values = [part.get(name) for part in (one, other) for name in ("effect", "low", "high")]
    if any(value is None for value in values):
        return None
    if one["low"] <= other["effect"] <= one["high"] and other["low"] <= one["effect"] <= other["high"]:
        return "agree"
    return "overlap" if one["low"] <= other["high"] and other["low"] <= one["high"] else "differ"


def run_words(run: Run) -> str:
    """Who ran it: "published, gpu" or "this machine, laptop", with seeds."""
    who = "Published" if run.published else "This machine"
    return f"{who} <small>{escape(run.preset)}{f', {run.seed_words}' if run.seeds else ''}</small>"


def scoreboard(book: Library, prefix: str = "", chosen: Sequence[str] | None = None) -> str:
    """Table of every claim of the register, or the chosen ones: effects and verdict of the run that speaks for each.

    `prefix` leads from the page to the top of the site ("" or "../"). LookupError for a claim nobody registered.
    """
    if unknown := sorted(set(chosen or ()) - set(book.claims)):
        raise LookupError(f"no claim {unknown[0]!r} in the register; it has: {', '.join(book.claims) or 'none'}")
    with_local = any(book.local.values())
    heads = ["Claim", EFFECT, "Verdict"]
    heads += ["This machine"] if with_local else []
    rows = []
    for name, claim in ((name, book.claims[name]) for name in chosen or book.claims):
        run = book.best(name)
        link = f'<a href="{prefix}claims/{name}.html">{inline(claim["title"])}</a>'
        source = source_words(claim.get("source"), short=True)
        cells = [link + (f"<small>{source}</small>" if source else ""), _effects(run, claim), _verdict_of(run)]
        rows.append([*cells, _verdict_of(next(iter(book.local.get(name, ())), None))] if with_local else cells)
    return html_table(heads, rows, css="bb-scoreboard", label="Every claim of the register and its verdict")


def _effects(run: Run | None, claim: Mapping) -> str:
    if run is None:
        return "–"
    parts = run.record.get("parts") or {}
    return (
        "".join(f"<small>{part_words(name, part, claim)}</small>{effect(part)}" for name, part in parts.items()) or "–"
    )


def _verdict_of(run: Run | None) -> str:
    if run is None:
        return badge("not run")
    size = [escape(word) for word in run.size()] + (["older than the code"] if run.changed else [])
    return f"{badge(run.record['verdict'])}<small>{'<br>'.join(size)}</small>"


def part_words(name: str, part: Mapping, claim: Mapping) -> str:
    """A part of a claim for the reader: "loss, k = 1,024"."""
    rule = claim.get("parts", {})
    rule = rule.get(name, {}) if isinstance(rule, Mapping) else {}
    if measure := part.get("measure") or rule.get("measure"):
        return f"{escape(name)}, {inline(measure)}"
    k = part.get("k") or rule.get("k")
    return escape(name) + (f", <i>k</i> = {k:,}" if k else "")


def source_words(source: object, short: bool = False) -> str:
    """Where a claim comes from; `source` is text, or a mapping with paper, identifier, place."""
    if isinstance(source, Mapping):
        paper, identifier = source.get("paper", ""), source.get("identifier", "")
        if short:
            return escape(paper.split(",")[0] + (f", {identifier}" if identifier else ""))
        arxiv = re.fullmatch(r"arXiv:(\d{4}\.\d{4,5})(v\d+)?", identifier)
        link = f"[{identifier}](https://arxiv.org/abs/{arxiv[1]}{arxiv[2] or ''})" if arxiv else identifier
        return ", ".join(bit for bit in (paper.rstrip("."), link, source.get("place", "")) if bit)
    return escape(str(source)) if short and source else str(source or "")


def comparison(claim: Mapping, published: Sequence[Run], local: Sequence[Run]) -> str:
    """Table of every part and the control: a row for each run; this machine's rows say whether they agree.

    A run of this machine is held against the published run of its own preset, or where there is none against the first.
    """
    runs = (*published, *local)
    names = [*dict.fromkeys(name for run in runs for name in run.record.get("parts") or {}), None]
    if len(runs) == 1:
        found = [(name, part) for name in names if (part := _part(runs[0], name))]
        rows = [[_rule(name, claim, part), effect(part), badge(part.get("verdict") or "–")] for name, part in found]
        return html_table(["Statistic", EFFECT, "Verdict"], rows, css="bb-comparison", label="Values of this claim")
    groups = []
    for name in names:
        rows = []
        for run in runs:
            if not (part := _part(run, name)):
                continue
            cells = [run_words(run), effect(part), badge(part.get("verdict") or "–")]
            rows.append([*cells, _held_against(run, name, published, part)] if local else cells)
        if rows:
            groups.append((_rule(name, claim, next(filter(None, (_part(run, name) for run in runs)))), rows))
    heads = ["Run", EFFECT, "Verdict"] + (["Agreement"] if local else [])
    label = "Published values beside this machine's" if local else "Published values"
    return html_table(heads, groups=groups, css="bb-comparison", label=label)


def _part(run: Run, name: str | None) -> Mapping | None:
    if name is not None:
        return (run.record.get("parts") or {}).get(name)
    control = run.record.get("control") or {}
    return control if "effect" in control else None


def _rule(name: str | None, claim: Mapping, part: Mapping) -> str:
    """What a part (None: the control) measures and what was predicted of it."""
    rule = claim.get("control", {}) if name is None else (claim.get("parts") or {}).get(name, {})
    rule = rule if isinstance(rule, Mapping) else {}
    words = part_words(name or "negative control", part, claim)
    if name is None:
        return f"<b>{words}</b>: must {inline(str(rule['must']))}" if rule.get("must") else f"<b>{words}</b>"
    margin = rule.get("margin")
    predicted = ""
    if margin is not None and rule.get("direction"):
        sign, side = ("+", "above") if rule["direction"] == "+" else ("−", "below")
        unit = rule.get("unit", "points")
        sign = sign if margin else ""
        predicted = f"; predicted {side} {sign}{100 * margin if unit == 'points' else margin:g} {escape(unit)}"
    if rule.get("reported") is not None:
        predicted += f"; the source reports {number(rule['reported'], rule.get('unit', 'points'))}"
    statistic = f": {inline(str(rule['statistic']))}" if rule.get("statistic") else ""
    return f"<b>{words}</b>{statistic}{predicted}"


def _held_against(run: Run, name: str | None, published: Sequence[Run], part: Mapping) -> str:
    if run.published:
        return ""
    other = next((one for one in published if one.preset == run.preset), published[0] if published else None)
    if other is None or not (theirs := _part(other, name)) or not (word := agreement(part, theirs)):
        return "nothing to compare"
    note = (
        ""
        if other.preset == run.preset
        else f"with another preset, {escape(other.preset)}: expect the sign, not the size"
    )
    return f"<b>{word}</b>" + (f"<small>{note}</small>" if note else "")


def html_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]] = (),
    *,
    groups: Sequence[tuple[str, Sequence[Sequence[str]]]] = (),
    css: str = "",
    label: str = "",
) -> str:
    """A table in a box that scrolls by itself; cells are HTML, the first of each row is its header.

    Each cell carries its column's name, which the style sheet shows where a phone stacks the cells of a row; explicit
    roles keep it a table there.
    """
    plain = [re.sub(r"<[^>]+>", "", head) for head in heads]
    head = "".join(f'<th scope="col" role="columnheader">{text}</th>' for text in heads)
    bodies = []
    for title, body in [*groups, *([("", rows)] if rows else [])]:
        lines = (
            [f'<tr role="row"><th class="bb-group" role="cell" colspan="{len(heads)}">{title}</th></tr>']
            if title
            else []
        )
        for row in body:
            cells = [f'<th scope="row" role="rowheader" data-label="{escape(plain[0])}">{row[0]}</th>']
            cells += [
                f'<td role="cell" data-label="{escape(name)}">{cell}</td>'
                for name, cell in zip(plain[1:], row[1:], strict=True)
            ]
            lines.append(f'<tr role="row">{"".join(cells)}</tr>')
        bodies.append(f'<tbody role="rowgroup">{"".join(lines)}</tbody>')
    return (
        f'<div class="bb-table"><table class="{css}" role="table" aria-label="{escape(label)}">'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>{"".join(bodies)}</table></div>'
    )


def tidy_tables(html: str) -> str:
    """HTML of a notebook output with every table in its own scrolling box and its headers marked as such.

    Pandas writes a border, inline styles, a column of row numbers that mean nothing, and empty header cells, which a
    screen reader announces as headers. Columns of numbers are marked, to be set flush right.
    """
    soup = BeautifulSoup(html, "html.parser")
    for style in soup.find_all("style", attrs={"scoped": True}):
        style.decompose()
    for table in soup.find_all("table"):
        for name in ("border", "style"):
            del table[name]
        # The theme frames, stripes and bleaches what calls itself a data frame or a table.
        table["class"] = ["bb-frame"] if "dataframe" in table.get("class", []) else []
        _drop_row_numbers(table)
        for cell in table.find_all("th"):
            if not cell.get_text(strip=True):
                cell.name = "td"
            elif not cell.get("scope"):
                cell["scope"] = "col" if cell.find_parent("thead") else "row"
        _mark_numbers(table)
        box = table.parent
        if box.name == "div" and "overflow" in box.get("style", ""):
            box["class"] = [*box.get("class", []), "bb-table"]
        else:
            table.wrap(soup.new_tag("div", attrs={"class": "bb-table"}))
    return str(soup)


def _drop_row_numbers(table: Tag) -> None:
    """Remove the first column where it is 0, 1, 2 ... without a name: the index of a frame that has none."""
    rows = [row for row in table.find_all("tr") if row.find_parent("thead") is None]
    heads = [row for row in table.find_all("tr") if row.find_parent("thead") is not None]
    firsts = [row.find(["th", "td"]) for row in rows]
    if len(heads) != 1 or not firsts or any(cell is None or cell.name != "th" for cell in firsts):
        return
    named = heads[0].find(["th", "td"]).get_text(strip=True)
    if not named and [cell.get_text(strip=True) for cell in firsts] == [str(i) for i in range(len(rows))]:
        for row in heads + rows:
            row.find(["th", "td"]).decompose()


def _mark_numbers(table: Tag) -> None:
    rows = [row.find_all(["th", "td"]) for row in table.find_all("tr")]
    body = [cells for cells in rows if cells and not cells[0].find_parent("thead")]
    for column in range(max(map(len, body), default=0)):
        texts = [cells[column].get_text(strip=True) for cells in body if column < len(cells)]
        if all(re.fullmatch(r"[-−+]?[\d.,]+(e[-+]?\d+)?( ?%)?|NaN|–|", text) for text in texts) and any(texts):
            for cells in rows:
                if column < len(cells):
                    cells[column]["class"] = [*cells[column].get("class", []), "bb-figure"]


def provenance(run: Run) -> str:
    """Who, when, where and with what, as a definition list; what a record lacks is left out."""
    record = run.record
    seeds = record.get("seed_values") or record.get("seeds")
    versions = record.get("versions") or {}
    facts = {
        "Preset": run.preset,
        "Seeds": ", ".join(map(str, seeds)) if isinstance(seeds, list | tuple) else seeds,
        "Problems": record.get("problems"),
        "Time": time_taken(record),
        "Device": record.get("device"),
        "Made": record.get("created"),
        "Commit": record.get("commit"),
        "Code fingerprint": record.get("fingerprint"),
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items() if value)
    return f'<dl class="bb-facts">{rows}</dl>'
