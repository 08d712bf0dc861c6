"""vLLM in a process of its own, driven by `vllm_backend`. Imports nothing of this book's dependencies: it may run in an
environment that has none of them."""

from __future__ import annotations

import functools
import time
from typing import Any

import vllm
from vllm.sampling_params import RequestOutputKind

from .pictures import opened

picture = functools.lru_cache(maxsize=64)(opened)  # many samples of a problem follow each other


class Engine:
    """An `LLM` that is fed while it runs: `step` adds requests, computes for a while, returns what is done.

    Token ids, and files of pictures, in, token ids out; one request a sample, each with its own seed. The prompt is
    computed once for its samples (prefix caching). The checkpoint's own sampling settings stay out
    (`generation_config="vllm"`).
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self.model = vllm.LLM(
            model=job["model"],
            revision=job["revision"],
            tokenizer_revision=job["revision"],
            dtype=job["dtype"],
            max_model_len=job["max_model_len"],
            tensor_parallel_size=job["tensor_parallel"],
            trust_remote_code=job["trust"],
            logprobs_mode="raw_logprobs",  # what the store says that they are: before temperature and top-p
            **({"limit_mm_per_prompt": {"image": 1}} if job["pictures"] else {}),
            # With pictures the model's processor makes the prompt, and it needs the tokenizer.
            **{"skip_tokenizer_init": not job["pictures"], "generation_config": "vllm", "disable_log_stats": True,
               "seed": 0, **job["options"]},
        )  # fmt: skip
        self.engine = self.model.llm_engine
        self.common = {"temperature": job["temperature"], "top_p": job["top_p"], "stop_token_ids": job["stop"]}
        self.info = {"vllm": vllm.__version__, "dtype": str(self.model.model_config.dtype).removeprefix("torch.")}
        self.number = 0

    def step(self, job: dict[str, Any]) -> dict[str, Any]:
        """Add `job["add"]`, compute for `job["seconds"]` or until nothing is left.

        `done` has (number, ids, finish, logprob) of each request that ended.
        """
        for request in job["add"]:
            params = vllm.SamplingParams(
                seed=request["seed"], max_tokens=request["max_tokens"], detokenize=False,
                output_kind=RequestOutputKind.FINAL_ONLY, logprobs=0, **self.common,
            )  # fmt: skip
            prompt: dict[str, Any] = {"prompt_token_ids": request["ids"]}
            if request["picture"]:
                prompt["multi_modal_data"] = {"image": picture(request["picture"])}
            self.engine.add_request(str(request["number"]), prompt, params)
        done, until = [], time.monotonic() + job["seconds"]
        while self.engine.has_unfinished_requests() and time.monotonic() < until:
            for output in self.engine.step():
                if output.finished:
                    one = output.outputs[0]
                    done.append(
                        (int(output.request_id), list(one.token_ids), one.finish_reason, one.cumulative_logprob)
                    )
        return {"done": done}
