"""One table of benchmarks: where each lies, which fields it has, who grades it, how it is asked by default.

| column | meaning |
|---|---|
| `source`, `config`, `split`, `revision` | for `datasets.load_dataset`; a revision of None is resolved and recorded |
| `id`, `question`, `answer` | fields of a row, the first that it has counts; no id: the row's number |
| `grader`, `prompt` | defaults of `beyondbase sample` |
| `image` | the field of the picture: in the hub a picture of `datasets`, in a file of one's own a path or base64 |
| `keep` | which rows belong to it |

Numbers of problems are those of the named splits where known, and are not enforced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """A row of the table; `size` is the number of problems, `note` what one should know."""

    name: str
    source: str
    split: str
    grader: str
    prompt: str
    question: tuple[str, ...]
    answer: tuple[str, ...]
    id: tuple[str, ...] = ()
    config: str | None = None
    revision: str | None = None
    files: tuple[str, ...] = ()
    image: str | None = None
    keep: Callable[[Row], bool] = lambda row: True
    size: int | None = None
    note: str = ""

    @property
    def pictured(self) -> bool:
        """Whether every problem has a picture; in files of one's own some may."""
        return self.image is not None and self.name in BENCHMARKS


def _paper_dates(row: Row) -> bool:
    """August 2024 to January 2025, the months of 2504.13837."""
    return "2024-08" <= str(row.get("contest_date"))[:7] <= "2025-01"


def _free_form(row: Row) -> bool:
    """Not multiple choice, as in 2504.13837."""
    kind = row.get("question_type")
    return kind != "multi_choice" if kind is not None else not row.get("options")


def _text_english_maths(row: Row) -> bool:
    return row.get("modality", "Text-only") == "Text-only" and row.get("language", "English") == "English"


_TABLE = (
    Benchmark(
        "gsm8k", "openai/gsm8k", "test", "number", "qwen-boxed", ("question",), ("answer",), config="main", size=1319
    ),
    Benchmark(
        "math500",
        "HuggingFaceH4/MATH-500",
        "test",
        "math",
        "qwen-boxed",
        ("problem",),
        ("answer",),
        ("unique_id",),
        size=500,
    ),
    Benchmark(
        "aime2024",
        "HuggingFaceH4/aime_2024",
        "train",
        "math",
        "qwen-boxed",
        ("problem",),
        ("answer",),
        ("id",),
        size=30,
    ),
    Benchmark("aime2025", "math-ai/aime25", "test", "math", "qwen-boxed", ("problem",), ("answer",), ("id",), size=30),
    Benchmark(
        "amc23", "math-ai/amc23", "test", "math", "qwen-boxed", ("question", "problem"), ("answer",), ("id",), size=40
    ),
    Benchmark(
        "minerva", "math-ai/minervamath", "test", "math", "qwen-boxed", ("question", "problem"), ("answer",), size=272
    ),
    Benchmark(
        "olympiadbench",
        "math-ai/olympiadbench",
        "test",
        "math",
        "qwen-boxed",
        ("question",),
        ("final_answer",),
        ("id",),
        keep=_text_english_maths,
        size=674,
        note="the file of 2504.13837 has 675 problems",
    ),
    Benchmark(
        "humaneval+",
        "evalplus/humanevalplus",
        "test",
        "code",
        "evalplus",
        ("prompt",),
        ("canonical_solution",),
        ("task_id",),
        size=164,
    ),
    Benchmark("mbpp+", "evalplus/mbppplus", "test", "code", "evalplus", ("prompt",), ("code",), ("task_id",), size=378),
    Benchmark(
        "livecodebench",
        "livecodebench/code_generation_lite",
        "test",
        "code",
        "livecodebench",
        ("question_content",),
        (),
        ("question_id",),
        revision="48d36ed304dca42cf8ab20e941262ccd096518a3",
        files=("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl"),
        keep=_paper_dates,
        size=279,
        note="release_v5, contests of August 2024 to January 2025; files are read, no loading script is run",
    ),
    Benchmark(
        "mathvista",
        "AI4Math/MathVista",
        "testmini",
        "math",
        "chat-boxed",
        ("question",),
        ("answer",),
        ("pid",),
        image="decoded_image",
        keep=_free_form,
        note="without its multiple-choice problems",
    ),
    Benchmark(
        "mathvision",
        "MathLLMs/MathVision",
        "testmini",
        "math",
        "chat-boxed",
        ("question",),
        ("answer",),
        ("id",),
        image="decoded_image",
        keep=_free_form,
        note="without its multiple-choice problems",
    ),
    Benchmark(
        "countdown",
        "this book",
        "test",
        "countdown",
        "task",
        ("prompt",),
        (),
        ("key",),
        revision="1",
        note="200 held-out problems with 3 and 4 operands, seed 0, for checkpoints trained here",
    ),
)
BENCHMARKS = {row.name: row for row in _TABLE}
QUESTIONS = ("question", "problem", "prompt", "query", "question_content")
ANSWERS = ("answer", "final_answer", "solution", "target")
IDS = ("problem_id", "id", "unique_id", "task_id", "question_id", "pid", "idx", "index")


def own_file(name: str) -> Benchmark:
    """The row for a file or folder of one's own: usual names of fields, pictures too, graded as mathematics."""
    return Benchmark(name, name, "train", "math", "qwen-boxed", QUESTIONS, ANSWERS, IDS, image="image")
