"""The options of `beyondbase sample`, and which values they may have. Imports nothing heavy: every command does."""

from __future__ import annotations

import argparse
import json
from typing import Any

BACKENDS = ("vllm", "transformers")


def add_options(sample: argparse.ArgumentParser) -> None:
    """The options of `beyondbase sample`."""
    add = sample.add_argument
    add("--model", required=True, metavar="ID_OR_PATH", help="a model of the hub, or a folder")
    add("--benchmark", required=True, metavar="NAME", help="a name of the table, or a .jsonl or .parquet file")
    add("--n", type=int, default=128, help="samples a problem (default: 128); may be raised later")
    add(
        "--prompt",
        metavar="NAME",
        help="a prompt of the table, or a .txt file with {question} (default: the benchmark's)",
    )
    add("--temperature", type=float, default=0.6, help="default: 0.6")
    add("--top-p", type=float, default=0.95, help="default: 0.95")
    add("--max-tokens", type=int, default=16000, help="the most new tokens (default: 16000)")
    add("--backend", choices=BACKENDS, help="default: vllm where there is a GPU, else transformers")
    add("--revision", help="commit, tag or branch of the model; its commit is recorded either way")
    add(
        "--benchmark-source", metavar="ID_OR_PATH", help="another hub id, a folder or a file in place of the table's id"
    )
    add("--benchmark-revision", metavar="REVISION", help="commit, tag or branch of the benchmark")
    add("--grader", metavar="NAME", help="default: the benchmark's")
    add("--grade", action=argparse.BooleanOptionalAction, default=True, help="grade the samples (default), or not yet")
    add("--regrade", action="store_true", help="also grade again what another grader graded")
    add("--seed", type=int, default=0, help="default: 0; every sample's own seed is derived from it")
    add("--limit", type=int, metavar="N", help="only the first N problems")
    add("--name", help="what the model is called in the store (default: the id, or the folder's name)")
    add("--out", metavar="DIR", help="the store (default: samples/MODEL--BENCHMARK)")
    add("--shard", default="1/1", metavar="I/OF", help="do only this part of the blocks, for instance 2/8")
    add("--dtype", default="auto", help="number format (default: the checkpoint's on a GPU, float32 on a CPU)")
    add("--tensor-parallel", type=int, default=1, metavar="N", help="GPUs of one copy of the model (vllm)")
    add("--data-parallel", type=int, default=1, metavar="N", help="copies of the model (vllm)")
    add("--batch", type=int, default=64, help="rows at a time (transformers; default: 64)")
    add("--engine", action="append", default=[], metavar="NAME=VALUE", help="an option of the engine itself")
    add("--trust-remote-code", action="store_true", help="run code that the model's repository brings")


def checked(options: argparse.Namespace) -> tuple[int, int]:
    """The shard; ValueError names an option that is out of range."""
    for name in ("n", "max_tokens", "tensor_parallel", "data_parallel", "batch"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(options, name)}: must be at least 1")
    if options.regrade and not options.grade:
        raise ValueError("--regrade: not with --no-grade")
    if options.limit is not None and options.limit < 1:
        raise ValueError(f"--limit {options.limit}: must be at least 1")
    if not 0 <= options.temperature < float("inf"):
        raise ValueError(f"--temperature {options.temperature}: must be 0 or more")
    if not 0 < options.top_p <= 1:
        raise ValueError(f"--top-p {options.top_p}: must be above 0, at most 1")
    words = options.shard.split("/")
    if len(words) != 2 or not all(word.isdecimal() for word in words) or not 1 <= int(words[0]) <= int(words[1]):
        raise ValueError(f"--shard {options.shard}: must be I/OF with 1 <= I <= OF, for instance 2/8")
    engine_options(options.engine)
    return int(words[0]), int(words[1])


def engine_options(words: list[str]) -> dict[str, Any]:
    """NAME=VALUE words as options, values as JSON where they are; ValueError names a word of another form."""
    found = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.isidentifier():
            raise ValueError(f"--engine {word}: must be NAME=VALUE, for instance gpu_memory_utilization=0.8")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
