"""`transformers` as the engine: batched `generate` anywhere, each sample drawn with random numbers of its own.

`generate` itself has one stream of random numbers for a whole batch, in which a sample depends on its neighbours and on
the number of the batch. Here every sample has a stream made from its seed, and each step turns one uniform number into
a token by the inverse of the cumulative distribution: the next token is set before `generate` takes the largest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import transformers
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
)

from .backends import Backend, Completion, Engine, Job
from .blocks import Key
from .text import processor_of

AHEAD = 64  # uniform numbers drawn at a time


class Draw(LogitsProcessor):
    """Sets every row's next token: temperature, then top-p, then one uniform number of the row's own stream.

    `logprobs` has a tensor (B,) for each step: of the token that was set, under the logits as they came.
    """

    def __init__(self, seeds: Sequence[int], prompt: int, temperature: float, top_p: float) -> None:
        self.streams = [np.random.Generator(np.random.Philox(seed)) for seed in seeds]
        self.prompt, self.temperature, self.top_p = prompt, temperature, top_p
        self.uniforms = np.empty((len(seeds), 0))
        self.logprobs: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        step = input_ids.shape[1] - self.prompt
        if step >= self.uniforms.shape[1]:
            more = np.stack([stream.random(AHEAD) for stream in self.streams])
            self.uniforms = np.concatenate([self.uniforms, more], 1)
        uniforms = torch.from_numpy(self.uniforms[:, step]).to(scores.device)
        tokens = inverse_cdf(scores, uniforms, self.temperature, self.top_p)
        self.logprobs.append(scores.float().log_softmax(-1).gather(1, tokens[:, None])[:, 0])
        return torch.full_like(scores, -torch.inf).scatter_(1, tokens[:, None], 0.0)


def inverse_cdf(scores: Tensor, uniforms: Tensor, temperature: float, top_p: float) -> Tensor:
    """Tokens (B,) of logits (B, V) at uniforms (B,) in [0, 1): largest at temperature 0, else by inverse CDF.

    top-p keeps the smallest set of likeliest tokens whose probabilities sum to at least top_p.
    """
    if temperature == 0:
        return scores.argmax(-1)
    probabilities = (scores.double() / temperature).softmax(-1)
    if top_p < 1:
        ordered, order = probabilities.sort(-1, descending=True)
        ordered[ordered.cumsum(-1) - ordered >= top_p] = 0.0
        probabilities = torch.zeros_like(probabilities).scatter_(1, order, ordered)
    sums = probabilities.cumsum(-1)
    found = torch.searchsorted(sums, (uniforms.double() * sums[:, -1])[:, None], right=True)[:, 0]
    last = probabilities.shape[1] - 1 - probabilities.flip(-1).gt(0).int().argmax(-1)
    return torch.minimum(found, last)  # rounding may reach past the last possible token


class TransformersBackend(Backend):
    """A model by `AutoModelForCausalLM`, or `AutoModelForImageTextToText` where prompts have pictures, in batches.

    Jobs are drawn in the order in which they come, those with pictures apart from those without.

    One block at a time is open, so that its batches are the same whenever it is filled: on one machine and with the
    same versions a store that was stopped ends up equal to one that was not.
    """

    appetite = 1

    def __init__(self, engine: Engine) -> None:
        self.engine, self.queue = engine, deque()
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = engine.dtype if engine.dtype != "auto" or self.device == "cuda" else "float32"
        kind = AutoModelForImageTextToText if engine.pictures else AutoModelForCausalLM
        model = kind.from_pretrained(
            engine.model, revision=engine.revision, dtype=dtype, trust_remote_code=engine.trust, **engine.options
        )
        self.model = model.to(self.device).eval()
        if engine.pictures:
            self.processor = processor_of(engine.model, revision=engine.revision, trust_remote_code=engine.trust)
            if self.processor.tokenizer.pad_token is None:
                self.processor.tokenizer.pad_token = self.processor.tokenizer.eos_token
        # The checkpoint's own sampling settings (Qwen's have a repetition penalty) must not add themselves to ours.
        self.model.generation_config = GenerationConfig(pad_token_id=0, eos_token_id=list(engine.stop) or None)
        self.versions = {"transformers": transformers.__version__, "torch": torch.__version__, "device": self.device,
                         "dtype": str(self.model.dtype).removeprefix("torch."), "batch": str(engine.batch)}  # fmt: skip

    @property
    def pending(self) -> int:
        return len(self.queue)

    def submit(self, jobs: Sequence[Job]) -> None:
        self.queue.extend(jobs)

    def poll(self) -> list[tuple[Key, Completion]]:
        jobs = [self.queue.popleft() for _ in range(min(self.engine.batch, len(self.queue)))]
        return list(zip([job.key for job in jobs], self.draw(jobs), strict=True)) if jobs else []

    def draw(self, jobs: Sequence[Job]) -> list[Completion]:
        """Completions of one batch; prompts of different length are padded on the left."""
        found: dict[int, Completion] = {}
        for pictures in (False, True):
            rows = [row for row, job in enumerate(jobs) if (job.shown is not None) == pictures]
            if rows:
                mine = [jobs[row] for row in rows]
                found.update(zip(rows, self._draw(mine, self._shown(mine) if pictures else _padded(mine)), strict=True))
        return [found[row] for row in range(len(jobs))]

    def _shown(self, jobs: Sequence[Job]) -> Mapping[str, Tensor]:
        """What the model takes of prompts with pictures, by its own processor."""
        shown = [job.shown for job in jobs]
        return self.processor(
            text=[one.text for one in shown], images=[[one.picture.open()] for one in shown], padding=True,
            padding_side="left", add_special_tokens=False, return_tensors="pt",
        ).to(self.device, self.model.dtype)  # fmt: skip

    def _draw(self, jobs: Sequence[Job], inputs: Mapping[str, Tensor]) -> list[Completion]:
        longest, most = inputs["input_ids"].shape[1], max(job.max_tokens for job in jobs)
        draw = Draw([job.seed for job in jobs], longest, self.engine.temperature, self.engine.top_p)
        with torch.inference_mode():
            made = self.model.generate(
                **{name: tensor.to(self.device) for name, tensor in inputs.items()}, do_sample=False,
                max_new_tokens=most, logits_processor=LogitsProcessorList([draw]),
            )  # fmt: skip
        logprobs = torch.stack(draw.logprobs, 1).double().cpu()
        rows = zip(made[:, longest:].tolist(), logprobs, jobs, strict=True)
        return [self._ended(ids, row, job.max_tokens) for ids, row, job in rows]

    def _ended(self, ids: list[int], logprobs: Tensor, most: int) -> Completion:
        end = next((place for place, token in enumerate(ids[:most]) if token in self.engine.stop), None)
        kept, finish = (ids[:most], "length") if end is None else (ids[: end + 1], "stop")
        return Completion(kept, finish, float(logprobs[: len(kept)].sum()))


def _padded(jobs: Sequence[Job]) -> dict[str, Tensor]:
    """Ids and attention mask, (B, longest), of prompts that are text."""
    longest = max(len(job.ids) for job in jobs)
    ids = torch.zeros(len(jobs), longest, dtype=torch.long)
    seen = torch.zeros_like(ids)
    for row, job in enumerate(jobs):
        ids[row, longest - len(job.ids) :] = torch.tensor(job.ids)
        seen[row, longest - len(job.ids) :] = 1
    return {"input_ids": ids, "attention_mask": seen}
