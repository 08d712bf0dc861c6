"""What no implementation beats: the matrix products of the weights alone, and how fast memory can be read.

The bound counts nothing but the products of a decode step (queries, keys and values; output; gate; up; down; output
embedding), in the batch size, memory layout and number format that are fastest on this machine. Attention, norms,
rotations, activations and the draw itself cost a real sampler time that the bound does not have.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .measuring import dtypes, timed

BATCHES = (64, 128, 256, 512, 1024)
LAYOUTS = ("row-major", "feature-major")
KEPT = 3  # settings that are measured again in every round


def weight_shapes(config: dict[str, Any]) -> list[tuple[int, int]]:
    """(outputs, inputs) of each weight that a decode step multiplies with, from a checkpoint's config."""
    d, ffn, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    qkv = d + 2 * config["num_key_value_heads"] * (d // heads)
    layer = [(qkv, d), (d, d), (ffn, d), (ffn, d), (d, ffn)]
    return layer * config["num_hidden_layers"] + [(config["vocab_size"], d)]


def products(shapes: list[tuple[int, int]], batch: int, layout: str, dtype: str, device: str) -> Callable[[], None]:
    """A function that does the products of one decode step of `batch` rows."""
    kind = {"dtype": getattr(torch, dtype), "device": device}
    weights = [torch.randn(shape, **kind) for shape in shapes]
    widths = {width for shape in shapes for width in shape}
    if layout == "row-major":
        inputs, outputs = ({width: torch.randn(batch, width, **kind) for width in widths} for _ in range(2))
        work = [(inputs[w.shape[1]], w.t(), outputs[w.shape[0]]) for w in weights]
    else:
        inputs, outputs = ({width: torch.randn(width, batch, **kind) for width in widths} for _ in range(2))
        work = [(w, inputs[w.shape[1]], outputs[w.shape[0]]) for w in weights]

    def step() -> None:
        for left, right, out in work:
            torch.mm(left, right, out=out)

    return step


class MatrixProducts:
    """The bound as a contestant: in each round the fastest of the settings that were fastest at the start."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.device = job["device"]
        if self.device == "cpu":
            torch.set_num_threads(job["threads"])
        self.shapes = weight_shapes(json.loads((Path(job["checkpoint"]) / "config.json").read_text()))
        self.kept: list[tuple[tuple[int, str, str], Callable[[], None]]] = []
        self.info: dict[str, Any] = {}

    def rate(self, step: Callable[[], None], batch: int, seconds: float) -> float:
        """Tokens a second of a decode step, over about that many seconds."""
        step()
        once, _ = timed(step, self.device)
        count = max(3, int(seconds / max(once, 1e-6)))
        total, _ = timed(lambda: [step() for _ in range(count)], self.device)
        return count * batch / total

    def tune(self, job: dict[str, Any]) -> dict[str, Any]:
        """Try every setting, once in the life of this contestant: they depend on the model alone."""
        if not self.kept:
            tried = {}
            with torch.inference_mode():
                for setting in itertools.product(BATCHES, LAYOUTS, dtypes(self.device)):
                    step = products(self.shapes, *setting, self.device)
                    tried[setting] = self.rate(step, setting[0], 0.08), step
            best = sorted(tried, key=lambda setting: -tried[setting][0])[:KEPT]
            self.kept = [(setting, tried[setting][1]) for setting in best]
            self.info = {"tried": [[*setting, round(rate)] for setting, (rate, _) in tried.items()]}
        return self.info

    def repeat(self, job: dict[str, Any]) -> dict[str, Any]:
        with torch.inference_mode():
            rates = {setting: self.rate(step, setting[0], 0.2) for setting, step in self.kept}
        best = max(rates, key=rates.get)
        # As if the job had been done at that rate, so that rates of all contestants read alike.
        tokens = len(job["prompts"]) * job["n"] * job["new"]
        return {"seconds": tokens / rates[best], "tokens": tokens, "setting": list(best)}


class Bandwidth:
    """Reading an array far larger than the caches: bytes a second."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.device = job["device"]
        if self.device == "cpu":
            torch.set_num_threads(job["threads"])
        self.array = torch.ones(job.get("mib", 1024) * 2**18, device=self.device)
        self.ones = torch.ones(4096, device=self.device)
        self.info = {"mib": self.array.nbytes // 2**20}

    def tune(self, job: dict[str, Any]) -> dict[str, Any]:
        return self.repeat(job)

    def repeat(self, job: dict[str, Any]) -> dict[str, Any]:
        """The better of a sum and a matrix-vector product: both do nothing but read."""
        ways = (self.array.sum, lambda: self.array.view(-1, len(self.ones)) @ self.ones)
        seconds = min(timed(way, self.device)[0] for way in ways)
        return {"seconds": seconds, "bytes": self.array.nbytes}
