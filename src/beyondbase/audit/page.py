"""report.html: the audit as one page that carries its charts, their scripts and its values, and needs no network.

The charts are the book's own; nothing else of `book` is used. Without scripts the page shows the same charts as
pictures.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from .analysis import BINS, Audit, Comparison
from .report import CELLS, RULE, as_json, write
from .verdict import crossing_words, points, signed

MOST_CURVES = 6  # base, RL and four more have styles of their own
FALLBACK_WIDTH = 660
STYLE = """
:root { color-scheme: light dark; --ink: #24292f; --quiet: #59616b; --ground: #fdfcfa; --line: #dcd8cf; --box: #f4f2ed }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e1db; --quiet: #a5acb5; --ground: #14181d; --line: #3a424c; --box: #1e242b } }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink);
  background: var(--ground); max-width: 54rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem } h3 { font-size: 1rem }
.verdict { background: var(--box); border-left: 4px solid #0072B2; padding: .8rem 1rem; font-size: 1.1rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right }
th:first-child, td:first-child { text-align: left } td + td { white-space: nowrap }
figure { margin: 1rem 0 } .chart { width: 100%; color: var(--ink) } .chart svg text { fill: currentColor }
figcaption, .quiet { color: var(--quiet); font-size: .9rem } pre { white-space: pre-wrap; font-size: .85rem }
summary { cursor: pointer } .ids { overflow-wrap: anywhere }
"""
DRAW = """
for (const script of document.querySelectorAll("script.spec")) {
  const place = script.previousElementSibling;
  vegaEmbed(place, JSON.parse(script.textContent), {actions: false, renderer: "svg", ast: true})
    .catch((error) => { place.textContent = "This chart could not be drawn: " + error; });
}
"""


def write_page(audit: Audit, folder: Path) -> Path:
    """report.html in `folder`."""
    return write(folder / "report.html", page(audit))


def page(audit: Audit) -> str:
    """The whole page."""
    import altair as alt
    import vl_convert

    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    # The bundle declares its one-letter names at top level: without a function around them they become everybody's.
    bundle = vl_convert.javascript_bundle(vl_version=version).replace("</script", "<\\/script")
    title = f"{audit.rl} against {audit.base}"
    body = [f"<h1>{escape(title)}</h1>", _verdict(audit.comparisons[audit.rl]), _models(audit)]
    body += [_section(audit, found, version) for found in audit.comparisons.values()]
    body += [_histogram(audit, version), _ending(audit)]
    values = json.dumps(as_json(audit), separators=(",", ":")).replace("</", "<\\/")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}: audit</title><link rel="icon" href="data:,"><style>{STYLE}</style></head>
<body><main>{"".join(body)}</main>
<script type="application/json" id="report">{values}</script>
<script>(() => {{
{bundle}
}})();</script><script>{DRAW}</script></body></html>
"""


def _verdict(found: Comparison) -> str:
    settle = "".join(f"<p>To settle it, {escape(each.words)}.</p>" for each in found.forecasts)
    return f'<p class="verdict">{escape(found.verdict.sentence)}</p>{settle}'


def _models(audit: Audit) -> str:
    rows = []
    for name, n, c in zip(audit.counts.models, audit.counts.n, audit.counts.c, strict=True):
        size = f"{n.min()}" if n.min() == n.max() else f"{n.min()} to {n.max()}"
        rows.append((name, size, f"{c.sum():,}", f"{n.sum():,}", f"{(c > 0).sum()}", f"{len(n)}"))
    return _table(("model", "samples a problem", "correct", "samples", "problems solved", "problems"), rows)


def _section(audit: Audit, found: Comparison, version: str) -> str:
    parts = [f"<h2>{escape(found.rl)} minus {escape(found.base)}</h2>"]
    if found.rl != audit.rl:
        parts.append(_verdict(found))
    parts += [_chart(chart, version) for chart in charts(audit, found)]
    gap = found.difference
    rows = []
    for at, k in enumerate(gap.k):
        if (k & (k - 1)) == 0 or at == len(gap.k) - 1:
            ends = f"{signed(gap.value[at])} [{signed(gap.low[at])}, {signed(gap.high[at])}]"
            won = found.wins[at]
            rows.append((f"{k}", ends, f"{won.second}", f"{won.ties}", f"{won.first}"))
    parts.append(_table(("k", "RL − base, points", "RL larger", "tie", "base larger"), rows))
    k, delta = found.delta_se
    crossing = f"Crossing: {crossing_words(found.crossing)}. " if found.crossing else ""
    words = f"{crossing}Delta_SE, pass@{k} of the base minus pass@1 of RL: {points(delta)} (lower is better)."
    parts.append(f"<p>{escape(words)}</p><h3>Who solves what, within all samples</h3>")
    for cell, ids in found.coverage.items():
        named = f'<p class="ids">{escape(", ".join(ids)) or "none"}</p>'
        parts.append(f"<details><summary>{CELLS[cell]}: {len(ids)}</summary>{named}</details>")
    return "".join(parts)


def charts(audit: Audit, found: Comparison) -> list:
    """Curves, difference, and where both models have one n the problems and the wins, as the book draws them."""
    from ..charts import curves as charts_curves
    from ..charts import rerun as charts_rerun
    from ..measure import Crossing

    at = found.crossing if isinstance(found.crossing, Crossing) and found.crossing.k else None
    others = [m for m in audit.passk if m not in (found.base, found.rl)] if found.rl == audit.rl else []
    shown = {found.base: "base", found.rl: "rl"} | {m: m for m in others[: MOST_CURVES - 2]}
    curve = pd.concat(
        pd.DataFrame({"condition": word, "k": c.k, "mean": c.value, "low": c.low, "high": c.high})
        for c, word in ((_thin(audit.passk[model]), word) for model, word in shown.items())
    )
    gap = _thin(found.difference)
    table = pd.DataFrame({"k": gap.k, "effect": gap.value, "low": gap.low, "high": gap.high})
    drawn = []
    if len(gap.k) > 1:
        drawn += [charts_curves.pass_at_k(curve, at), charts_curves.difference(table, found.verdict.margin, at)]
    (n1, c1), (n2, c2) = audit.counts.of(found.base), audit.counts.of(found.rl)
    if n1.min() == n1.max() == n2.min() == n2.max():
        cells = {name: np.isin(audit.counts.problems, ids) for name, ids in found.coverage.items()}
        solved = np.select(list(cells.values()), [CELLS[name] for name in cells], "neither")
        problems = pd.DataFrame({"problem": audit.counts.problems, "base": c1, "rl": c2, "solved by": solved})
        drawn.append(charts_rerun.rerun_problems(problems, int(n1[0])))
    powers = [(k, w.second, w.ties, w.first) for k, w in zip(found.difference.k, found.wins, strict=True)
              if k & (k - 1) == 0 or k == found.difference.k[-1]]  # fmt: skip
    return [*drawn, charts_rerun.rerun_wins(pd.DataFrame(powers, columns=["k", "rl", "tie", "base"]))]


def _thin(curve):
    """The curve at every k to 32 and on the grid of `measure.k_grid` beyond: what an eye can tell apart."""
    from ..measure import k_grid

    keep = (curve.k <= 32) | np.isin(curve.k, k_grid(int(curve.k[-1])))
    return type(curve)(*(column[keep] for column in (curve.k, curve.value, curve.low, curve.high)))


def _histogram(audit: Audit, version: str) -> str:
    from ..charts.dots import histogram

    words = {audit.base: "base", audit.rl: "rl"}
    shown = [audit.base, audit.rl, *(m for m in audit.histograms if m not in words)][:MOST_CURVES]
    starts = np.arange(BINS) / BINS
    table = pd.concat(
        pd.DataFrame({"condition": words.get(model, model), "start": starts, "end": starts + 1 / BINS,
                      "share": audit.histograms[model] / audit.histograms[model].sum()})
        for model in shown
    )  # fmt: skip
    chart = histogram(table, "share of a problem's samples that are correct", shares=True)
    return f"<h2>Accuracy of the problems</h2>{_chart(chart, version)}"


def _chart(chart, version: str) -> str:
    import vl_convert

    spec = chart.to_dict()
    text = json.dumps(spec, separators=(",", ":"), sort_keys=True)
    inline = text.replace("</", "<\\/").replace("<!--", "<\\u0021--")
    still = vl_convert.vegalite_to_svg(
        json.dumps({**spec, "width": FALLBACK_WIDTH}), vl_version=version, allowed_base_urls=[]
    )
    alt_text = escape(spec["description"])
    return (
        f'<figure><div class="chart" role="img" aria-label="{alt_text}"></div>'
        f'<script type="application/json" class="spec">{inline}</script><noscript>{still}</noscript>'
        f"<figcaption><details><summary>Description</summary>{alt_text}</details></figcaption></figure>"
    )


def _ending(audit: Audit) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in audit.notes) or "<li>none</li>"
    rule = f"<details><summary>The rule of the verdict</summary><pre>{escape(RULE)}</pre></details>"
    return f"<h2>Notes</h2><ul>{notes}</ul>{rule}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    heads = "".join(f"<th>{escape(word)}</th>" for word in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(word)}</td>" for word in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
