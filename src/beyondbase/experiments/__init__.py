"""The cached steps that notebooks compose: pre-train, reinforce, imitate, measure exactly, sample.

    base = Pretrain(task=Countdown(operands=(3, 4)), tokens=1_000_000, seed=1)
    rl = Reinforce(base=base, task=base.task, algorithm="grpo", steps=100, seed=1)
    exact = Exact(policy=rl, problems=HeldOut(task=base.task, count=200, seed=2))
    solve_log_probability([exact])

A step is only a description until `files()` or `cache.gather` makes it. Devices: "cpu" or "cuda".
"""

from .ladder import readable, rungs
from .measurements import Exact, FirstMoves, Measurement, Sampled, Scored
from .policies import AnyPolicy, Imitate, Pretrain, Reinforce, Trained
from .problems import HeldOut
from .reading import (
    answer_counts,
    correct_counts,
    first_moves,
    histories,
    process_accuracy,
    samples,
    scores,
    solution_log_probabilities,
    solve_log_probability,
)

__all__ = [
    "AnyPolicy",
    "Exact",
    "FirstMoves",
    "HeldOut",
    "Imitate",
    "Measurement",
    "Pretrain",
    "Reinforce",
    "Sampled",
    "Scored",
    "Trained",
    "answer_counts",
    "correct_counts",
    "first_moves",
    "histories",
    "process_accuracy",
    "readable",
    "rungs",
    "samples",
    "scores",
    "solution_log_probabilities",
    "solve_log_probability",
]
