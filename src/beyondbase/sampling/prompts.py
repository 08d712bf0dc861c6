"""How a problem is put to a model: versioned prompts, each with its source.

A prompt is a text with `{question}` (braces of LaTeX stay as they are), or the words of a user for the model's own chat
template. The version changes whenever the text does, and both are kept in the store.

`stop` are tokens beside the model's own end that end a completion, where its vocabulary has them. No stop words: those
of the paper's own script ("Answer:", a bare "assistant") can cut the final answer off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIMPLERL = "hkust-nlp/simpleRL-reason, examples/simplelr_math_eval/utils.py"
LIMITS = "LeapLabTHU/limit-of-RLVR, math/examples/math_eval/utils.py"
BOXED = "Please reason step by step, and put your final answer within \\boxed{}."
IM_END = ("<|im_end|>", "<|endoftext|>")


@dataclass(frozen=True)
class Prompt:
    """`text` is what the model continues; with `chat` it is what a user says, after `system` if there is one."""

    name: str
    version: int | str
    source: str
    text: str
    chat: bool = False
    system: str | None = None
    stop: tuple[str, ...] = ()

    def render(self, problem: Mapping[str, Any]) -> str | list[dict[str, Any]]:
        """The text, or the messages of a chat; where the problem has a picture, it comes before the user's words.

        ValueError where it has one and this is a text.
        """
        text = self.text.replace("{format}", _code_format(problem)) if "{format}" in self.text else self.text
        words = text.replace("{question}", str(problem["question"]))
        if problem.get("image") is not None:
            if not self.chat:
                chats = ", ".join(prompt.name for prompt in _PROMPTS if prompt.chat)
                raise ValueError(f"prompt {self.name}: a text, which has no place for a picture; choose of {chats}")
            user = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": words}]}
            told = [{"role": "system", "content": [{"type": "text", "text": self.system}]}] if self.system else []
            return [*told, user]
        if not self.chat:
            return words
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": words}]


def _code_format(problem: Mapping[str, Any]) -> str:
    """How a LiveCodeBench solution is to be written: with the given start, or from standard input to output."""
    if start := problem.get("starter_code"):
        return (
            "### Format: You will use the following starter code to write the solution to the problem and enclose your"
            f" code within delimiters.\n```python\n{start}\n```"
        )
    return (
        "### Format: Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test"
        " on the sample inputs). Enclose your code within delimiters as follows.\n```python\n# YOUR CODE HERE\n```"
    )


_PROMPTS = (
    Prompt("plain", 1, "the question alone", "{question}"),
    Prompt(
        "qwen-boxed", 1, f"{SIMPLERL}; the same in {LIMITS}",
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        f"<|im_start|>user\n{{question}}\n{BOXED}<|im_end|>\n<|im_start|>assistant\n",
        stop=IM_END,
    ),
    Prompt(
        "qwen25-math-cot", 1, SIMPLERL,
        f"<|im_start|>system\n{BOXED}<|im_end|>\n<|im_start|>user\n{{question}}<|im_end|>\n<|im_start|>assistant\n",
        stop=IM_END,
    ),
    Prompt(
        "abel", 1, f"{LIMITS}: what that study calls abel and used for DAPO",
        "A conversation between user and assistant. The user asks a question, and the assistant solves it. The time"
        " limit is set to 20,480 tokens. If the assistant's response exceeds this limit, a progressively increasing"
        " penalty with the number of tokens exceeded will be applied.\nuser\nSolve the following math problem step by"
        " step. The last line of your response should be of the form Answer: $Answer (without quotes) where $Answer is"
        " the answer to the problem.\n{question}\nRemember to put your answer on its own line after \"Answer:\".\n"
        "assistant",
    ),
    Prompt("abel-original", 1, SIMPLERL, "Question:\n{question}\nAnswer:\nLet's think step by step.\n"),
    Prompt("deepseek-math", 1, SIMPLERL, f"User: {{question}}\n{BOXED}\n\nAssistant:"),
    Prompt(
        "deepseek-r1-zero", 1, LIMITS,
        "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The"
        " assistant first thinks about the reasoning process in the mind and then provides the user with the answer."
        " The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags,"
        " respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>. User: {question}."
        " Assistant:",
    ),
    Prompt("chat", 1, "the model's own chat template around the question", "{question}", chat=True),
    Prompt(
        "chat-boxed", 1, "the model's own chat template around qwen-boxed's words", f"{{question}}\n{BOXED}", chat=True
    ),
    Prompt(
        "evalplus", 1, "evalplus/evalplus, the instruction of evalplus.codegen",
        "Please provide a self-contained Python script that solves the following problem in a markdown code block:\n"
        "```\n{question}\n```",
        chat=True,
    ),
    Prompt(
        "livecodebench", 1,
        "LiveCodeBench/LiveCodeBench, lcb_runner/prompts/code_generation.py at 0b6e5ff: the generic chat",
        "### Question:\n{question}\n\n{format}\n\n### Answer: (use the provided format with backticks)\n\n",
        chat=True,
        system="You are an expert Python programmer. You will be given a question (problem specification) and will"
        " generate a correct Python program that matches the specification and passes all tests. You will NOT return"
        " anything except for the program.",
    ),
    Prompt("task", 1, "this book's tasks: the problem as the policy was trained on it", "{question}"),
)  # fmt: skip
PROMPTS = {prompt.name: prompt for prompt in _PROMPTS}


def prompt(name: str) -> Prompt:
    """The prompt of that name, or the one in a text file of one's own (a path that ends in .txt).

    ValueError for an unknown name, or a file without {question}; FileNotFoundError for a file that is not there.
    """
    if name in PROMPTS:
        return PROMPTS[name]
    if not name.endswith(".txt"):
        raise ValueError(f"no prompt {name!r}; there are {', '.join(PROMPTS)}, and any .txt file with {{question}}")
    path = Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"{name}: no such prompt file")
    text = path.read_text(encoding="utf-8")
    if "{question}" not in text:
        raise ValueError(f"{name}: a prompt file says {{question}} where the question goes; this one does not")
    return Prompt(path.name, hashlib.sha256(text.encode()).hexdigest()[:16], f"file {path.name}", text)
