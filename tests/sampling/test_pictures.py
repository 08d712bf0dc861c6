"""Pictures: problems carry references to them, models that see are given them, others refuse."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import seeing
import torch
from frequencies import drawn
from test_benchmarks import ROWS

from beyondbase import cli
from beyondbase.sampling import vllm_backend
from beyondbase.sampling.backends import Engine, Job, start
from beyondbase.sampling.loading import load
from beyondbase.sampling.pictures import Picture
from beyondbase.sampling.prompts import prompt
from beyondbase.sampling.store import Store
from beyondbase.sampling.text import Text

RED, BLUE = seeing.png(255), seeing.png(0)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return seeing.llava(tmp_path_factory.mktemp("models") / "llava")


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    return seeing.idefics3(tmp_path_factory.mktemp("models") / "idefics3")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def jobs_of(model: Path, pictures: list[bytes], samples: int) -> list[Job]:
    """Jobs that ask the same of each picture, and one problem without a picture."""
    text, asked = Text(str(model)), prompt("chat")
    found = []
    for number, data in enumerate(pictures):
        problem = {"question": "How many red ?", "image": Picture(f"picture {number}", lambda data=data: data)}
        ids, shown = text.show(asked.render(problem), problem["image"])
        found += [Job((f"q{number}", i), ids, 100 * number + i, 4 + i % 3, shown) for i in range(samples)]
    words = text.encode(asked.render({"question": "one two three ?"}))
    assert text.tokenizer.decode(words) == "USER: one two three ? ASSISTANT:"
    return [*found, *(Job(("words", i), words, 900 + i, 6) for i in range(3))]


def engine_of(model: Path) -> Engine:
    return Engine(str(model), temperature=0.6, top_p=0.9, stop=(1,), context=64, batch=5, pictures=True)


def forced(model: Path, jobs: list[Job], found: dict) -> list[float]:
    """Log-probability of each job's completion by one pass over prompt, picture and completion."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    network = AutoModelForImageTextToText.from_pretrained(model).eval()
    processor, sums = AutoProcessor.from_pretrained(model), []
    for job in jobs:
        more = {}
        if job.shown:
            made = processor(text=job.shown.text, images=job.shown.picture.open(), return_tensors="pt")
            assert tuple(made["input_ids"][0].tolist()) == job.ids
            more = {name: made[name] for name in made if name.startswith("pixel_")}
        ids = list(found[job.key].ids)
        with torch.inference_mode():
            logits = network(input_ids=torch.tensor([[*job.ids, *ids]]), **more).logits[0, len(job.ids) - 1 : -1]
        sums.append(float(logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None]).sum()))
    return sums


@pytest.mark.parametrize("kind", ["model", "other"])
def test_transformers_is_given_each_problems_own_picture(kind, request):
    model = request.getfixturevalue(kind)
    jobs = jobs_of(model, [RED, BLUE], 6)
    found = drawn(start("transformers", engine_of(model)), jobs)
    assert [found[job.key].logprob for job in jobs] == pytest.approx(forced(model, jobs, found), abs=1e-4)
    red, blue, words = (job for job in jobs if job.key[1] == 0)
    assert (
        red.ids == blue.ids
        and len(red.ids) == len(red.shown.ids) + {"model": 15, "other": 6}[kind]
        and words.shown is None
    )
    swapped = [replace(blue, key=red.key, shown=blue.shown)]  # what the first would be worth with the other picture
    assert abs(forced(model, swapped, found)[0] - found[red.key].logprob) > 1e-3


@pytest.mark.slow
@pytest.mark.vllm
def test_vllm_is_given_the_same(other):
    """Drawn at another temperature and with top-p: the log-probabilities are the model's own all the same."""
    try:
        vllm_backend.interpreter()
    except ValueError as absent:
        pytest.skip(f"{absent} (make test-vllm)")
    jobs = jobs_of(other, [RED, BLUE], 6)
    engine = start("vllm", engine_of(other))
    try:
        found = drawn(engine, jobs)
    finally:
        engine.close()
    assert [found[job.key].logprob for job in jobs] == pytest.approx(forced(other, jobs, found), abs=1e-3)
    assert all(len(found[job.key].ids) <= job.max_tokens for job in jobs)


def sample(model: Path, *options: str) -> int:
    return cli.main(["sample", "--model", str(model), "--backend", "transformers", "--max-tokens", "5", *options])


def mathvista(folder: Path, pictures: list[bytes], form: str = "hub") -> Path:
    """MathVista's rows with these pictures, as the hub's Parquet (pictures of `datasets`), plain Parquet or JSON."""
    rows = [{**ROWS["mathvista"][0], "pid": str(number), "decoded_image": {"bytes": data, "path": f"{number}.png"}}
            for number, data in enumerate(pictures)]  # fmt: skip
    path = folder / f"testmini.{'jsonl' if form.startswith('json') else 'parquet'}"
    if form == "hub":
        from datasets import Dataset, Image

        Dataset.from_list(rows).cast_column("decoded_image", Image()).to_parquet(path)
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        for number, (row, data) in enumerate(zip(rows, pictures, strict=True)):
            (folder / f"{number}.png").write_bytes(data)
            row["decoded_image"] = f"{number}.png" if form == "json paths" else base64.b64encode(data).decode()
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("form", ["hub", "parquet", "json paths", "json"])
def test_problems_refer_to_the_pictures_of_their_rows(form, tmp_path):
    found = load("mathvista", source=str(mathvista(tmp_path, [RED, BLUE], form)))
    assert [problem["image"].read() for problem in found.problems] == [RED, BLUE]
    assert all("decoded_image" not in problem for problem in found.problems)
    assert "row 2, decoded_image" in found.problems[1]["image"].place
    assert found.problems[0]["image"].digest != found.problems[1]["image"].digest


def test_a_vision_benchmark_is_sampled_and_graded(here, model, capsys):
    source = mathvista(here, [RED, BLUE])
    options = ["--benchmark", "mathvista", "--benchmark-source", str(source), "--out", "a"]
    assert sample(model, *options, "--n", "3") == 0
    assert "2 problem(s) have pictures" in capsys.readouterr().err
    rows = list(Store.open(here / "a").rows())
    assert len(rows) == 6 and {row["grader"] for row in rows} == {"math"}
    hashes = {row["problem_id"]: row["prompt_hash"] for row in rows}
    assert len(set(hashes.values())) == 2, "the question is one, the pictures are two"
    assert all(path.stat().st_size < 2e4 for path in (here / "a").rglob("*") if path.is_file())
    assert sample(model, *options, "--n", "4") == 0
    assert "2 samples drawn" in capsys.readouterr().out
    mathvista(here, [RED, RED])
    assert sample(model, *options, "--n", "4") == 2
    assert "a was begun with benchmark_revision" in capsys.readouterr().err


def test_a_picture_of_ones_own_file(here, model):
    (here / "red.png").write_bytes(RED)
    rows = [{"id": "p", "question": "How many red ?", "answer": "1", "image": "red.png"},
            {"id": "w", "question": "How many ?", "answer": "2"}]  # fmt: skip
    (here / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems = load("mine.jsonl").problems
    assert problems[0]["image"].read() == RED and "image" not in problems[1]
    options = ["--benchmark", "mine.jsonl", "--n", "2", "--out", "a"]
    assert sample(model, *options, "--prompt", "chat") == 0
    assert len(list(Store.open(here / "a").rows())) == 4


def test_what_cannot_see_or_be_seen_is_refused(here, model, checkpoint, capsys):
    good = ["--benchmark", "mathvista", "--benchmark-source", str(mathvista(here, [RED, BLUE])), "--out", "a"]
    (here / "mine.jsonl").write_text(json.dumps({"question": "How many ?", "image": "away.png"}) + "\n")
    own = ["--benchmark", "mine.jsonl", "--prompt", "chat", "--no-grade", "--out", "a"]

    def told(code: int) -> str:
        assert code == 2 and not (here / "a").exists()
        return capsys.readouterr().err

    assert "a qwen2 takes no pictures, and there are in mathvista; choose" in told(sample(checkpoint, *good))
    assert "prompt qwen-boxed: a text, which has no place" in told(sample(model, *good, "--prompt", "qwen-boxed"))
    assert "mine.jsonl, row 1, image: 'away.png' is no file in" in told(sample(model, *own))
    (here / "away.png").write_bytes(RED[:60])
    assert "mine.jsonl, row 1, image: no picture that can be read" in told(sample(model, *own))
    (here / "away.png").write_bytes(RED)
    assert "takes no pictures, and there are in mine.jsonl, row 1" in told(sample(checkpoint, *own))
    mathvista(here, [RED, BLUE], "json")
    (here / "testmini.jsonl").write_text((here / "testmini.jsonl").read_text().replace("decoded_image", "no_image", 1))
    assert "row 1: no picture (decoded_image)" in told(sample(model, *good[:3], "testmini.jsonl", "--out", "a"))


def test_transparent_pictures_are_on_white():
    data = seeing.png(9, mode="RGBA")
    assert Picture("here", lambda: data).open().getpixel((3, 4)) == (9, 9, 28)
    from PIL import Image

    clear = Image.new("RGBA", (2, 2), (7, 7, 7, 0))
    clear.save(file := io.BytesIO(), format="PNG")
    assert Picture("here", file.getvalue).open().getpixel((0, 0)) == (255, 255, 255)
