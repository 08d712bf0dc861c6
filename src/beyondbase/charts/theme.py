"""What every chart shares: colours, shapes, dashes, scales, number words, and the last touch before publication.

Text, axes and grids are drawn in `currentColor` on a transparent background, so that one chart reads on a light and
on a dark page alike. Colour never carries a meaning alone: a shape, a dash or a word stands beside it.
"""

import json
import math
import textwrap

import altair as alt

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, SKY, ORANGE, GREY = "#CC79A7", "#56B4E9", "#E69F00", "#888888"
INK = "currentColor"
NAMES_IN_A_ROW = 3
LINE = 15  # pixels of a line of a row's label
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'

# Condition -> (words for the reader, colour, dash, shape); a condition that is not listed takes the next spare style.
STYLES = {
    "base": ("base", BLUE, [1, 0], "circle"),
    "rl": ("RL", VERMILLION, [7, 3], "square"),
    "shuffled": ("shuffled rewards", GREEN, [2, 3], "triangle-up"),
    "RL inside": ("RL inside", PURPLE, [8, 3, 2, 3], "diamond"),
    "RL on the border": ("RL on the border", GREY, [6, 2], "triangle-left"),
    "RL at the edge": ("RL at the edge", VERMILLION, [7, 3], "square"),
    "RL too hard": ("RL too hard", SKY, [1, 2], "triangle-down"),
}
SPARE = [
    (PURPLE, [8, 3, 2, 3], "diamond"),
    (ORANGE, [4, 2], "cross"),
    (SKY, [1, 2], "triangle-down"),
    (GREY, [6, 2], "triangle-left"),
    (INK, [10, 2], "triangle-right"),
]
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def styles(conditions) -> dict:
    """{condition: (words, colour, dash, shape)}, in the order of `STYLES` and then of first appearance."""
    present = list(dict.fromkeys(conditions))
    known = [name for name in STYLES if name in present]
    unknown = [name for name in present if name not in STYLES]
    if len(unknown) > len(SPARE):
        raise ValueError(
            f"{len(unknown)} unlisted conditions {unknown}, but only {len(SPARE)} spare styles: chart fewer"
        )
    spare = {name: (str(name), *style) for name, style in zip(unknown, SPARE, strict=False)}
    return {name: STYLES[name] for name in known} | spare


def condition_scales(conditions) -> dict:
    """Colour, dash and shape scales over the reader's words for the conditions: {"color", "dash", "shape", "words"}."""
    table = styles(conditions)
    words = [style[0] for style in table.values()]
    return {
        "words": {name: style[0] for name, style in table.items()},
        "color": alt.Scale(domain=words, range=[style[1] for style in table.values()]),
        "dash": alt.Scale(domain=words, range=[style[2] for style in table.values()]),
        "shape": alt.Scale(domain=words, range=[style[3] for style in table.values()]),
    }


def names_legend(names) -> alt.Legend:
    """A legend of as many names; more than fit side by side stand in rows."""
    return alt.Legend(columns=NAMES_IN_A_ROW) if len(names) > NAMES_IN_A_ROW + 1 else alt.Legend()


def require(frame, columns, where: str) -> None:
    """Raise ValueError naming the missing columns, or the empty table, before a chart is drawn blank."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(f"{where} needs the columns {list(columns)}; missing: {missing}")
    if not len(frame):
        raise ValueError(f"{where} got an empty table: pass at least one row")


def power(exponent: int) -> str:
    """Ten to a whole power as text: 10⁻³."""
    return "10" + str(exponent).translate(SUPERSCRIPTS)


def percent(value: float) -> str:
    """A probability as a percentage with the digits it needs: 37.5 %, 0.012 %, 1.2 × 10⁻⁷ for what is smaller still."""
    if value <= 0:
        return "0 %"
    if 0.9995 <= value < 1:
        return "above 99.9 %"
    if value >= 0.001:
        return f"{100 * value:.1f} %"
    if value >= 1e-5:
        return f"{100 * value:.2g} %"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × {power(int(exponent))}"


def points(value: float) -> str:
    """A difference of probabilities as signed percentage points: +28.5 points, −12.0 points."""
    return f"{100 * value:+.1f} points".replace("-", "−")


def odds(probability: float) -> str:
    """A probability the way one says it: 41 % when common, "1 in 3,200" when rare, "never" when zero."""
    if probability <= 0:
        return "never"
    if probability >= 0.99:
        return percent(probability)
    if probability >= 0.1:
        return f"{100 * probability:.0f} %"
    times = 1 / probability
    if times < 9.995e5:
        return f"1 in {float(f'{times:.2g}'):,.0f}"
    mantissa, exponent = f"{times:.0e}".split("e")
    return f"1 in {'' if mantissa == '1' else mantissa + '·'}{power(int(exponent))}"


def count(k: float) -> str:
    """A number of samples with thousands separated: 1,024."""
    return f"{k:,.0f}" if k >= 10 or k == int(k) else f"{k:.1f}"


def k_axis(title: str = "k, samples per problem (log scale)") -> alt.Axis:
    """Axis of k: powers of ten written 1, 10, 100, 1k ... 1M."""
    label = (
        "datum.value >= 1e6 ? datum.value / 1e6 + 'M' : datum.value >= 1e3 ? datum.value / 1e3 + 'k' : '' + datum.value"
    )
    return alt.Axis(title=title, labelExpr=label, values=[10**i for i in range(0, 13)], labelOverlap="greedy")


def probability_axis(title: str, lowest: int, **options) -> alt.Axis:
    """Axis of probabilities on a log scale from 10^lowest to 1, labelled 1, 10⁻¹, 10⁻² ..."""
    names = ["1"] + [power(-i) for i in range(1, -lowest + 1)]
    label = f"{names!r}[round(-log(datum.value) / LN10)]"
    values = [float(f"1e{-i}") for i in range(-lowest + 1)]
    return alt.Axis(title=title, labelExpr=label, values=values, labelOverlap="greedy", **options)


def k_scale(ks) -> alt.Scale:
    """Log scale over the ks given, from 1 or the smallest k to the largest."""
    return alt.Scale(type="log", domain=[min(1, min(ks)), max(ks)], nice=False)


def decade_below(value: float, lowest: int) -> int:
    """Largest whole exponent e >= lowest with 10^e <= value."""
    return lowest if value <= 0 else max(lowest, math.floor(math.log10(value)))


def interval_words(rows, value: str = "mean", word=percent) -> list[str]:
    """Value and interval of each row as text: "37.5 %  [35.1 %, 39.8 %]"."""
    columns = (rows[value], rows["low"], rows["high"])
    return [f"{word(v)}  [{word(low)}, {word(high)}]" for v, low, high in zip(*columns, strict=True)]


def label_rows(labels, width: int) -> tuple[alt.Y, int, int]:
    """An axis with a row for each of the column's labels, in their order, wrapped at `width` letters.

    Beside it how many rows, and the pixels that the label of most lines takes.
    """
    order = list(dict.fromkeys(labels))
    lines = {label: textwrap.wrap(label, width) for label in order}
    tallest = max(len(each) for each in lines.values())
    axis = alt.Axis(labelExpr=f"{json.dumps(lines)}[datum.label]", labelLimit=0, ticks=False, domain=False, grid=True)
    return alt.Y("label:N", sort=order, title=None, axis=axis), len(order), LINE * tallest + 4


def legend_toggle(name: str, field: str):
    """A named selection whose legend entries take a curve away and bring it back, and the function that fades marks."""
    hidden = alt.selection_point(name=name, fields=[field], bind="legend", toggle="true", empty=False)
    return hidden, lambda full: alt.when(hidden).then(alt.value(0.04)).otherwise(alt.value(full))


def finish(chart, description: str, *, height: int | None = 320):
    """A single or layered view with the shared theme, its alt text, and a width that follows its container."""
    size = {} if height is None else {"height": height}
    axis = {
        "labelColor": INK, "titleColor": INK, "domainColor": INK, "tickColor": INK, "gridColor": INK,
        "gridOpacity": 0.12, "domainOpacity": 0.45, "tickOpacity": 0.45, "labelFontSize": 12, "titleFontSize": 12.5,
        "titleFontWeight": "normal", "titlePadding": 8,
    }  # fmt: skip
    legend = {
        "labelColor": INK, "titleColor": INK, "labelFontSize": 12.5, "titleFontSize": 12.5, "titleFontWeight": "normal",
        "labelLimit": 0, "symbolSize": 110, "symbolOpacity": 1, "symbolStrokeWidth": 0, "orient": "top",
        "direction": "horizontal", "columnPadding": 14, "unselectedOpacity": 1,
    }  # fmt: skip
    return chart.properties(width="container", description=description, background="transparent", **size).configure(
        font=FONT,
        axis=alt.AxisConfig(**axis),
        legend=alt.LegendConfig(**legend),
        title=alt.TitleConfig(color=INK, subtitleColor=INK, anchor="start", fontSize=14, fontWeight="bold"),
        # Width of a render that has no container to measure: the static SVG and PNG.
        view=alt.ViewConfig(stroke=None, continuousWidth=660, continuousHeight=320),
        text=alt.MarkConfig(color=INK, fontSize=12),
        autosize=alt.AutoSizeParams(type="fit", contains="padding"),
    )
