"""vLLM as a contestant. Imports nothing of this book's dependencies: it runs in an environment of its own."""

from __future__ import annotations

import time
from typing import Any

import vllm

from ..workers.served import Unavailable
from .measuring import has_bfloat16

TRIAL_ROWS, ALL_ROWS = 128, 1 << 30


def fewer(job: dict[str, Any], rows: int) -> dict[str, Any]:
    """The job with at most `rows` rows: fewer prompts, or fewer samples of one."""
    n = min(job["n"], rows)
    return {**job, "n": n, "prompts": job["prompts"][: max(1, rows // n)]}


class VLLM:
    """`LLM.generate` with n samples a prompt; log-probabilities are left out where that is faster.

    Token ids in and out, no text: the tokenizer is not loaded. Prefix caching stays on, so a prompt is computed once.
    """

    compiled = False

    def __init__(self, job: dict[str, Any]) -> None:
        self.device = job["device"]
        options = {"gpu_memory_utilization": 0.5} if self.device == "cuda" else {}
        # bfloat16 is what it is made for; without such instructions it would be emulated.
        dtype = "bfloat16" if has_bfloat16(self.device) else "float32"
        self.model = vllm.LLM(
            model=job["checkpoint"],
            dtype=dtype,
            skip_tokenizer_init=True,
            max_model_len=job.get("max_positions", 512),
            max_num_seqs=job.get("max_num_seqs", 1024),
            enforce_eager=not self.compiled,
            disable_log_stats=True,
            seed=0,
            **options,
        )
        self.best: dict[str, int | None] = {}
        self.info = {"dtype": dtype, "compiled": self.compiled, "version": vllm.__version__}

    def draw(self, job: dict[str, Any], logprobs: int | None) -> tuple[float, int]:
        """Seconds and new tokens of sampling a job."""
        params = vllm.SamplingParams(
            n=job["n"], temperature=1.0, max_tokens=job["new"], min_tokens=job["new"], ignore_eos=True,
            logprobs=logprobs, detokenize=False,
        )  # fmt: skip
        prompts = [{"prompt_token_ids": ids} for ids in job["prompts"]]
        begun = time.perf_counter()
        made = self.model.generate(prompts, params, use_tqdm=False)
        seconds = time.perf_counter() - begun
        return seconds, sum(len(one.token_ids) for request in made for one in request.outputs)

    def tune(self, job: dict[str, Any]) -> dict[str, Any]:
        """Choose once whether log-probabilities are asked for (the sampled token's comes for free elsewhere)."""
        if not self.best:
            trial = {**fewer(job, TRIAL_ROWS), "new": 16}
            rates = {}
            for logprobs in (None, 0):
                self.draw(trial, logprobs)  # compiles
                seconds, tokens = self.draw(trial, logprobs)
                rates[logprobs] = tokens / seconds
            self.best = {"logprobs": max(rates, key=rates.get)}
        job = fewer(job, job.get("peer_rows", ALL_ROWS))
        self.draw({**job, "new": 8}, self.best["logprobs"])
        return {"rows": len(job["prompts"]) * job["n"], "logprobs": self.best["logprobs"] == 0}

    def repeat(self, job: dict[str, Any]) -> dict[str, Any]:
        job = fewer(job, job.get("peer_rows", ALL_ROWS))
        seconds, tokens = self.draw(job, self.best["logprobs"])
        wanted = len(job["prompts"]) * job["n"] * job["new"]
        if tokens != wanted:
            raise Unavailable(f"it made {tokens} tokens instead of {wanted}")
        return {"seconds": seconds, "tokens": tokens}


class VLLMCompiled(VLLM):
    """The same through torch.compile, which a small model on a CPU may or may not gain from."""

    compiled = True
