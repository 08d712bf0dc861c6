"""Effects with their intervals, one a line: what the claims of a part found, or what each knob changes."""

import altair as alt
import pandas as pd

from beyondbase.charts.theme import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    VERMILLION,
    finish,
    interval_words,
    label_rows,
    names_legend,
    points,
    require,
)

LOOKS = [(BLUE, "circle"), (VERMILLION, "square"), (GREEN, "triangle-up"), (PURPLE, "diamond"), (ORANGE, "cross")]
LABEL = 42  # characters of a label in one line
ROW, FRAME = 34, 95  # pixels: a row, more where it has several groups or lines; axis and legend


def effects(table: pd.DataFrame, *, axis: str = "effect, percentage points", margin: float | None = None):
    """A dot with its interval for every row, from the zero line to either side.

    `table`: label, effect, low, high (shares, drawn as percentage points); optional `group` (colour and shape, at most
    five), `reported` (the source's own value, drawn as a hollow ring). `margin` draws the band that does not matter.
    """
    require(table, ["label", "effect", "low", "high"], "charts.effects")
    data = table[["label", "effect", "low", "high"]].reset_index(drop=True)
    data["group"] = list(table["group"]) if "group" in table else ""
    known = pd.to_numeric(table["reported"], errors="coerce").to_numpy() if "reported" in table else float("nan")
    data["reported"] = known
    groups = list(dict.fromkeys(data["group"]))
    if len(groups) > len(LOOKS):
        raise ValueError(f"charts.effects draws at most {len(LOOKS)} groups, got {len(groups)}: {groups}")
    data["text"] = interval_words(data, "effect", points)
    data["said"] = [points(value) if pd.notna(value) else "none" for value in data["reported"]]
    shown = data.assign(**{name: 100 * data[name] for name in ("effect", "low", "high", "reported")})
    y, rows, room = label_rows(data["label"], LABEL)
    beside = data["label"].duplicated().any()  # several groups share a line: next to each other, not on top
    offset = {"yOffset": alt.YOffset("group:N", sort=groups)} if beside else {}
    x = alt.X("effect:Q", title=axis)
    legend = names_legend(groups) if len(groups) > 1 else None
    color = alt.Color("group:N", title=None, legend=legend,
                      scale=alt.Scale(domain=groups, range=[LOOKS[i][0] for i in range(len(groups))]))  # fmt: skip
    shape = alt.Shape("group:N", title=None, legend=legend,
                      scale=alt.Scale(domain=groups, range=[LOOKS[i][1] for i in range(len(groups))]))  # fmt: skip
    tooltip = [alt.Tooltip("label:N", title="what"), alt.Tooltip("text:N", title="effect [95 % interval]")]
    tooltip += [alt.Tooltip("group:N", title="group")] if len(groups) > 1 else []
    tooltip += [alt.Tooltip("said:N", title="reported by the source")] if data["reported"].notna().any() else []
    base = alt.Chart(shown).encode(y=y, **offset)
    layers = [band(margin)] if margin else []
    layers.append(alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=INK, opacity=0.6).encode(x="zero:Q"))
    layers.append(base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", title=axis), x2="high:Q", color=color))
    dots = base.mark_point(filled=True, size=90, opacity=1).encode(x=x, color=color, shape=shape, tooltip=tooltip)
    layers.append(dots)
    if data["reported"].notna().any():
        rings = alt.Chart(shown[shown["reported"].notna()]).mark_point(
            filled=False, shape="circle", size=170, strokeWidth=2, color=GREY, opacity=1
        )
        layers.append(rings.encode(y=y, x="reported:Q", tooltip=tooltip, **offset))
    height = rows * max(ROW, room, 17 * len(groups) if beside else 0) + FRAME
    return finish(alt.layer(*layers), describe_effects(data), height=height)


def band(margin: float) -> alt.Chart:
    """The band of effects too small to matter."""
    edges = pd.DataFrame({"from": [-100 * margin], "to": [100 * margin]})
    return alt.Chart(edges).mark_rect(color=GREY, opacity=0.16).encode(x="from:Q", x2="to:Q")


def describe_effects(data: pd.DataFrame) -> str:
    """Alt text: every effect with its interval, and what the source reported."""
    said = []
    for row in data.itertuples():
        name = f"{row.label}, {row.group}" if row.group else row.label
        said.append(f"{name}: {row.text}" + (f", reported {row.said}" if row.said != "none" else ""))
    return f"Dot chart of effects with 95 % intervals. {'; '.join(said)}."
