"""pass@k against difficulty: bins or numbers of operations side by side, conditions beside each other, intervals."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from beyondbase.charts.theme import (
    GREY,
    INK,
    condition_scales,
    finish,
    interval_words,
    legend_toggle,
    names_legend,
    percent,
    require,
    styles,
)

DASHES = [[1, 0], [3, 3]]  # of the first and of the second series
MOST_SAID = 14  # values that an alt text lists one by one


def describe_bins(data: pd.DataFrame, title: str, axis: str) -> str:
    """Alt text: every value, or the first and last bin of every line where there are many."""
    bins = list(dict.fromkeys(data["bin"]))
    rows = data if len(data) <= MOST_SAID else data[data["bin"].isin([bins[0], bins[-1]])]
    if len(rows) > MOST_SAID:
        rows = rows.nlargest(MOST_SAID, "mean")
    said = [f"{row.bin}, {row.model}{', ' + row.series if row.series else ''}: {percent(row.mean_)}"
            for row in rows.rename(columns={"mean": "mean_"}).itertuples()]  # fmt: skip
    some = "" if len(rows) == len(data) else f" of {bins[0]} to {bins[-1]}, some of them"
    return f"Dot chart with 95 % intervals of {title} by {axis}{some}: {'; '.join(said)}."


def zone_layers(bins: list[str], zones: Mapping[str, Sequence], x: alt.X) -> list:
    """Bands behind the bins that belong together, with their names on top."""
    rows = [(str(one), name, place % 2, str(list(members)[(len(members) - 1) // 2]))
            for place, (name, members) in enumerate(zones.items()) for one in members]  # fmt: skip
    data = pd.DataFrame(rows, columns=["bin", "zone", "odd", "middle"])
    unknown = sorted(set(data["bin"]) - set(bins))
    if unknown:
        raise ValueError(f"zones name the bins {unknown}, which the table lacks; it has {bins}")
    shade = alt.when("datum.odd == 1").then(alt.value(0.16)).otherwise(alt.value(0.07))
    band = alt.Chart(data).mark_bar(color=GREY, width=alt.RelativeBandSize(1)).encode(
        x=x, y=alt.value(0), y2=alt.value("height"), opacity=shade
    )  # fmt: skip
    names = data[data["bin"] == data["middle"]]
    text = alt.Chart(names).mark_text(color=INK, fontSize=12, baseline="bottom").encode(
        x=x, y=alt.value(-4), text="zone:N"
    )  # fmt: skip
    return [band, text]


def by_bin(
    table: pd.DataFrame,
    title: str,
    axis: str = "operations needed",
    zones: Mapping[str, Sequence] | None = None,
) -> alt.LayerChart:
    """pass@k (or any share) of every bin, the conditions of a bin beside each other, with intervals.

    `table`: bin (in the order of the axis), condition, mean, low, high (probabilities); optional `series` (at most two:
    "verified" and "answer only", or two k): the first has filled marks and full lines, the second hollow ones and dots.
    `zones`: names of runs of bins, {"edge": [5, 6]}, drawn as bands.
    """
    require(table, ["bin", "condition", "mean", "low", "high"], "charts.by_bin")
    scales = condition_scales(table["condition"])
    data = table[["bin", "mean", "low", "high"]].assign(
        bin=table["bin"].astype(str), model=table["condition"].map(scales["words"]), text=interval_words(table),
        series=table["series"] if "series" in table else "",
    )  # fmt: skip
    bins, series = (list(dict.fromkeys(data[name])) for name in ("bin", "series"))
    if len(series) > 2:
        raise ValueError(f"charts.by_bin draws at most 2 series, got {len(series)}: {series}; select some")
    models = [style[0] for style in styles(table["condition"]).values()]
    x = alt.X("bin:O", sort=bins, title=axis, scale=alt.Scale(paddingInner=0, paddingOuter=0),
              axis=alt.Axis(labelAngle=0, grid=False))  # fmt: skip
    layers = [*(zone_layers(bins, zones, x) if zones else []), *_marks(data, x, models, series, title, scales)]
    return finish(alt.layer(*layers), describe_bins(data, title, axis), height=330)


def _marks(data: pd.DataFrame, x: alt.X, models: list[str], series: list[str], title: str, scales: dict) -> list:
    """Whiskers, lines and dots of `by_bin`."""
    offset = alt.XOffset("model:N", sort=models, scale=alt.Scale(domain=models, paddingOuter=0.7))
    y = alt.Y("mean:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=6))
    names = names_legend(models)
    color = alt.Color("model:N", title=None, scale=scales["color"], legend=names)
    shape = alt.Shape("model:N", title=None, scale=scales["shape"], legend=names)
    legend = alt.Legend(symbolType="stroke", symbolStrokeWidth=2, symbolSize=300) if len(series) > 1 else None
    dash = alt.StrokeDash("series:N", title=None, legend=legend,
                          scale=alt.Scale(domain=series, range=DASHES[: len(series)]))  # fmt: skip
    hidden, fade = legend_toggle("by_bin_models", "model")
    base = alt.Chart(data).encode(x=x, xOffset=offset, color=color)
    whisker = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q"), y2="high:Q", opacity=fade(0.55))
    line = base.mark_line(strokeWidth=1.6).encode(y=y, strokeDash=dash, opacity=fade(0.6))
    tooltip = [alt.Tooltip("bin:N"), alt.Tooltip("model:N"), alt.Tooltip("text:N", title=title)]
    tooltip += [alt.Tooltip("series:N")] if len(series) > 1 else []
    layers = [whisker, line]
    for place, name in enumerate(series):
        kept = alt.FieldEqualPredicate(field="series", equal=name)
        dots = alt.Chart(data, name=f"by_bin_points_{'second' if place else 'first'}").transform_filter(kept)
        dots = dots.mark_point(filled=not place, size=80, strokeWidth=2)
        dots = dots.encode(x=x, xOffset=offset, y=y, color=color, shape=shape, opacity=fade(1), tooltip=tooltip)
        layers.append(dots if place else dots.add_params(hidden))
    return layers
