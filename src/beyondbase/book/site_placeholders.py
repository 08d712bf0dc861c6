"""Placeholders in prose: `{{ kind:argument }}` becomes a number, a chart, a verdict or the scoreboard.

Code blocks and code spans are left alone, so that a page can show how a placeholder is written. What cannot be filled
is collected for all pages first and then fails the build, one line each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

KNOWN = ("value", "chart", "verdict", "scoreboard")
BLOCKS = ("chart", "scoreboard")
# `\frac{{a}}{{b}}` in a formula is no placeholder: one has spaces inside its braces, or a colon after its kind.
PLACEHOLDER = re.compile(r"\{\{(?:\s+(?P<spaced>[^{}]*?)\s+|(?P<tight>[A-Za-z]+:[^{}]*?|scoreboard))\}\}")
FENCE = re.compile(r"^\s*(?P<mark>`{3,}|~{3,}|:{3,})\s*(?P<info>.*)$")
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


@dataclass(frozen=True)
class Found:
    """One placeholder: where it stands in the line (columns), what it asks for, whether inside `$...$`."""

    start: int
    end: int
    text: str
    kind: str
    argument: str
    alone: bool
    in_formula: bool


def prose_lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """(line number from 1, line, is it prose) for each line; lines of code blocks are not prose.

    A fence whose info starts with a directive name holds prose, except the directives that hold code or raw text.
    """
    open_fences: list[tuple[str, bool]] = []
    for number, line in enumerate(text.split("\n"), 1):
        fence = FENCE.match(line)
        in_code = bool(open_fences) and open_fences[-1][1]
        if fence:
            mark, info = fence["mark"], fence["info"].strip()
            closes = (
                open_fences and not info and mark[0] == open_fences[-1][0][0] and len(mark) >= len(open_fences[-1][0])
            )
            if closes:
                open_fences.pop()
            elif not in_code:
                code = mark[0] != ":" and (not info.startswith("{") or re.match(r"\{(code|raw|literal|math)", info))
                open_fences.append((mark, bool(code)))
            yield number, line, not in_code and not closes and mark[0] == ":"
        else:
            yield number, line, not in_code


def placeholders(line: str) -> list[Found]:
    """Every placeholder of a line of prose, from left to right, code spans apart."""
    masked = SPAN.sub(lambda span: " " * len(span[0]), line)
    found = []
    for match in PLACEHOLDER.finditer(masked):
        inner = (match["spaced"] or match["tight"] or "").strip()
        kind, _, argument = inner.partition(":")
        start, end = match.span()
        alone = line.strip() == line[start:end]
        formula = len(re.findall(r"(?<!\\)\$", masked[:start])) % 2 == 1
        found.append(Found(start, end, line[start:end], kind.strip(), argument.strip(), alone, formula))
    return found


def fill(text: str, where: str, make: dict[str, Callable[[str], str]], errors: list[str]) -> str:
    """`text` with every placeholder filled by `make[kind](argument)`.

    `where` is the page as the author knows it. LookupError and ValueError from `make`, unknown kinds, and block
    placeholders that share their line with other text are appended to `errors` as `where:line: placeholder: reason`.
    """
    lines = []
    for number, line, is_prose in prose_lines(text):
        for found in reversed(placeholders(line)) if is_prose else ():
            try:
                new = _one(found, make)
            except (LookupError, ValueError) as error:
                reason = error.args[0] if error.args else type(error).__name__
                errors.append(f"{where}:{number}: {found.text}: {reason}")
                continue
            line = line[: found.start] + new + line[found.end :]
        lines.append(line)
    return "\n".join(lines)


def _one(found: Found, make: dict[str, Callable[[str], str]]) -> str:
    if found.kind not in make:
        raise LookupError(f"no placeholder of this kind; there are: {', '.join(make)}")
    if found.kind in BLOCKS and not found.alone:
        raise ValueError("this one needs a line of its own")
    text = make[found.kind](found.argument)
    # A formula is parsed by a TeX reader, which knows only the ASCII minus.
    return text.replace("−", "-") if found.in_formula else text


def raw_html(html: str) -> str:
    """HTML as a MyST block that survives blank lines inside it."""
    return "``````````{raw} html\n" + html.strip() + "\n``````````"
