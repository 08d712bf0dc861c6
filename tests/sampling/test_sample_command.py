"""`beyondbase sample` from the command line: what it writes, how it goes on, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from beyondbase import cli
from beyondbase.sampling.store import Store

SMALL = ["--benchmark", "countdown", "--limit", "5", "--max-tokens", "18", "--backend", "transformers"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def alike(first: dict, second: dict) -> bool:
    """Whether rows are equal; log-probabilities up to rounding, which depends on who shares a batch."""
    close = [pytest.approx(row.pop("logprob"), abs=1e-4) for row in first.values()]
    return [second[key].pop("logprob") for key in first] == close and first == second


def sample(checkpoint, *options: str) -> int:
    return cli.main(["sample", "--model", str(checkpoint), *SMALL, *options])


def test_a_store_is_filled_graded_and_ready_for_the_audit(here, checkpoint, capsys):
    assert sample(checkpoint, "--n", "6") == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "beyondbase audit samples/tiny--countdown OTHER_STORE"
    assert "30 samples drawn" in told.out and "tokens/s" in told.err
    store = Store.open(here / "samples" / "tiny--countdown")
    rows = list(store.rows())
    assert len(rows) == 30 and {row["sample"] for row in rows} == set(range(6))
    assert {row["grader"] for row in rows} == {"countdown"} and None not in {row["correct"] for row in rows}
    wanted = {"model": "tiny", "benchmark": "countdown", "benchmark_revision": "version 1", "prompt": "task",
              "prompt_version": 1, "temperature": 0.6, "top_p": 0.95, "max_tokens": 18, "seed": 0,
              "backend": "transformers"}  # fmt: skip
    assert wanted.items() <= store.settings.items() and store.settings["revision"].startswith("sha256:")
    versions = json.loads((store.folder / "store.json").read_text())["versions"]
    assert {"python", "beyondbase", "torch", "transformers", "datasets"} <= versions.keys()


def test_n_and_limit_are_raised_in_place_and_equal_one_call(here, checkpoint, capsys):
    assert sample(checkpoint, "--n", "3", "--limit", "2", "--out", "a") == 0
    assert sample(checkpoint, "--n", "6", "--out", "a") == 0
    assert sample(checkpoint, "--n", "6", "--out", "b", "--no-grade") == 0
    assert "without --no-grade" in capsys.readouterr().out
    assert cli.main(["audit", "x=b", "y=a"]) == 2
    assert "samples have no grade" in capsys.readouterr().err
    assert sample(checkpoint, "--n", "6", "--out", "b") == 0
    assert "0 samples drawn" in capsys.readouterr().out
    first, second = (
        {(row["problem_id"], row["sample"]): row for row in Store.open(here / name).rows()} for name in "ab"
    )
    assert all(row["logprob"] < 0 for row in first.values())
    assert alike(first, second) and len(first) == 30


def test_shards_of_several_machines_fill_one_store(here, checkpoint):
    for part in ("1/2", "2/2"):
        assert sample(checkpoint, "--n", "40", "--limit", "3", "--shard", part, "--out", "a") == 0
    store = Store.open(here / "a")
    assert len(store.names()) == 2 and len(list(store.rows())) == 120


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--n", "0"], "--n 0: must be at least 1"),
        (["--limit", "0"], "--limit 0"),
        (["--temperature", "-1"], "--temperature -1.0: must be 0 or more"),
        (["--top-p", "0"], "--top-p 0.0"),
        (["--shard", "3/2"], "--shard 3/2: must be I/OF"),
        (["--prompt", "qwen"], "no prompt 'qwen'; there are plain, qwen-boxed"),
        (["--prompt", "chat"], "has no chat template"),
        (["--prompt", "qwen-boxed"], "its tokenizer cannot write the prompt '<|im_start|>system"),
        (["--grader", "taste"], "grader 'taste': must be one of"),
        (["--benchmark", "gsm9k"], "no benchmark 'gsm9k'; there are gsm8k, math500"),
        (["--benchmark", "absent.jsonl"], "absent.jsonl: no such benchmark file"),
        (["--model", "./absent"], "./absent: no such model folder"),
        (["--revision", "main"], "has no revisions"),
        (["--engine", "eager"], "--engine eager: must be NAME=VALUE"),
        (["--backend", "magic"], "invalid choice: 'magic'"),
    ],
)
def test_bad_input_is_one_line_with_exit_code_2_and_nothing_written(here, checkpoint, capsys, options, fault):
    try:
        code = sample(checkpoint, *options)
    except SystemExit as ended:
        code = ended.code
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("beyondbase: ")]
    assert code == 2 and len(told) == 1 and fault in told[0]
    assert os.listdir(here) == []


def test_other_settings_and_damage_are_named(here, checkpoint, capsys):
    assert sample(checkpoint, "--n", "2", "--out", "a") == 0
    assert sample(checkpoint, "--n", "2", "--out", "a", "--temperature", "1") == 2
    assert "a was begun with temperature = 0.6, now it is 1.0" in capsys.readouterr().err
    shard = next((here / "a" / "shards").glob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-20])
    assert cli.main(["audit", "x=a", "y=a"]) == 2
    assert f"{shard.relative_to(here)}: damaged" in capsys.readouterr().err
    assert sample(checkpoint, "--n", "2", "--out", "a") == 0
    told = capsys.readouterr()
    assert "10 samples drawn" in told.out and "set aside" in told.err


def test_a_prompt_longer_than_the_context_names_its_problem(here, checkpoint, capsys):
    (here / "long.jsonl").write_text(json.dumps({"id": "big", "question": "1 " * 200}) + "\n")
    options = ["--benchmark", "long.jsonl", "--prompt", "plain"]
    assert sample(checkpoint, *options) == 2
    assert "problem 'big': its prompt has 201 tokens, the model reads" in capsys.readouterr().err


def test_problems_without_answers_are_refused_unless_nothing_is_graded(here, checkpoint, capsys):
    (here / "mine.jsonl").write_text('{"question": "1 2 -> 3 :", "answer": "3"}\n{"question": "2 2 -> 4 :"}\n')
    options = ["--benchmark", "mine.jsonl", "--prompt", "plain", "--n", "2", "--out", "a"]
    assert sample(checkpoint, *options, "--grader", "number") == 2
    assert "grader number, problem '1': the problem has no field 'answer'" in capsys.readouterr().err
    assert not (here / "a").exists()
    assert sample(checkpoint, *options, "--no-grade") == 0
    assert Store.open(here / "a").settings["benchmark"] == "mine.jsonl"


def test_grades_of_two_graders_are_never_mixed(here, checkpoint, capsys):
    (here / "mine.jsonl").write_text('{"id": "a", "question": "1 2 -> 3 :", "answer": "3"}\n')
    options = ["--benchmark", "mine.jsonl", "--prompt", "plain", "--out", "a"]
    assert sample(checkpoint, *options, "--n", "4") == 0
    assert sample(checkpoint, *options, "--n", "8", "--grader", "number") == 2
    assert "a: 4 sample(s) were graded by math, now it is number; take --grader math, or" in capsys.readouterr().err
    assert len(list(Store.open(here / "a").rows())) == 4
    assert sample(checkpoint, *options, "--n", "8", "--grader", "number", "--regrade") == 0
    assert "4 samples drawn" in (told := capsys.readouterr().out) and "8 graded" in told
    assert Store.open(here / "a").graders() == {"number": 8}
    assert sample(checkpoint, *options, "--n", "8", "--grader", "number", "--regrade", "--no-grade") == 2


def test_a_store_of_vllm_can_be_graded_without_it(here, checkpoint, capsys, monkeypatch):
    assert sample(checkpoint, "--n", "2", "--out", "a", "--no-grade") == 0
    path = here / "a" / "store.json"
    path.write_text(path.read_text().replace('"backend": "transformers"', '"backend": "vllm"'))
    options = ["--model", str(checkpoint), "--benchmark", "countdown", "--limit", "5", "--max-tokens", "18"]
    assert cli.main(["sample", *options, "--n", "2", "--out", "a"]) == 0
    assert "0 samples drawn (0 tokens), 10 graded" in capsys.readouterr().out


@pytest.mark.slow
def test_sigterm_keeps_what_is_finished(here, checkpoint):
    command = [sys.executable, "-m", "beyondbase.cli", "sample", "--model", str(checkpoint), *SMALL, "--limit", "200"]
    command += ["--n", "4096", "--batch", "64", "--out", "a"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        until = time.monotonic() + 120
        while not list((here / "a").glob("shards/*.parquet")):
            assert running.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=60) == 130
    finally:
        running.kill()
        running.wait()
    store = Store.open(here / "a")
    assert len(list(store.rows())) >= 512 and not list((here / "a" / "claims").iterdir())
