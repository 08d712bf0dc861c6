"""Parameters are checked against the notebook's own declarations before anything runs."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from beyondbase.book import running
from beyondbase.book.claims import load
from beyondbase.book.parameters import BadParameter, assigned, checked, declared

CELL = """
preset: str = "smoke"  # name of the preset
size: str = "tiny"  # model size {tiny, small}
seeds: int = 3  # training runs [2, 64]
rate: float = 0.1  # learning rate [0.001, 1]
operands: list = [3, 4]  # numbers [2, 6]
"""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict:
    path = tmp_path_factory.mktemp("notebook") / "n.ipynb"
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                "language_info": {"name": "python"}}  # fmt: skip
    cell = new_code_cell(CELL, metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[cell], metadata=metadata), path)
    return declared(path)


def test_declarations_are_read(known: dict) -> None:
    assert list(known) == ["preset", "size", "seeds", "rate", "operands"]
    assert known["size"].choices == ("tiny", "small") and (known["seeds"].low, known["seeds"].high) == (2, 64)


def test_good_values_come_back_in_their_types(known: dict) -> None:
    given = {"seeds": 5.0, "rate": 1, "operands": [2, 3], "size": "small"}
    good = checked(given, known)
    assert good == given and isinstance(good["seeds"], int) and isinstance(good["rate"], float)
    assert checked(assigned(["seeds=1e1"]), known) == {"seeds": 10}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("sed=3", "no parameter 'sed'; there are: preset, size, seeds, rate, operands"),
        ("seeds=1", "seeds=1: must lie in 2 to 64"),
        ("seeds=two", "seeds='two': int is expected, such as 3"),
        ("seeds=2.5", "seeds=2.5: int is expected"),
        ("seeds=true", "seeds=True: int is expected"),
        ("rate=0", "rate=0.0: must lie in 0.001 to 1"),
        ("size=huge", "size='huge': one of tiny, small is expected"),
        ("size=3", "size=3: str is expected"),
        ("operands=[1]", "operands=1: must lie in 2 to 6"),
        ("operands=3", "operands=3: a list is expected"),
        ("operands=[]", r"operands=\[\]: a list is expected"),
        ("seeds", "name=value is expected"),
        ("seeds=[", "cannot be read"),
    ],
)
def test_bad_values_are_named_with_what_would_do(known: dict, setting: str, said: str) -> None:
    with pytest.raises(BadParameter, match=said):
        checked(assigned([setting]), known)


@pytest.mark.parametrize("preset", ["smoke", "laptop", "gpu"])
def test_every_preset_of_every_claim_fits_its_notebook(preset: str) -> None:
    for claim in load().values():
        planned = running.plan(claim.id, preset)
        assert planned.parameters["preset"] == preset
        assert re.fullmatch(rf"{preset}(-\d+)?", planned.parameters["family"])  # a number: new bases, new problems
        assert not planned.custom and planned.folder.name == preset
        if preset != "smoke":
            assert planned.parameters["seeds"] >= claim.minimum_seeds


def test_a_run_with_settings_of_its_own_never_stands_in_for_the_preset(runs: Path) -> None:
    planned = running.plan("passk-reversal", "smoke", {"seeds": 4})
    assert planned.custom and planned.folder == runs / "passk-reversal" / "smoke-custom"
