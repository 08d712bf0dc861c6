"""What becomes of the text of a page: placeholders, numbers, formulas, tables."""

from __future__ import annotations

import pytest
import sample

from beyondbase.site import values as site_values
from beyondbase.site.extension import mathml
from beyondbase.site.placeholders import fill
from beyondbase.site.tables import agreement, badge, tidy_tables
from beyondbase.site.values import SiteError, library, look_up, show


def echo(text: str) -> tuple[str, list[str]]:
    errors: list[str] = []
    make = {"value": lambda argument: f"<{argument}>", "chart": lambda argument: f"[{argument}]"}
    return fill(text, "page.md", make, errors), errors


def test_placeholders_are_filled_in_prose_only() -> None:
    text = """{{ value:a|.3f }} and {{value:b}}, `{{ value:code }}`
```python
"{{ value:code }}"
```
:::{note}
{{ value:c }}
```{admonition} title
{{ value:d }}
```
```{code-block} python
{{ value:code }}
```
:::
{{ value:e }}"""
    filled, errors = echo(text)
    assert not errors
    assert [f"<{name}>" in filled for name in ("a|.3f", "b", "c", "d", "e")] == [True] * 5
    assert filled.count("{{ value:code }}") == 3


def test_braces_of_a_formula_are_no_placeholder() -> None:
    formula = r"$\frac{{n}}{{k}}$ and $p^{{n-c}}$"
    assert echo(formula) == (formula, [])


def test_what_cannot_be_filled_is_told_with_page_line_and_reason() -> None:
    def missing(argument: str) -> str:
        raise LookupError(f"no {argument}")

    errors: list[str] = []
    text = "one\n{{ value:x }} {{ valeu:y }}\n\nsee {{ chart:z }} here"
    fill(text, "book/page.md", {"value": missing, "chart": missing}, errors)
    assert errors == [
        "book/page.md:2: {{ value:x }}: no x",
        "book/page.md:2: {{ valeu:y }}: no placeholder of this kind; there are: value, chart",
        "book/page.md:4: {{ chart:z }}: this one needs a line of its own",
    ]


def test_a_line_may_break_inside_a_placeholder() -> None:
    assert echo("by {{\nvalue:a.b|pp }} points, {{ value:c|pp\n}} points") == ("by <a.b|pp> points, <c|pp> points", [])
    errors: list[str] = []
    fill("one\n{{\nnothing:x }}", "page.md", {}, errors)
    assert errors == ["page.md:2: {{ nothing:x }}: no placeholder of this kind; there are: "]


def test_a_formula_gets_an_ascii_minus() -> None:
    make = {"value": lambda _: "−0.5"}
    assert fill("$x = {{ value:a }}$ and {{ value:a }}", "page.md", make, []) == "$x = -0.5$ and −0.5"


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (-0.1234, ".3f", "−0.123"),
        (0.2851, "pp", "+28.5"),
        (-0.12, "pp", "−12.0"),
        (1234567, ",d", "1,234,567"),
        ("gpu", "x", "gpu"),
        (3, "", "3"),
        ([1, 2, 3], "count", "3"),
        (301.5, "duration", "5 minutes"),
        (42.0, "duration", "42 seconds"),
    ],
)
def test_formats(value: object, form: str, text: str) -> None:
    assert show(value, form) == text


def test_time_tells_the_run_and_the_work_that_it_rests_on() -> None:
    assert (
        site_values.time_taken({"seconds": 19.1, "work_seconds": 4630.3})
        == "19 seconds (steps: 77 minutes of one core)"
    )
    assert site_values.time_taken({"seconds": 301.5, "work_seconds": 0}) == "5 minutes"
    assert site_values.time_taken({"work_seconds": 5.0}) is None


@pytest.mark.parametrize(
    ("value", "form"),
    [(None, ".3f"), ([1], ".3f"), ([1], "x"), ("gpu", ".3f"), (1.5, "nonsense"), (1, "count"), (True, "pp")],
)
def test_what_has_no_such_format_is_refused(value: object, form: str) -> None:
    with pytest.raises(ValueError):
        show(value, form)


def books(**records: dict) -> site_values.Library:
    runs = {preset: {"record": record} for preset, record in records.items()}
    return library([sample.claim("test", "Test")], {"test": runs})


def test_a_number_comes_from_the_largest_published_preset() -> None:
    book = books(laptop={"n": 1}, gpu={"n": 2}, smoke={"n": 3})
    assert look_up(book, "test.n") == 2
    assert look_up(book, "test@laptop.n") == 1
    assert [run.preset for run in book.published["test"]] == ["gpu", "laptop"]
    with pytest.raises(LookupError, match="no published record; .*--preset smoke --publish"):
        look_up(book, "test@smoke.n")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("other.n", "no claim 'other' in the register; it has: test"),
        ("test.parts.gain.efect", "no 'efect' in test.parts.gain; there is: .*'effect'"),
        ("test.seed_values.9", "no '9' in test.seed_values"),
        ("test.verdict.x", "no 'x' in test.verdict; there is: a str"),
    ],
)
def test_a_missing_value_says_what_there_is(path: str, told: str) -> None:
    with pytest.raises(LookupError, match=told):
        look_up(books(gpu=sample.record("test", "gpu")), path)


def test_records_of_an_unregistered_claim_are_refused() -> None:
    with pytest.raises(SiteError, match="'other', which is not in the register; it has: test"):
        library([sample.claim("test", "Test")], {"other": {}})


def interval(effect: float, low: float, high: float) -> dict:
    return {"effect": effect, "low": low, "high": high}


def test_agreement_of_two_intervals() -> None:
    wide, inside, aside, apart = interval(0, -5, 5), interval(1, -1, 3), interval(5.5, 4, 7), interval(9, 8, 10)
    assert agreement(wide, inside) == agreement(inside, wide) == "agree"
    assert agreement(wide, aside) == agreement(aside, wide) == "overlap"
    assert agreement(wide, apart) == agreement(apart, wide) == "differ"
    assert agreement(wide, {"effect": 1}) is None


def test_badges_tell_verdicts_by_symbol_and_word() -> None:
    symbols = {
        word: badge(word).split('aria-hidden="true">')[1][0] for word in ("reproduced", "contradicted", "not seen")
    }
    assert len(set(symbols.values())) == 3
    assert "not seen" in badge("not seen")
    assert "&lt;b&gt;" in badge("<b>")


def test_formulas_become_mathml() -> None:
    fraction = mathml(r"\frac{a}{b} \sim \operatorname{pass@}k", display=True)
    assert "<mfrac>" in fraction and "<mtext>pass@</mtext>" in fraction and "∼" in fraction
    assert 'display="block"' in fraction and r'alttext="\frac{a}{b}' in fraction
    assert mathml(r"a &= b \\ c &= d", display=True).count("<mtr>") == 2
    assert mathml(r"\begin{aligned} a &= b \\ c &= d \end{aligned}", display=True).count("<mtr>") == 2


@pytest.mark.parametrize("latex", [r"\frac{a", r"\nosuchcommand x", r"\begin{array} a & b"])
def test_a_formula_that_is_not_understood_is_refused(latex: str) -> None:
    with pytest.raises(ValueError):
        mathml(latex, display=False)


def test_tables_of_frames_lose_their_row_numbers_and_gain_headers() -> None:
    import pandas as pd

    html = tidy_tables(pd.DataFrame({"name": ["a", "b"], "value": [0.5, -1e-7]})._repr_html_())
    assert "border" not in html and "<style" not in html and 'class="bb-table"' in html
    assert '<th scope="col">name</th>' in html and '<th class="bb-figure" scope="col">value</th>' in html
    assert "<th>0</th>" not in html and html.count("<td") == 4
    named = tidy_tables(pd.DataFrame({"value": [1, 2]}, index=["x", "y"])._repr_html_())
    assert '<th scope="row">x</th>' in named and "<th></th>" not in named
