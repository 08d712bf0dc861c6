"""The command line: bad input is one line, exit code 2, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from beyondbase.cli import main

RUN = ["run", "passk-reversal"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "no-such-claim"], "no claim 'no-such-claim'; there are: passk-reversal"),
        ([*RUN, "--preset", "huge"], "no preset 'huge' for passk-reversal; there are: smoke, laptop, gpu"),
        ([*RUN, "--set", "step=3"], "no parameter 'step'; there are: preset, family, seeds"),
        ([*RUN, "--set", "operands=1"], "operands=1: a list is expected"),
        ([*RUN, "--set", "operands=[1]"], "operands=1: must lie in 2 to 6"),
        ([*RUN, "--set", "samples=0"], "samples=0: must lie in 2 to"),
        ([*RUN, "--set", "seeds=many"], "seeds='many': int is expected"),
        ([*RUN, "--set", "seeds"], "name=value is expected"),
        ([*RUN, "--set", "preset=laptop"], "use --preset"),
        ([*RUN, "--jobs", "-1"], "--jobs -1: must be 0"),
        ([*RUN, "--jobs", "x"], "invalid int value: 'x'"),
        ([*RUN, "--all"], "name claims or --all, not both"),
        (["run"], "name claims or --all, not neither"),
        ([*RUN, "--publish"], "a smoke run proves only"),
        ([*RUN, "--preset", "laptop", "--publish", "--set", "seeds=4"], "not with --set"),
        (["walk"], "invalid choice: 'walk'"),
        ([], "the following arguments are required"),
    ],
)
def test_bad_input(arguments: list[str], said: str, runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    out, err = capfd.readouterr()
    assert code == 2
    assert said in err and err.count("\n") == 1 and "Traceback" not in err
    assert out == "" and not runs.exists()


def test_a_preset_file_with_a_wrong_name_is_refused(
    root: Path, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from beyondbase.book import running

    monkeypatch.setattr(running, "preset_parameters", lambda claim, preset: {"preset": preset, "sedes": 3})
    assert main(RUN) == 2
    assert "no parameter 'sedes'" in capfd.readouterr().err and not runs.exists()


def test_claims_lists_the_register(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    assert main(["claims", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"id", "title", "statement", "source", "evidence"} <= listed[0].keys()
    for evidence in listed[0]["evidence"]:
        wanted = {"preset", "verdict", "effect", "low", "high", "seeds", "seconds", "device", "record"}
        assert wanted <= evidence.keys() and evidence["low"] <= evidence["effect"] <= evidence["high"]
    assert main(["claims"]) == 0
    assert "passk-reversal" in capsys.readouterr().out


def test_damaged_evidence_is_named(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs / "passk-reversal" / "smoke"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text("{}")
    assert main(["claims"]) == 2
    assert str(folder) in capsys.readouterr().err
