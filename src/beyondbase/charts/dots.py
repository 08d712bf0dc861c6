"""Charts of levels with intervals, and of distributions, for a few conditions side by side."""

import altair as alt
import numpy as np
import pandas as pd

from beyondbase.charts.theme import (
    condition_scales,
    finish,
    interval_words,
    label_rows,
    legend_toggle,
    percent,
    require,
    styles,
)

WRAP = 32  # letters in a line of a row's name
FRAME = 95  # pixels that axis and legend take
MOST_SAID = 12  # values that an alt text lists one by one


def plain(value: float) -> str:
    """A number with three significant digits: 0.512, 12.3."""
    return f"{value:.3g}"


def describe_levels(table: pd.DataFrame, title: str, word) -> str:
    """Alt text of the dot chart: every value, or the largest ones where there are many."""
    names = styles(table["condition"])
    rows = table if len(table) <= MOST_SAID else table.nlargest(MOST_SAID, "mean")
    said = [f"{row.label}, {names[row.condition][0]}: {word(row.mean)}" for row in rows.itertuples()]
    first = "" if len(rows) == len(table) else f"The {MOST_SAID} largest of {len(table)}: "
    return f"Dot chart with 95 % intervals of {title}, one row for each kind. {first}{'; '.join(said)}."


def levels(table: pd.DataFrame, title: str, shares: bool = True) -> alt.LayerChart:
    """Dots with intervals: a row for each label, and in it a dot for each condition.

    `table`: label, condition, mean, low, high; row order is kept. `shares`: values are probabilities, shown in percent.
    """
    require(table, ["label", "condition", "mean", "low", "high"], "charts.levels")
    scales = condition_scales(table["condition"])
    word = percent if shares else plain
    data = table[["label", "mean", "low", "high"]].assign(
        model=table["condition"].map(scales["words"]), text=interval_words(table, word=word)
    )
    models = list(scales["words"].values())
    axis = alt.Axis(format=".0%", tickCount=6) if shares else alt.Axis(tickCount=6)
    x = alt.X("mean:Q", title=title, axis=axis, scale=alt.Scale(zero=shares))
    y, rows, room = label_rows(data["label"], WRAP)
    offset = alt.YOffset("model:N", sort=models, scale=alt.Scale(domain=models, paddingOuter=0.45))
    color = alt.Color("model:N", title=None, scale=scales["color"])
    shape = alt.Shape("model:N", title=None, scale=scales["shape"])
    hidden, fade = legend_toggle("levels_models", "model")
    base = alt.Chart(data)
    whisker = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q"), x2="high:Q", y=y, yOffset=offset, color=color, opacity=fade(0.7)
    )
    tooltip = [alt.Tooltip("label:N", title=" "), alt.Tooltip("model:N"), alt.Tooltip("text:N", title=title)]
    dots = alt.Chart(data, name="levels_points").mark_point(filled=True, size=75)
    dots = dots.encode(x=x, y=y, yOffset=offset, color=color, shape=shape, opacity=fade(1), tooltip=tooltip)
    height = FRAME + max(14 + 14 * len(models), room) * rows
    chart = finish(alt.layer(whisker, dots.add_params(hidden)), describe_levels(table, title, word), height=height)
    return chart


def describe_histogram(table: pd.DataFrame, title: str, word) -> str:
    """Alt text of the histogram: for each condition the fullest bin, and what lies in the first and last one."""
    parts = []
    for condition, (name, *_) in styles(table["condition"]).items():
        rows = table[table["condition"] == condition].sort_values("start")
        most, first, last = rows.loc[rows["share"].idxmax()], rows.iloc[0], rows.iloc[-1]
        parts.append(
            f"{name}: most between {word(most['start'])} and {word(most['end'])} ({percent(most['share'])}), "
            f"{percent(first['share'])} in the lowest bin, {percent(last['share'])} in the highest"
        )
    return f"Histogram of {title}, drawn as one stepped line a condition. {'; '.join(parts)}."


def histogram(table: pd.DataFrame, title: str, of: str = "share of problems", shares: bool = False) -> alt.LayerChart:
    """Distributions as stepped lines, one for each condition, with a mark in the middle of every bin.

    `table`: condition, start, end, share. `title`: what is spread along x; `shares`: x is in percent.
    """
    require(table, ["condition", "start", "end", "share"], "charts.histogram")
    scales = condition_scales(table["condition"])
    model = table["condition"].map(scales["words"])
    word = percent if shares else plain
    data = table[["start", "end", "share"]].assign(model=model, middle=(table["start"] + table["end"]) / 2)
    data["text"] = [f"{word(a)} to {word(b)}: {percent(s)}" for a, b, s in data[["start", "end", "share"]].to_numpy()]
    outline = pd.concat(
        pd.DataFrame({"model": name, "edge": np.repeat(np.append(rows["start"], rows["end"].iloc[-1]), 2)[1:-1],
                      "share": np.repeat(rows["share"].to_numpy(), 2)})
        for name, rows in data.sort_values("start").groupby("model", sort=False)
    )  # fmt: skip
    domain = [float(data["start"].min()), float(data["end"].max())]
    axis = alt.Axis(format=".0%", tickCount=8) if shares else alt.Axis(tickCount=8)
    scale = alt.Scale(domain=domain, nice=False)
    y = alt.Y("share:Q", title=of, axis=alt.Axis(format=".0%", tickCount=6))
    color = alt.Color("model:N", title=None, scale=scales["color"])
    hidden, fade = legend_toggle("histogram_models", "model")
    line = alt.Chart(outline).mark_line(strokeWidth=2.3, strokeJoin="miter")
    line = line.encode(
        x=alt.X("edge:Q", title=title, scale=scale, axis=axis), y=y, color=color, opacity=fade(1),
        strokeDash=alt.StrokeDash("model:N", title=None, scale=scales["dash"]),
    )  # fmt: skip
    tooltip = [alt.Tooltip("model:N"), alt.Tooltip("text:N", title=of)]
    dots = alt.Chart(data, name="histogram_points").mark_point(filled=True, size=55)
    dots = dots.encode(
        x=alt.X("middle:Q", scale=scale), y=y, color=color, opacity=fade(1), tooltip=tooltip,
        shape=alt.Shape("model:N", title=None, scale=scales["shape"]),
    )  # fmt: skip
    return finish(alt.layer(line, dots.add_params(hidden)), describe_histogram(table, title, word), height=280)
