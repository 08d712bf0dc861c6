"""transformers as a contestant: `generate` and continuous batching, with the settings that suit them."""

from __future__ import annotations

from typing import Any

import torch
from transformers import GenerationConfig, Qwen2ForCausalLM
from transformers.generation import ContinuousBatchingConfig

from .measuring import dtypes, gpu_peak, timed

BATCHES = (256, 512, 1024)
PAGED_ROWS, PAGE = 64, 16  # continuous batching on a CPU: slower with more rows at once, or larger pages
TRIAL = 16  # new tokens of the trials that choose a batch size: short ones rank alike


def load_model(folder: str, dtype: str, device: str) -> Any:
    """The checkpoint as transformers' own class, with nothing that would end a row early."""
    model = Qwen2ForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).to(device).eval()
    model.generation_config.eos_token_id = None
    return model


def rows_of(job: dict[str, Any]) -> list[list[int]]:
    """Every row's prompt: each prompt n times, as `num_return_sequences` would."""
    return [prompt for prompt in job["prompts"] for _ in range(job["n"])]


class Generate:
    """`generate` with sampling and without scores: batch size and number format are the fastest of those tried."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.device, self.batches = job["device"], tuple(job.get("batches", BATCHES))
        if self.device == "cpu":
            torch.set_num_threads(job["threads"])
        self.models = {dtype: load_model(job["checkpoint"], dtype, self.device) for dtype in dtypes(self.device)}
        self.best: tuple[str, int] | None = None
        self.info: dict[str, Any] = {}

    def draw(self, rows: list[list[int]], new: int, dtype: str) -> int:
        """Sample one batch; the number of new tokens."""
        config = GenerationConfig(
            do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=new, eos_token_id=None, pad_token_id=0
        )
        ids = torch.tensor(rows, device=self.device)
        with torch.inference_mode():
            made = self.models[dtype].generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
        if made.shape != (len(rows), ids.shape[1] + new):
            raise RuntimeError(
                f"generate made {tuple(made.shape)}, expected {new} new tokens in each of {len(rows)} rows"
            )
        return len(rows) * new

    def tune(self, job: dict[str, Any]) -> dict[str, Any]:
        rows = rows_of(job)
        if self.best is None:
            self.draw(rows[:16], 4, next(iter(self.models)))
            rates = {}
            for dtype in self.models:
                for batch in [size for size in self.batches if size <= len(rows)] or [len(rows)]:
                    seconds, tokens = timed(lambda d=dtype, b=batch: self.draw(rows[:b], TRIAL, d), self.device)
                    rates[dtype, batch] = tokens / seconds
            self.best = max(rates, key=rates.get)
        dtype, batch = self.best
        return {"dtype": dtype, "batch": min(batch, len(rows)), "rows": min(batch, len(rows))}

    def repeat(self, job: dict[str, Any]) -> dict[str, Any]:
        dtype, batch = self.best
        rows = rows_of(job)[:batch]
        seconds, tokens = timed(lambda: self.draw(rows, job["new"], dtype), self.device)
        return {"seconds": seconds, "tokens": tokens, **gpu_peak(self.device)}


class ContinuousBatching:
    """`generate_batch`: transformers' scheduler of requests over a paged cache. Made for GPUs; it runs on a CPU too."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.device = job["device"]
        if self.device == "cpu":
            torch.set_num_threads(job["threads"])
        self.dtype = "bfloat16" if self.device == "cuda" else "float32"
        self.model = load_model(job["checkpoint"], self.dtype, self.device)
        self.info = {"dtype": self.dtype}

    def draw(self, rows: list[list[int]], new: int) -> int:
        """Sample every row; the number of new tokens."""
        config = GenerationConfig(
            do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=new, eos_token_id=-1, pad_token_id=0
        )
        options = {}
        if self.device == "cpu":
            pages = -(-(len(rows[0]) + new) // PAGE) + 1
            options = {"num_blocks": pages * len(rows), "page_size": PAGE}
        paged = ContinuousBatchingConfig(**options)
        made = self.model.generate_batch(
            rows, generation_config=config, continuous_batching_config=paged, progress_bar=False, warmup=False
        )
        return sum(len(one.generated_tokens) for one in made.values())

    def rows(self, job: dict[str, Any]) -> list[list[int]]:
        rows = rows_of(job)
        return rows if self.device == "cuda" else rows[:PAGED_ROWS]

    def tune(self, job: dict[str, Any]) -> dict[str, Any]:
        rows = self.rows(job)
        self.draw(rows, 4)
        return {"rows": len(rows)}

    def repeat(self, job: dict[str, Any]) -> dict[str, Any]:
        rows = self.rows(job)
        seconds, tokens = timed(lambda: self.draw(rows, job["new"]), self.device)
        if tokens != len(rows) * job["new"]:
            raise RuntimeError(f"continuous batching made {tokens} tokens instead of {len(rows) * job['new']}")
        return {"seconds": seconds, "tokens": tokens, **gpu_peak(self.device)}
