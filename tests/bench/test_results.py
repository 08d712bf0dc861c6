"""From rounds to numbers, goals, and the lines on the screen."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import sample_results
from hypothesis import given
from hypothesis import strategies as st

from beyondbase.bench import command, goals, results, sampling, workloads
from beyondbase.bench.rounds import Outcome
from beyondbase.cli import main

POSITIVE = st.floats(1e-3, 1e3)


@given(st.lists(POSITIVE, min_size=1, max_size=9), st.integers(1, 10**6))
def test_the_rate_is_the_median_rounds(seconds: list[float], tokens: int) -> None:
    rounds = [{"seconds": one, "tokens": tokens} for one in seconds]
    assert results.rate(rounds) == pytest.approx(float(np.median([tokens / one for one in seconds])))
    assert results.seconds(rounds) == pytest.approx(float(np.median(seconds)))


@given(POSITIVE, POSITIVE, st.lists(st.integers(1, 10**5), min_size=3, max_size=8, unique=True))
def test_points_of_a_line_lie_on_it(intercept: float, slope: float, xs: list[int]) -> None:
    found = results.line(xs, [intercept + slope * x for x in xs])
    assert found[2] < 1e-6
    bent = [intercept + slope * x for x in xs]
    bent[0] *= 2
    assert results.line(xs, bent)[2] > found[2]


def test_what_was_not_measured_says_why_and_has_no_ratio() -> None:
    lost = results.entry(Outcome(reason="it died"), "job")
    assert lost["not_measured"] == "it died" and "tok_s" not in lost
    assert results.ratio(2.0, None) is None and results.ratio(None, 2.0) is None and results.ratio(6.0, 2.0) == 3.0
    rounds = [{"seconds": 2.0, "tokens": 10, "peak_mib": 5.0, "rollout_seconds": 1.0}]
    kept = results.entry(Outcome(measured={"job": rounds}, reason="died later"), "job")
    assert kept["tok_s"] == 5.0 and kept["rollout_seconds"] == [1.0] and "not_measured" not in kept


def test_goals_are_judged_by_their_own_side() -> None:
    judged = {goal["name"]: goal["met"] for goal in sample_results.results()["goals"]}
    expected = {"generate": True, "vllm": True, "bound": True, "trl": True, "rollouts": True, "trainer": True}
    assert judged == expected | {"linear": True, "memory": True}
    worse = sample_results.results() | {"growth": {"time_off_line": 0.2, "bytes_per_token": 5000.0}}
    assert [goal["met"] for goal in goals.judge(worse)][-2:] == [False, False]
    assert [goal["met"] for goal in goals.judge({})] == [None] * len(goals.GOALS)


def test_a_peer_that_wins_is_told() -> None:
    assert sample_results.results()["peers_ahead"] == []
    (line,) = sample_results.results(winner=True)["peers_ahead"]
    assert "generate is 2.00 times as fast" in line and "n = 16" in line
    assert line in command.text(sample_results.results(winner=True))


def test_the_text_names_every_contestant_and_reason() -> None:
    said = command.text(sample_results.results(vllm=False))
    assert "not measured: RuntimeError" in said and "TRL GRPOTrainer" in said and "16384" in said


def test_quick_returns_its_five_numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def compete(self, contestants, prepare, jobs, repeats):
        (label,) = jobs
        rates = {"ours": 600, "generate": 100, "bound": 800}
        return {
            one.name: Outcome(
                measured={label: [{"seconds": 1.0, "tokens": rates[one.name], "peak_mib": 1.0}] * repeats}
            )
            for one in contestants
        }

    monkeypatch.setattr(sampling.Setting, "compete", compete)
    found = sampling.quick(sampling.Setting("cpu", 1, tmp_path, print))
    assert {name: found[name] for name in found if name != "detail"} == {
        "ours_tok_s": 600, "generate_tok_s": 100, "bound_tok_s": 800, "ratio_generate": 6.0, "share_of_bound": 0.75,
    }  # fmt: skip
    json.dumps(found, allow_nan=False)


def test_the_cache_of_a_token_counts_a_shared_prompt_once() -> None:
    config = {"num_key_value_heads": 2, "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 3}
    position = 3 * 2 * 2 * 16 * 4  # layers, keys and values, heads, channels, bytes
    job = workloads.sampling(8, 50, rows=16, prompt=40, new=5)
    steps = np.arange(5).mean()
    assert sampling.cache_bytes(config, job) == pytest.approx(position * (steps + 40 / 8))


def test_prompts_are_distinct_begin_with_bos_and_stay_in_the_vocabulary() -> None:
    job = workloads.sampling(16, 30)
    assert len(job["prompts"]) * job["n"] == workloads.ROWS
    assert len({tuple(ids) for ids in job["prompts"]}) == len(job["prompts"])
    for ids in job["prompts"]:
        assert len(ids) == 48 and ids[0] == workloads.BOS and all(3 <= one < 30 for one in ids[1:])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "speed"], "no part 'speed'; there are: sampling, grpo"),
        (["--quick", "--only", "grpo"], "--quick is a part of its own"),
        (["--quick", "--publish"], "--publish goes with the whole benchmark"),
    ],
)
def test_bad_options(arguments: list[str], said: str, runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *arguments]) == 2
    out, err = capfd.readouterr()
    assert said in err and err.count("\n") == 1 and out == "" and not runs.exists()


def test_told() -> None:
    assert goals.told(0.25, "share") == "25 %" and goals.told(6, "times") == "6 times"
    assert goals.told(None, "times") == "not measured" and math.isfinite(goals.GOALS[0].limit)
