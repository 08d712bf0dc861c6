"""Benchmarks: every row of the table loads files in its format, from a folder in the place of the hub."""

from __future__ import annotations

import base64
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beyondbase.sampling.benchmarks import BENCHMARKS
from beyondbase.sampling.loading import find, load
from beyondbase.sampling.prompts import PROMPTS, prompt

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63600000000200"
    "0148afa4710000000049454e44ae426082"
)
# Rows made here, in the fields of the published files.
ROWS = {
    "gsm8k": [
        {"question": "Ann has 3 pens and buys 4. How many?", "answer": "She has 3+4=<<3+4=7>>7 pens.\n#### 7"},
        {"question": "Bo eats 2 of 9 figs. How many are left?", "answer": "9-2=<<9-2=7>>7.\n#### 7"},
    ],
    "math500": [
        {"problem": "What is $1/2 + 1/3$?", "solution": "It is $\\boxed{\\frac{5}{6}}$.", "answer": "\\frac{5}{6}",
         "subject": "Algebra", "level": 1, "unique_id": "test/algebra/1.json"},
    ],
    "aime2024": [{"id": 60, "problem": "Find $2+2$.", "solution": "4", "answer": "004", "url": "", "year": "2024"}],
    "aime2025": [{"problem": "Find $2+3$.", "answer": "5", "id": "0"}],
    "amc23": [{"id": 0, "question": "Find $3\\cdot 9$.", "answer": "27.0", "url": ""}],
    "minerva": [{"question": "Find the focal length in $\\mathrm{cm}$.", "answer": "1.6"}],
    "olympiadbench": [
        {"id": 1606, "question": "Find all $x$ with $x^2=1$.", "final_answer": ["$x=1$", "$x=-1$"],
         "modality": "Text-only", "language": "English", "is_multiple_answer": True},
        {"id": 1607, "question": "In the picture", "final_answer": ["$2$"], "modality": "Multimodal",
         "language": "English", "is_multiple_answer": False},
    ],
    "humaneval+": [
        {"task_id": "HumanEval/900", "prompt": "def one():\n    \"\"\"Return 1.\"\"\"\n", "entry_point": "one",
         "canonical_solution": "    return 1\n", "test": "def check(candidate):\n    assert candidate() == 1\n"},
    ],
    "mbpp+": [
        {"task_id": 2, "prompt": "Write a function that returns 1.", "code": "def one():\n    return 1",
         "source_file": "", "test_imports": ["import math"], "test_list": ["assert one() == 1"],
         "test": "assert one() == 1"},
    ],
    "livecodebench": [
        {"question_title": title, "question_content": "Print the sum.", "platform": "atcoder", "question_id": name,
         "contest_id": "abc1", "contest_date": date, "starter_code": start, "difficulty": "easy",
         "public_test_cases": "[]", "private_test_cases": "[]", "metadata": "{}"}
        for title, name, date, start in (
            ("old", "a", "2024-07-31T00:00:00", ""), ("first", "b", "2024-08-01T00:00:00", ""),
            ("last", "c", "2025-01-31T00:00:00", "class Solution:\n    def sum(self):"),
            ("new", "d", "2025-02-01T00:00:00", ""),
        )
    ],
    "mathvista": [
        {"pid": "1", "question": "How long is it?", "image": "images/1.jpg",
         "decoded_image": {"bytes": PNG, "path": "1.png"},
         "choices": None, "unit": None, "precision": 1.0, "answer": "1.2", "question_type": "free_form",
         "answer_type": "float", "query": "Hint: ..."},
        {"pid": "2", "question": "Which?", "image": "images/2.jpg", "decoded_image": {"bytes": PNG, "path": "2.png"},
         "choices": ["a", "b"], "unit": None, "precision": 1.0, "answer": "a", "question_type": "multi_choice",
         "answer_type": "text", "query": "Hint: ..."},
    ],
    "mathvision": [
        {"id": "4", "question": "How many? <image1>", "options": [], "image": "images/4.jpg",
         "decoded_image": {"bytes": PNG, "path": "4.png"}, "answer": "5", "level": 1, "subject": "counting"},
    ],
}  # fmt: skip
IDS = {"gsm8k": ["0", "1"], "math500": ["test/algebra/1.json"], "aime2024": ["60"], "aime2025": ["0"], "amc23": ["0"],
       "minerva": ["0"], "olympiadbench": ["1606"], "humaneval+": ["HumanEval/900"], "mbpp+": ["2"],
       "livecodebench": ["b", "c"], "mathvista": ["1"], "mathvision": ["4"]}  # fmt: skip


def test_the_fixtures_cover_the_table():
    assert ROWS.keys() == IDS.keys() == BENCHMARKS.keys() - {"countdown"}
    assert all(row.prompt in PROMPTS for row in BENCHMARKS.values())


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_every_benchmark_loads_from_a_folder(name, form, tmp_path):
    row, folder = BENCHMARKS[name], tmp_path / "data"
    folder.mkdir()
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS[name]), folder / f"{row.split}-00000-of-00001.parquet")
        pq.write_table(pa.Table.from_pylist(ROWS[name]), folder / "other-00000-of-00001.parquet")
    elif row.image:  # pictures are bytes, which JSON has not: there it is base64
        picture = base64.b64encode(PNG).decode()
        rows = [{**fields, row.image: picture} for fields in ROWS[name]]
        (folder / f"{row.split}.jsonl").write_text("".join(json.dumps(fields) + "\n" for fields in rows))
    else:
        lines = "".join(json.dumps(fields) + "\n" for fields in ROWS[name])
        (folder / f"{row.split}.jsonl").write_text(lines)
    found = load(name, source=str(folder))
    assert found.ids == IDS[name] and found.revision.startswith("sha256:")
    asked = prompt(row.prompt)
    for problem in found.problems:
        words = asked.render(problem)
        text = words if isinstance(words, str) else words[-1]["content"]
        if row.image:
            assert problem["image"].read() == PNG and text[0] == {"type": "image"}
            text = text[1]["text"]
        assert problem["question"] in text and "{question}" not in text and "{format}" not in text
    assert load(name, source=str(folder)).revision == found.revision


def test_answers_as_the_files_have_them(tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_text("".join(json.dumps(fields) + "\n" for fields in ROWS["olympiadbench"]))
    assert load("olympiadbench", source=str(path)).problems[0]["answer"] == "x=1, x=-1"


def test_a_data_set_saved_by_datasets_takes_the_place_of_the_hub(tmp_path):
    from datasets import Dataset, DatasetDict

    data = Dataset.from_list(ROWS["gsm8k"])
    DatasetDict({"test": data, "train": data.select([0])}).save_to_disk(str(tmp_path / "saved"))
    assert load("gsm8k", source=str(tmp_path / "saved")).ids == ["0", "1"]
    data.save_to_disk(str(tmp_path / "one"))
    assert load("gsm8k", source=str(tmp_path / "one")).ids == ["0", "1"]


def test_a_file_of_ones_own_is_a_benchmark(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"id": 7, "problem": "1+1?", "answer": 2}\n{"id": "x", "problem": "2+2?", "answer": "4"}\n')
    found = load(str(path))
    assert found.ids == ["7", "x"] and found.benchmark.grader == "math"
    assert [problem["answer"] for problem in found.problems] == ["2", "4"]


def test_countdown_problems_are_held_out_and_gradable():
    from beyondbase.grading import gold_faults, grader

    found = load("countdown")
    assert len(found.problems) == 200 and len(set(found.ids)) == 200
    with grader("countdown") as judge:
        assert gold_faults(judge, found.problems[:40]) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no problems"),
        ('{"answer": 1}\n', "row 1: no question"),
        ('{"question": "a"}\n["b"]\n', "row 2: a JSON object is expected, not list"),
        ('{"question": "a"}\n{"question": \n', "row 2: not JSON"),
        ('{"id": 1, "question": "a"}\n{"id": "1", "question": "b"}\n', "1 id.s. twice, the first is '1'"),
    ],
)
def test_bad_files_are_refused_with_their_row(tmp_path, text, fault):
    path = tmp_path / "mine.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=fault) as told:
        load(str(path))
    assert str(path) in str(told.value)


def test_unknown_names_and_absent_files(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no benchmark 'gsm9k'; there are gsm8k, math500"):
        find("gsm9k")
    with pytest.raises(FileNotFoundError, match="no such benchmark file"):
        load("math500", source=str(tmp_path / "absent.jsonl"))
    with pytest.raises(FileNotFoundError, match="no .jsonl"):
        load("math500", source=str(tmp_path))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"bad.parquet: cannot be read"):
        load("math500", source=str(tmp_path / "bad.parquet"))


def test_no_network_is_said_in_one_line(monkeypatch):
    import huggingface_hub

    def refuse(*_, **__):
        raise ConnectionError("Network is unreachable")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    with pytest.raises(
        RuntimeError, match=r"openai/gsm8k cannot be loaded \(ConnectionError: Network.*benchmark-source"
    ):
        load("gsm8k")


def test_a_pinned_revision_and_files_go_to_the_hub(monkeypatch, tmp_path):
    import huggingface_hub

    asked = []

    def download(where, name, *, repo_type, revision):
        asked.append((where, name, repo_type, revision))
        path = tmp_path / name
        path.write_text(json.dumps({**ROWS["livecodebench"][1], "question_id": name}) + "\n")
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    found = load("livecodebench")
    row = BENCHMARKS["livecodebench"]
    assert asked == [(row.source, name, "dataset", row.revision) for name in row.files]
    assert found.ids == list(row.files) and found.revision == row.revision


def test_qwen_boxed_is_the_published_text():
    text = prompt("qwen-boxed").render({"question": "Is {x} $\\frac{1}{2}$?"})
    assert text == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nIs {x} $\\frac{1}{2}$?\n"
        "Please reason step by step, and put your final answer within \\boxed{}.<|im_end|>\n<|im_start|>assistant\n"
    )


def test_livecodebench_prompts_follow_the_starter_code():
    plain = prompt("livecodebench").render({"question": "Sum.", "starter_code": ""})
    started = prompt("livecodebench").render({"question": "Sum.", "starter_code": "class Solution:"})
    assert [message["role"] for message in plain] == ["system", "user"]
    assert "# YOUR CODE HERE" in plain[1]["content"] and "stdin" in plain[1]["content"]
    assert "```python\nclass Solution:\n```" in started[1]["content"] and "stdin" not in started[1]["content"]


def test_prompt_files_and_unknown_prompts(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("Q: {question}\nA:")
    found = prompt(str(path))
    assert found.render({"question": "1+1"}) == "Q: 1+1\nA:" and len(found.version) == 16
    path.write_text("Q:")
    with pytest.raises(ValueError, match="where the question goes"):
        prompt(str(path))
    with pytest.raises(FileNotFoundError, match="absent.txt"):
        prompt(str(tmp_path / "absent.txt"))
    with pytest.raises(ValueError, match="no prompt 'qwen'; there are plain, qwen-boxed"):
        prompt("qwen")


def test_the_page_lists_the_table(root):
    page = (root / "book" / "sampling.md").read_text()
    for row in BENCHMARKS.values():
        assert f"| `{row.name}` | {row.source} | {row.split} | {row.grader} |" in page
    for line in page.splitlines():
        assert not line.startswith("| `") or line.split("`")[1] in BENCHMARKS
