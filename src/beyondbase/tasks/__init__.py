"""Verifiable task families: problems, games to learn from, verifiers, all solutions."""

from beyondbase.tasks.base import Problem, Split, StepVerdict, Task, Verdict, split_of
from beyondbase.tasks.countdown import Countdown
from beyondbase.tasks.seeds import derive_seed
from beyondbase.tasks.vocabulary import Vocabulary

# The type of a field that holds any task family; a union told apart by `name` as soon as there are two.
AnyTask = Countdown

__all__ = [
    "AnyTask",
    "Countdown",
    "Problem",
    "Split",
    "StepVerdict",
    "Task",
    "Verdict",
    "Vocabulary",
    "derive_seed",
    "split_of",
]
