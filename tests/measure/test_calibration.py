"""The simulations themselves: their truths, their repeatability, and the command that prints them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from beyondbase.measure import calibration
from beyondbase.measure.calibration import Cell, cells, main, measure
from beyondbase.measure.studies import (
    SCENARIOS,
    CollapseStudy,
    GaussianStudy,
    SolveStudy,
    Spread,
    mean_pass_at_k,
    true_crossing,
)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
@pytest.mark.parametrize("k", [1, 64])
@pytest.mark.parametrize("null", [False, True])
def test_truth_is_the_mean_of_what_is_drawn(name: str, k: int, null: bool) -> None:
    study = SolveStudy(**SCENARIOS[name], k=k, null=null)
    means = study.draw(np.random.default_rng(1), 1500, 4, 30).mean((1, 2))
    assert means.mean() == pytest.approx(study.truth, abs=4 * means.std() / np.sqrt(1500))
    assert (study.truth == 0) == null or name == "shuffled"


def test_truth_of_collapse_studies() -> None:
    means = CollapseStudy(0.1).draw(np.random.default_rng(4), 1500, 3, 50).mean((1, 2))
    assert means.mean() == pytest.approx(CollapseStudy(0.1).truth, abs=4 * means.std() / np.sqrt(1500))


def test_sampled_studies_have_the_same_truth_and_more_noise() -> None:
    exact, sampled = (SolveStudy(**SCENARIOS["edge"], k=16, samples=n) for n in (0, 32))
    assert exact.truth == sampled.truth
    first, second = (study.draw(np.random.default_rng(2), 1500, 3, 30) for study in (exact, sampled))
    assert second.var() > 1.02 * first.var()
    means = second.mean((1, 2))
    assert means.mean() == pytest.approx(exact.truth, abs=4 * means.std() / np.sqrt(1500))


def test_mean_pass_at_k_against_simple_cases() -> None:
    assert mean_pass_at_k(0.0, 1.0, 1) == pytest.approx(0.5)
    assert mean_pass_at_k(np.log(0.25 / 0.75), 1e-9, 3) == pytest.approx(1 - 0.75**3)


def test_true_crossing_is_where_the_truth_is_zero() -> None:
    study = SolveStudy(**SCENARIOS["reversal"], k=1)
    k = true_crossing(study)
    assert SolveStudy(**SCENARIOS["reversal"], k=k).truth == pytest.approx(0, abs=1e-9)
    assert SolveStudy(**SCENARIOS["reversal"], k=k / 2).truth > 0 > SolveStudy(**SCENARIOS["reversal"], k=2 * k).truth


def test_spread_adds_up() -> None:
    drawn = Spread(2.0, 0.5, 1.0).draw(np.random.default_rng(3), 400, 6, 60)
    assert drawn.std() == pytest.approx(Spread(2.0, 0.5, 1.0).total, rel=0.02)
    assert drawn.mean(2).std() == pytest.approx(np.sqrt(0.25 + 4 / 60 + 1 / 60), rel=0.06)


def test_same_seed_same_row_other_seed_other_row() -> None:
    cell = Cell("gaussian", 3, 50, GaussianStudy(0.3))
    assert measure(cell, 60, 1) == measure(cell, 60, 1) != measure(cell, 60, 2)


def test_rows_count_what_they_say() -> None:
    cell = Cell("edge", 3, 40, SolveStudy(**SCENARIOS["edge"], k=64), 64)
    row = measure(cell, 300, 0)
    assert row.coverage + row.low_too_high + row.high_too_low == pytest.approx(1)
    assert row.called > 0.75  # an effect of 28 points is far beyond the margin
    assert row.rivals["bootstrap"] < 0.9 < row.rivals["Behrens-Fisher"]
    assert row.rivals["symmetric"] <= row.coverage  # the skewness correction only ever widens


def test_full_grid_has_every_size_and_scenario() -> None:
    grid = list(cells())
    assert {cell.generator for cell in grid} == {"gaussian", "collapse", *SCENARIOS}
    assert {cell.seeds for cell in grid} == {3, 5, 8} and {cell.problems for cell in grid} == {100, 200, 400}
    assert len({(c.generator, c.seeds, c.problems, c.k, c.samples, c.study) for c in grid}) == len(grid)


def test_command_prints_tables_and_writes_the_rows(tmp_path, capsys, monkeypatch) -> None:
    quick = [*cells(quick=True)][:2] + [Cell("edge", 3, 30, SolveStudy(**SCENARIOS["edge"], k=64, samples=64), 64, 64)]
    monkeypatch.setattr(calibration, "cells", lambda: iter(quick))
    main(["--studies", "16", "--json", str(tmp_path / "rows.json")])
    printed = capsys.readouterr().out
    assert all(
        head in printed for head in ("### Studies with an effect", "### True nulls", "### Crossings", "16 studies")
    )
    stored = json.loads((tmp_path / "rows.json").read_text())
    assert len(stored["rows"]) == 3 and stored["rows"][0]["generator"] == "gaussian" and len(stored["crossings"]) == 6


def test_command_refuses_no_studies(capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--studies", "0"])
    assert stopped.value.code == 2 and "--studies 0" in capsys.readouterr().err
