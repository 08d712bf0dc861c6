"""Do the intervals cover what they say? Simulated studies with a known truth, counted.

    python -m beyondbase.measure.calibration [--studies 4000] [--seed 0] [--json FILE]

prints coverage and false-positive tables as markdown. A cell is one kind of study at one number of seeds, problems
and one k; its false-positive rate is how often the interval of a true null excludes 0, and "called" how often the
verdict at a margin of 0.02 then says reproduced or contradicted.

What 4000 studies a cell show. Where ten problems or more carry the difference, coverage is 93 to 97 % in all cells but
two (92.4 and 92.8 %), and of the methods not chosen none comes as close. Three things to know:

- A difference that fewer than ten problems carry (both models solve all others, or none) is covered by 66 to 100 %,
  because too much rests on problems that were not drawn. No true null of that kind is called an effect.
- Where seeds make more than nine tenths of the variance and their effects are skewed, coverage is 92 to 95 %, and the
  interval of a true null misses 0 in 5 to 8 % of studies: no method can learn a skewness from 3 to 8 seeds.
- A verdict has a margin as well: no true null of the experiment's kind is called an effect in more than 3 % of studies.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path

import numpy as np

from beyondbase.measure import rivals
from beyondbase.measure.crossing import crossing
from beyondbase.measure.intervals import decompose, limits, participation
from beyondbase.measure.passk import k_grid
from beyondbase.measure.studies import (
    SCENARIOS,
    CollapseStudy,
    GaussianStudy,
    SolveStudy,
    pass_of_log_odds,
    true_crossing,
)
from beyondbase.tasks.seeds import derive_seed

MARGIN = 0.02
ENOUGH = 10  # problems that must carry a difference for its interval to be trusted
EXACT = ((1, 0), (64, 0), (1024, 0))  # k and samples, 0 for exact pass@k
SAMPLED = ((1, 64), (64, 64), (64, 4096))
CHUNK = 250  # studies drawn at a time, to bound the memory


@dataclass(frozen=True)
class Cell:
    """One cell of the tables: a kind of study at one size. `k` and `samples` are 0 where they mean nothing."""

    generator: str
    seeds: int
    problems: int
    study: GaussianStudy | CollapseStudy | SolveStudy
    k: int = 0
    samples: int = 0


@dataclass(frozen=True)
class Row:
    """What happened in a cell; rates are shares of the studies, `rivals` the coverage of the methods not chosen.

    `carriers` is the number of problems that carry the difference (`intervals.participation`, median over studies),
    `seed_share` the part of the mean's variance that the seeds make, and `called` the rate of verdicts other than
    "not seen" and "undecided" at the margin 0.02, which a true null should not get.
    """

    generator: str
    seeds: int
    problems: int
    k: int
    samples: int
    null: bool
    truth: float
    carriers: float
    seed_share: float
    coverage: float
    standard_error: float
    low_too_high: float
    high_too_low: float
    called: float
    width: float
    rivals: dict[str, float]


def cells(quick: bool = False) -> Iterator[Cell]:
    """The grid of the published tables; `quick` is a corner of it for tests."""
    for seeds in (3, 5, 8):
        for problems in (200,) if quick else (100, 200, 400):
            for share in (0.0, 0.3, 0.6, 0.9):
                yield Cell("gaussian", seeds, problems, GaussianStudy(share))
            if not quick:
                for share in (0.02, 0.04, 0.08):
                    yield Cell("collapse", seeds, problems, CollapseStudy(share))
    if quick:
        return
    for name, numbers in SCENARIOS.items():
        for seeds, problems in ((3, 100), (3, 200), (3, 400), (5, 200), (8, 200)):
            sampled = SAMPLED if name in ("reversal", "edge") and problems == 200 and seeds != 5 else ()
            for k, samples in (*EXACT, *sampled):
                for null in (False, True):
                    if null or name != "shuffled":
                        study = SolveStudy(**numbers, k=k, samples=samples, null=null)
                        yield Cell(name, seeds, problems, study, k, samples)


def measure(cell: Cell, studies: int, seed: int, compare: bool = True) -> Row:
    """Draw `studies` studies of a cell and count; the same numbers give the same row."""
    generator = np.random.default_rng(derive_seed("calibration", seed, *asdict(cell).values()))
    truth, counts, carriers = cell.study.truth, Counter(), []
    for start in range(0, studies, CHUNK):
        values = cell.study.draw(generator, min(CHUNK, studies - start), cell.seeds, cell.problems)
        parts = decompose(values)
        low, high = limits(parts, cell.seeds, cell.problems)
        carriers.append(participation(values))
        counts["above"] += (low > truth).sum()
        counts["below"] += (high < truth).sum()
        counts["called"] += ((low > MARGIN) | (high < -MARGIN)).sum()
        counts["width"] += (high - low).sum()
        counts["seeds"] += (parts.seeds - parts.rest).sum()
        counts["variance"] += parts.variance.sum()
        batch = rivals.Batch(cell.seeds, cell.problems, values.mean(-1), parts)
        for name, method in rivals.RIVALS.items() if compare else ():
            ends = method(batch)
            counts[name] += ((ends[0] <= truth) & (truth <= ends[1])).sum()
    rate = {name: float(count / studies) for name, count in counts.items()}
    coverage = 1 - rate["above"] - rate["below"]
    return Row(
        cell.generator, cell.seeds, cell.problems, cell.k, cell.samples, cell.study.null, truth,
        carriers=float(np.median(np.concatenate(carriers))), seed_share=max(rate["seeds"] / rate["variance"], 0.0),
        coverage=coverage, standard_error=sqrt(coverage * (1 - coverage) / studies),
        low_too_high=rate["above"], high_too_low=rate["below"], called=rate["called"], width=rate["width"],
        rivals={name: rate[name] for name in rivals.RIVALS if name in rate},
    )  # fmt: skip


@dataclass(frozen=True)
class CrossingRow:
    """How often the confidence set of a crossing holds the true one; ends that stay open count as reaching on."""

    generator: str
    seeds: int
    problems: int
    truth: float
    found: float
    coverage: float
    standard_error: float


def measure_crossing(name: str, seeds: int, problems: int, studies: int, seed: int, last_k: int = 2**14) -> CrossingRow:
    """Coverage of the crossing's confidence set on exact curves of a scenario."""
    generator = np.random.default_rng(derive_seed("calibration", seed, "crossing", name, seeds, problems))
    study, ks, found, covered = SolveStudy(**SCENARIOS[name], k=1), k_grid(last_k), 0, 0
    truth = true_crossing(study)
    for _ in range(studies):
        base, trained = (odds[0] for odds in study.log_odds(generator, 1, seeds, problems))
        curve = np.stack([pass_of_log_odds(trained, k) - pass_of_log_odds(base, k) for k in ks])
        meeting = crossing(ks, curve)
        found += meeting.state == "crossing"
        covered += meeting.possible and (meeting.low or 0) <= truth <= (meeting.high or np.inf)
    rate = covered / studies
    return CrossingRow(name, seeds, problems, truth, found / studies, rate, sqrt(rate * (1 - rate) / studies))


def markdown(rows: list[Row], crossings: list[CrossingRow]) -> str:
    """The tables: coverage of studies with an effect, true nulls, and crossings. Percent throughout."""
    short = list(rivals.RIVALS)
    size = ["generator", "k", "samples", "seeds", "problems", "seed share", "carriers"]
    effect = [_size(r) + [f"{r.truth:+.4f}", _rate(r), *_rivals(r)] for r in rows if not r.null]
    null = [_size(r) + [_rate(r), _percent(1 - r.coverage), _percent(r.called), *_rivals(r)] for r in rows if r.null]
    meet = [
        [
            r.generator,
            r.seeds,
            r.problems,
            f"{r.truth:.1f}",
            _percent(r.found),
            f"{_percent(r.coverage)} ± {_percent(r.standard_error)}",
        ]
        for r in crossings
    ]
    carried = [r for r in rows if r.carriers >= ENOUGH]
    outside = [r for r in rows if _outside(r)]
    called = max((r.called for r in rows if r.null), default=0)
    return "\n".join([
        f"{len(rows)} cells, {len(rows) - len(outside)} of them covered between 93 and 97 %.",
        f"Of the {len(carried)} cells where {ENOUGH} problems or more carry the difference:"
        f" {len(carried) - sum(map(_outside, carried))}.",
        f"The verdict calls a true null an effect in at most {_percent(called)} % of a cell's studies.", "",
        "### Studies with an effect", *_table([*size, "truth", "coverage", *short], effect), "",
        "### True nulls", *_table([*size, "coverage", "false positives", "called", *short], null), "",
        "### Crossings", *_table(["generator", "seeds", "problems", "true k", "found", "coverage"], meet), "",
        "### Cells outside 93-97 %", *_table([*size, "truth", "coverage", "low end too high", "high end too low"],
            [_size(r) + [f"{r.truth:+.4f}", _rate(r), _percent(r.low_too_high), _percent(r.high_too_low)] for r in
            outside]),
    ])  # fmt: skip


def _outside(row: Row) -> bool:
    return not 0.93 <= row.coverage <= 0.97


def _size(row: Row) -> list:
    samples = row.samples or ("exact" if row.k else "")
    return [
        row.generator,
        row.k or "",
        samples,
        row.seeds,
        row.problems,
        f"{row.seed_share:.2f}",
        f"{row.carriers:.0f}",
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _rate(row: Row) -> str:
    return f"{_percent(row.coverage)} ± {_percent(row.standard_error)}"


def _rivals(row: Row) -> list[str]:
    return [_percent(row.rivals[name]) for name in rivals.RIVALS]


def _table(heads: list[str], rows: list[list]) -> list[str]:
    return [f"| {' | '.join(map(str, line))} |" for line in (heads, ["---"] * len(heads), *rows)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m beyondbase.measure.calibration", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--studies", type=int, default=4000, help="simulated studies a cell (default 4000)")
    parser.add_argument("--seed", type=int, default=0, help="another number draws other studies (default 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    options = parser.parse_args(arguments)
    if options.studies < 1:
        parser.error(f"--studies {options.studies}: at least 1 is needed")
    began = time.perf_counter()
    rows = [measure(cell, options.studies, options.seed) for cell in cells()]
    sizes = [(name, seeds) for name in ("reversal", "saturated") for seeds in (3, 5, 8)]
    crossings = [
        measure_crossing(name, seeds, 200, max(options.studies // 8, 1), options.seed) for name, seeds in sizes
    ]
    print(markdown(rows, crossings))
    print(f"\n{options.studies} studies a cell, seed {options.seed}, {time.perf_counter() - began:.0f} seconds.")
    if options.json:
        result = {"studies": options.studies, "seed": options.seed, "margin": MARGIN, "rows": [asdict(r) for r in rows]}
        result["crossings"] = [asdict(r) for r in crossings]
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
