"""The book's own engine as a contestant: thin calls of its public functions."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from ..policy import checkpoint
from ..policy.sampler import sample
from .measuring import gpu_peak, timed


class Sampling:
    """`beyondbase.policy.sampler.sample`, log-probabilities included, as the book calls it."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.device = job["device"]
        if self.device == "cpu":
            torch.set_num_threads(job["threads"])
        self.policy = checkpoint.load(job["checkpoint"], device=self.device)
        self.generator = torch.Generator(self.device).manual_seed(0)
        self.info = {"dtype": str(self.policy.lm_head.weight.dtype).removeprefix("torch.")}
        # Rows that end early would leave the batch; the others run to full length, so must these.
        self.options = {"ignore_eos": True} if "ignore_eos" in inspect.signature(sample).parameters else {}

    def draw(self, job: dict[str, Any]) -> Any:
        return sample(
            self.policy, job["prompts"], job["n"], max_tokens=job["new"], generator=self.generator, **self.options
        )

    def tune(self, job: dict[str, Any]) -> dict[str, Any]:
        self.draw(job)
        return {"rows": len(job["prompts"]) * job["n"]}

    def repeat(self, job: dict[str, Any]) -> dict[str, Any]:
        seconds, drawn = timed(lambda: self.draw(job), self.device)
        return {"seconds": seconds, "tokens": int(drawn.lengths.sum()), **gpu_peak(self.device)}
