"""The analysis against independent computations, and the rule of the verdict."""

from __future__ import annotations

import json
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest

from beyondbase import audit
from beyondbase.audit.analysis import histogram, ks_up_to, pair
from beyondbase.audit.verdict import _sampling, answer, crossing_words, decide, forecast, signed
from beyondbase.audit.wins import wins_by_k
from beyondbase.measure import Crossing, paired_interval, pass_at_k
from beyondbase.measure.counts import wins_and_ties


def counts(seed: int, problems: int = 60, n: int = 16, models=("base", "rl"), mixed: bool = False) -> audit.Counts:
    generator = np.random.default_rng(seed)
    sizes = generator.integers(5, n + 1, (len(models), problems)) if mixed else np.full((len(models), problems), n)
    solved = generator.binomial(sizes, generator.beta(0.5, 0.8, sizes.shape))
    return audit.Counts(tuple(models), tuple(f"p{at}" for at in range(problems)), sizes, solved)


def missed(n: int, c: int, k: int) -> Fraction:
    return Fraction(comb(n - c, k), comb(n, k))


@pytest.mark.parametrize("mixed", [False, True])
def test_wins_and_curves_agree_with_fractions(mixed: bool) -> None:
    found = counts(1, mixed=mixed)
    first, second = found.of("base"), found.of("rl")
    end = int(found.n.min())
    compared = audit.analyse(found).comparisons["rl"]
    wins = wins_by_k(first, second, np.arange(1, end + 1))
    for k in range(1, end + 1):
        pairs = [(missed(*map(int, a), k), missed(*map(int, b), k))
                 for a, b in zip(zip(*first, strict=True), zip(*second, strict=True), strict=True)]  # fmt: skip
        expected = (sum(b > a for a, b in pairs), sum(a == b for a, b in pairs), sum(a > b for a, b in pairs))
        assert tuple(wins[k - 1]) == expected == tuple(compared.wins[k - 1])
        exact = float(sum(a - b for a, b in pairs) / len(pairs))
        assert compared.difference.value[k - 1] == pytest.approx(exact, abs=1e-12)
        if not mixed:
            assert tuple(wins[k - 1]) == tuple(wins_and_ties(16, first[1], second[1], k))
        band = paired_interval(pass_at_k(*second, k) - pass_at_k(*first, k))
        ends = compared.difference.low[k - 1], compared.difference.high[k - 1]
        assert ends == pytest.approx((band.low, band.high), abs=1e-12)


def test_every_k_and_the_grid_beyond() -> None:
    assert ks_up_to(7).tolist() == list(range(1, 8))
    ks = ks_up_to(5000)
    assert ks[:1024].tolist() == list(range(1, 1025)) and ks[-1] == 5000 and (np.diff(ks) > 0).all() and len(ks) < 1040


@pytest.mark.parametrize(
    ("low", "high", "problems", "expected"),
    [
        (0.01, 0.05, 20, "yes"), (-0.05, -0.01, 20, "no"), (-0.01, 0.01, 500, "no"), (-0.01, 0.01, 149, "open"),
        (-0.01, 0.03, 500, "open"), (-0.03, 0.05, 500, "open"),
    ],
)  # fmt: skip
def test_an_answer_follows_from_its_interval(low: float, high: float, problems: int, expected: str) -> None:
    assert answer(low, high, problems) == expected


def spread(mean: float, problems: int = 400):
    """An interval of differences around `mean`, about a point and a half to each side."""
    values = mean + 0.15 * np.resize([1.0, -1.0], problems)
    return paired_interval(values)


@pytest.mark.parametrize(
    ("one", "reach", "word"),
    [(0.1, -0.1, "sharpened"), (0.1, 0.0, "sharpened"), (0.1, 0.1, "both"), (0.0, 0.1, "expanded"),
     (-0.1, 0.1, "expanded"), (0.1, 0.01, "undecided"), (0.0, 0.0, "undecided"), (0.01, -0.1, "undecided")],
)  # fmt: skip
def test_the_verdict_follows_from_both_answers(one: float, reach: float, word: str) -> None:
    found = decide(spread(one), spread(reach), 64)
    assert found.word == word and found.sentence.lower().startswith(word)
    assert decide(spread(one), spread(one), 1).word == "undecided"


def test_an_undecided_verdict_says_why() -> None:
    """An interval that is narrow but rests on few problems is not called wide."""
    few, wide, many = spread(-0.02, 100), spread(0.01), spread(-0.1)
    assert few.low < 0 and 0 < few.high < 0.02
    assert "Undecided: the interval is too wide at k = 1 (" in decide(wide, many, 8).sentence
    said = decide(few, few, 8).sentence
    assert "Undecided: 100 problems are too few to rule an effect out at k = 1 and k = 8, 150 would do (" in said
    assert signed(-0.0004) == "+0.0" and signed(-0.0006) == "-0.1" and signed(0.165) == "+16.5"


def test_words_of_a_crossing() -> None:
    anywhere = Crossing(None, None, None, "below", True, 0.95)
    assert crossing_words(anywhere) == "no crossing (below); one at any k would be compatible with the samples"
    for found in (Crossing(8.0, 4.0, None, "crossing", True, 0.95), Crossing(None, None, None, "above", False, 0.95)):
        assert crossing_words(found) == str(found)


def test_a_forecast_knows_the_samples_part_of_the_noise() -> None:
    n, problems, m = 4000, 50, 32
    half = np.full(problems, n // 2), np.full(problems, n)
    assert _sampling(half[1], half[0], m, 1) == pytest.approx(0.25 / m / problems, rel=1e-3)
    generator = np.random.default_rng(5)
    p, k = generator.beta(0.6, 2, problems), 8
    drawn = pass_at_k(m, generator.binomial(m, p, (4000, problems)), k).mean(-1)
    predicted = _sampling(np.full(problems, n), np.rint(p * n).astype(int), m, k)
    assert predicted == pytest.approx(drawn.var(), rel=0.1)


def test_an_open_question_gets_a_larger_number_of_samples_and_of_problems() -> None:
    generator = np.random.default_rng(0)
    p = generator.beta(1, 1, 200)
    n = np.full(200, 8)
    first, second = (n, generator.binomial(8, p)), (n, generator.binomial(8, np.clip(p + 0.012, 0, 1)))
    interval = paired_interval(pass_at_k(*second, 1) - pass_at_k(*first, 1))
    assert answer(interval.low, interval.high, 200) == "open"
    found = forecast(first, second, 1, interval)
    assert found.samples is not None and found.samples > 8 and str(found.samples) in found.words
    assert found.problems is not None and found.problems > 200


def test_models_are_told_apart_by_name_or_refused() -> None:
    assert pair(("my-rl", "my-base"), None, None)[:2] == ("my-base", "my-rl")
    assert pair(("x", "y"), None, None)[:2] == ("x", "y")
    assert pair(("x", "y"), None, "x")[:2] == ("y", "x")
    assert pair(("distilled", "base", "rl"), None, None)[:2] == ("base", "rl")
    for asked, said in (((("x", "y", "z"), None, None), "3 models and none says"), ((("x",), None, None), "one model"),
                        ((("x", "y"), "z", None), "no model 'z'; there are: x, y"),
                        ((("x", "y"), "x", "x"), "both 'x'")):  # fmt: skip
        with pytest.raises(audit.BadInput, match=said):
            pair(*asked)


def test_histograms_count_in_whole_numbers() -> None:
    n = np.full(11, 10)
    assert histogram(n, np.arange(11)).tolist() == [1] * 9 + [2]


def test_several_models_are_each_compared_with_the_base() -> None:
    found = audit.analyse(counts(2, models=("base", "rl", "distilled", "instruct")))
    assert list(found.comparisons) == ["rl", "distilled", "instruct"]
    report = audit.report.as_json(found)
    assert set(report["passk"]) == {"base", "rl", "distilled", "instruct"}
    assert set(report["comparisons"]) == {"distilled", "instruct"}
    assert report["difference"][0]["wins"] + report["difference"][0]["losses"] <= 60


def test_the_published_counts_end_to_end(root: Path, tmp_path: Path) -> None:
    found = audit.run([root / "book/data/math500_rerun_counts.csv"])
    report = json.loads(audit.report.write_json(found, tmp_path).read_text())
    wanted = {"models", "passk", "difference", "crossing", "coverage", "delta_se", "verdict", "notes"}
    assert wanted <= report.keys() and report["verdict"] == "sharpened"
    base, rl = report["models"]
    assert (base["correct"], rl["correct"], base["solved"], rl["solved"]) == (39291, 49877, 481, 465)
    last = {model: curve[-1] for model, curve in report["passk"].items()}
    assert [(row["k"], round(row["value"], 3)) for row in last.values()] == [(128, 0.962), (128, 0.930)]
    cells = report["coverage"]
    assert [cells[name]["count"] for name in ("both", "base_only", "rl_only", "neither")] == [462, 19, 3, 16]
    assert all(len(cell["ids"]) == cell["count"] for cell in cells.values())
    assert len(report["difference"]) == 128
    assert report["crossing"]["low"] < report["crossing"]["k"] < report["crossing"]["high"]
    delta = report["delta_se"]
    assert delta["value"] == pytest.approx(0.962 - 49877 / 64000) and delta["low"] < delta["value"] < delta["high"]
    words = audit.report.text(found)
    assert "462" in words and "Sharpened" in words and "k = 14.4" in words
