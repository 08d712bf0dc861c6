"""Reading back what a chart draws: its SVG, the texts in it with their places, the points of its lines."""

from __future__ import annotations

import functools
import json
import re
import xml.etree.ElementTree as ET

import vl_convert

SVG = "{http://www.w3.org/2000/svg}"
MOVE = re.compile(r"translate\((-?[\d.e]+),\s*(-?[\d.e]+)\)")


def svg(chart, width: int = 660) -> ET.Element:
    """The chart, or its specification, as the browser would draw it in a container of that width."""
    spec = chart if isinstance(chart, dict) else chart.to_dict()
    return ET.fromstring(svg_text(json.dumps({**spec, "width": width})))


@functools.cache  # a drawing takes about a second, and several tests look at the same one
def svg_text(spec: str) -> str:
    return vl_convert.vegalite_to_svg(spec, vl_version="6.4", allowed_base_urls=[])


def size(picture: ET.Element) -> tuple[float, float]:
    return float(picture.attrib["width"]), float(picture.attrib["height"])


def texts(picture: ET.Element) -> list[tuple[str, float, float]]:
    """Every text with its place in the picture."""
    found = []

    def walk(element: ET.Element, x: float, y: float) -> None:
        if move := MOVE.search(element.attrib.get("transform", "")):
            x, y = x + float(move[1]), y + float(move[2])
        if element.tag == f"{SVG}text" and (element.text or "").strip():
            found.append((element.text or "", x, y))
        for child in element:
            walk(child, x, y)

    walk(picture, 0.0, 0.0)
    return found


def lines(picture: ET.Element) -> list[list[tuple[float, float]]]:
    """Corner points of every line mark, in pixels of the plot."""
    found = []
    for group in picture.iter(f"{SVG}g"):
        if "mark-line" in group.attrib.get("class", ""):
            for path in group.iter(f"{SVG}path"):
                numbers = re.findall(r"[ML](-?[\d.e-]+),(-?[\d.e-]+)", path.attrib["d"])
                found.append([(float(x), float(y)) for x, y in numbers])
    return found
