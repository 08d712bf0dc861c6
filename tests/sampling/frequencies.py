"""Frequencies of completions that an engine drew, against their exact probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy import stats

from beyondbase.policy.model import Policy
from beyondbase.policy.scoring import sequence_logprobs
from beyondbase.sampling.backends import Backend, Completion, Engine, Job
from beyondbase.sampling.blocks import Key, sample_seed
from beyondbase.tasks.countdown import Countdown

TASK = Countdown(operands=2, max_number=9, max_value=81)
PROBLEMS, SAMPLES = 12, 400


def jobs_of(task: Countdown, problems: int, samples: int) -> list[Job]:
    found = task.problems(problems, split="test", seed=3)
    ids = {problem.key: tuple(task.prompt_ids(problem)) for problem in found}
    keys = [(problem.key, sample) for problem in found for sample in range(samples)]
    return [Job(key, ids[key[0]], sample_seed(0, "tiny", "1", "countdown", key), 12) for key in keys]


def engine_of(model: str, batch: int = 1024, **options) -> Engine:
    return Engine(model, temperature=1.0, top_p=1.0, stop=(2,), batch=batch, context=64, **options)


def drawn(backend: Backend, jobs: list[Job]) -> dict[Key, Completion]:
    """Every job's completion."""
    backend.submit(jobs)
    found: dict[Key, Completion] = {}
    while backend.pending:
        found.update(backend.poll())
    assert found.keys() == {job.key for job in jobs}
    return found


def forced(checkpoint: str, job: Job, ids: Sequence[int]) -> float:
    """Log-probability of a completion by one pass of `transformers` over the whole text, no padding, in float64."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float64).eval()
    with torch.inference_mode():
        logprobs = model(torch.tensor([[*job.ids, *ids]])).logits[0].log_softmax(-1)
    return sum(float(logprobs[len(job.ids) - 1 + place, token]) for place, token in enumerate(ids))


def chi_square(policy: Policy, task: Countdown, found: dict[Key, Completion]) -> tuple[float, int, float]:
    """p-value, cells and mean probability of a solution: each solution of each problem is a cell, all else is another.

    Cells expected fewer than five times go to "all else".
    """
    statistic, freedom, solved = 0.0, 0, []
    problems = {problem.key: problem for problem in task.problems(PROBLEMS, split="test", seed=3)}
    for key, problem in problems.items():
        completions = [tuple(made.ids) for (name, _), made in found.items() if name == key]
        texts = [tuple(task.completion_ids(text)) for text in task.solutions(problem)]
        exact = np.exp(sequence_logprobs(policy, task.prompt_ids(problem), texts))
        solved.append(exact.sum())
        likely = [(text, p) for text, p in zip(texts, exact, strict=True) if 5 <= p * len(completions)]
        counts = [completions.count(text) for text, _ in likely]
        expected = [p * len(completions) for _, p in likely]
        rest = len(completions) - sum(expected)
        if not likely or rest < 5:
            continue
        observed = np.array([*counts, len(completions) - sum(counts)])
        expected = np.array([*expected, rest])
        statistic += ((observed - expected) ** 2 / expected).sum()
        freedom += len(likely)
    return float(stats.chi2.sf(statistic, freedom)), freedom, float(np.mean(solved))
