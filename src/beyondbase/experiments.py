"""The cached steps that notebooks compose: pre-train, reinforce, measure exactly, sample.

    base = Pretrain(task=Countdown(operands=(3, 4)), tokens=1_000_000, seed=1)
    rl = Reinforce(base=base, task=base.task, steps=100, seed=1)
    exact = Exact(policy=rl, problems=HeldOut(task=base.task, count=200, seed=2))
    solve_log_probability([exact])

A step is only a description until `files()` or `cache.gather` makes it. Devices: "cpu" or "cuda".
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd
import pydantic
from scipy.special import logsumexp

from .cache import Step
from .tasks import AnyTask, Problem
from .tasks.seeds import derive_seed

Count = Annotated[int, pydantic.Field(ge=1)]
Rate = Annotated[float, pydantic.Field(gt=0, le=1)]
Device = Literal["cpu", "cuda"]
ROWS_AT_ONCE = 65_536  # samples held at a time
TRAINING = 3  # a forward and a backward pass cost about three forward ones
SOLUTIONS = {2: 2, 3: 6, 4: 50, 5: 1_000, 6: 30_000}  # of a Countdown problem, roughly: for estimates of cost only


class HeldOut(pydantic.BaseModel):
    """Problems of the test split: `count` distinct ones, drawn by `seed`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)
    task: AnyTask
    count: Count = 200
    seed: int

    def problems(self) -> list[Problem]:
        return self.task.problems(self.count, split="test", seed=self.seed)


class Pretrain(Step):
    """A base model: next-token training from scratch on random games of the training split."""

    modules: ClassVar = ("beyondbase.train.pretrain", "beyondbase.policy.checkpoint")
    kind: Literal["pretrain"] = "pretrain"
    task: AnyTask
    size: Literal["tiny", "small", "medium", "large"] = "tiny"
    tokens: Count = 1_000_000
    batch_size: Count = 64
    learning_rate: Rate = 8e-3
    seed: int
    device: Device = "cpu"

    def label(self) -> list:
        return [f"seed {self.seed % 10_000}"]

    def passes(self) -> tuple[str, float]:
        return self.size, TRAINING * self.tokens

    def checkpoint(self, step: int | None = None) -> Path:
        """Folder of the trained policy, made now if need be."""
        if step is not None:
            raise ValueError(f"step={step}: a base model has one checkpoint; leave step out")
        return self.files() / "policy"

    def make(self, folder: Path) -> None:
        from .policy.checkpoint import save
        from .policy.model import Policy
        from .train.pretrain import pretrain

        policy = Policy.init(self.task.vocabulary, self.size, derive_seed("weights", self.seed)).to(self.device)
        history = pretrain(
            policy,
            self.task,
            tokens=self.tokens,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=derive_seed("games", self.seed),
            progress=False,
        )
        history.to_frame().to_csv(folder / "history.csv", index=False)
        save(policy, folder / "policy", self.parameters())


class Reinforce(Step):
    """Policy optimisation from a base model, with checkpoints on the way; "shuffled" is the control's reward."""

    modules: ClassVar = ("beyondbase.train.grpo", "beyondbase.policy.checkpoint")
    kind: Literal["reinforce"] = "reinforce"
    base: Pretrain
    task: AnyTask
    algorithm: Literal["grpo"] = "grpo"
    reward: Literal["outcome", "shuffled"] = "outcome"
    steps: Count = 100
    prompts_per_step: Count = 32
    rollouts: Annotated[int, pydantic.Field(ge=2)] = 16
    learning_rate: Rate = 5e-4
    clip: Rate = 0.2
    epochs: Count = 2
    checkpoints: tuple[Count, ...] = ()
    seed: int
    device: Device = "cpu"

    def label(self) -> list:
        return [self.reward, f"seed {self.seed % 10_000}"]

    def passes(self) -> tuple[str, float]:
        written = self.steps * self.prompts_per_step * self.rollouts * self.task.max_completion_tokens
        return self.base.size, written * (1 + TRAINING * self.epochs)

    def kept(self) -> tuple[int, ...]:
        """Steps whose policies are kept: those asked for, and the last."""
        return tuple(sorted({*(step for step in self.checkpoints if step < self.steps), self.steps}))

    def checkpoint(self, step: int | None = None) -> Path:
        """Folder of the policy after `step` updates (the last by default), made now if need be."""
        step = self.steps if step is None else step
        if step not in self.kept():
            raise ValueError(f"step={step}: kept are {list(self.kept())}; name it in checkpoints")
        return self.files() / f"step-{step:05d}"

    def make(self, folder: Path) -> None:
        from .policy.checkpoint import load, save
        from .train.grpo import reinforce

        policy = load(self.base.checkpoint(), device=self.device)
        history = reinforce(
            policy,
            self.task,
            steps=self.steps,
            prompts_per_step=self.prompts_per_step,
            rollouts=self.rollouts,
            learning_rate=self.learning_rate,
            clip=self.clip,
            epochs=self.epochs,
            reward=self.reward,
            seed=derive_seed("rollouts", self.seed),
            checkpoint_steps=self.kept(),
            on_checkpoint=lambda step, now: save(now, folder / f"step-{step:05d}", self.parameters()),
            progress=False,
        )
        history.to_frame().to_csv(folder / "history.csv", index=False)


class Measurement(Step):
    """Base of what is measured on a policy: which one, after how many updates, on which problems."""

    policy: Pretrain | Reinforce = pydantic.Field(discriminator="kind")
    checkpoint: int | None = None
    problems: HeldOut
    device: Device = "cpu"

    @property
    def size(self) -> str:
        return self.policy.size if isinstance(self.policy, Pretrain) else self.policy.base.size

    def label(self) -> list:
        after = [] if self.checkpoint is None else [f"after {self.checkpoint}"]
        return [*self.policy.label(), *after, f"{self.problems.count} problems of {list(self.problems.task.operands)}"]


class Exact(Measurement):
    """The exact probability of every correct solution of every problem, and so of solving it in one attempt."""

    modules: ClassVar = ("beyondbase.policy.scoring", "beyondbase.policy.checkpoint")

    def passes(self) -> tuple[str, float]:
        task = self.problems.task
        solutions = np.mean([SOLUTIONS[difficulty] for difficulty in task.operands])
        return self.size, self.problems.count * solutions * task.max_completion_tokens

    def make(self, folder: Path) -> None:
        from .policy.checkpoint import load
        from .policy.scoring import solution_logprobs

        task, problems = self.problems.task, self.problems.problems()
        policy = load(self.policy.checkpoint(self.checkpoint), device=self.device)
        policy.check_vocabulary(task.vocabulary)
        prompts = [task.prompt_ids(problem) for problem in problems]
        scores = solution_logprobs(policy, prompts, task.solution_ids(problems))
        np.savez(
            folder / "exact.npz",
            logp=[logsumexp(score) for score in scores],
            solutions=[len(score) for score in scores],
            solution_logp=np.concatenate(scores),
        )


class Sampled(Measurement):
    """n completions of every problem: how many are correct, and the first few as written."""

    modules: ClassVar = ("beyondbase.policy.sampler", "beyondbase.policy.checkpoint")
    n: Count = 1024
    shown: int = 4
    temperature: Annotated[float, pydantic.Field(gt=0, le=10)] = 1.0
    seed: int

    def passes(self) -> tuple[str, float]:
        return self.size, self.problems.count * self.n * self.problems.task.max_completion_tokens

    def make(self, folder: Path) -> None:
        import torch

        from .policy.checkpoint import load
        from .policy.sampler import sample

        task, problems = self.problems.task, self.problems.problems()
        policy = load(self.policy.checkpoint(self.checkpoint), device=self.device)
        policy.check_vocabulary(task.vocabulary)
        counts, rows = [], []
        together = max(1, ROWS_AT_ONCE // self.n)  # memory does not grow with the problems
        for first in range(0, len(problems), together):
            part = problems[first : first + together]
            drawn = sample(
                policy,
                [task.prompt_ids(problem) for problem in part],
                self.n,
                max_tokens=task.max_completion_tokens,
                generator=torch.Generator(self.device).manual_seed(derive_seed("samples", self.seed, first)),
                temperature=self.temperature,
            )
            for problem, ids, logp in zip(part, drawn.tokens.tolist(), drawn.logprobs.sum(-1).tolist(), strict=True):
                repeats = Counter(map(tuple, ids))
                counts.append(sum(times for key, times in repeats.items() if task.correct_ids(problem, key)))
                rows += [_as_written(task, problem, i, ids[i], logp[i]) for i in range(min(self.shown, self.n))]
        np.save(folder / "correct.npy", np.array(counts))
        (folder / "samples.json").write_text(json.dumps(rows))


def _as_written(task: AnyTask, problem: Problem, number: int, ids: list[int], logp: float) -> dict:
    verdict = task.verify_ids(problem, ids)
    return {
        "problem": problem.prompt,
        "difficulty": problem.difficulty,
        "sample": number,
        "text": task.vocabulary.decode(ids),
        "correct": verdict.correct,
        "answer": verdict.answer,
        "reason": verdict.reason,
        "fault": verdict.fault,
        "logp": logp,
    }


def solve_log_probability(measured: list[Exact]) -> np.ndarray:
    """Log probability of solving each problem in one attempt, (steps, problems)."""
    return np.stack([np.load(step.files() / "exact.npz")["logp"] for step in measured])


def solution_log_probabilities(measured: Exact) -> list[np.ndarray]:
    """Log probability of every correct solution, in the order of `task.solutions`, one array a problem."""
    stored = np.load(measured.files() / "exact.npz")
    return np.split(stored["solution_logp"], np.cumsum(stored["solutions"])[:-1])


def correct_counts(measured: list[Sampled]) -> np.ndarray:
    """Correct samples of each problem out of `n`, (steps, problems)."""
    return np.stack([np.load(step.files() / "correct.npy") for step in measured])


def samples(measured: Sampled) -> pd.DataFrame:
    """The first few completions of every problem as written, with the verifier's judgement."""
    return pd.DataFrame(json.loads((measured.files() / "samples.json").read_text()))


def history(step: Pretrain | Reinforce) -> pd.DataFrame:
    """The training history of a step, a row an update."""
    return pd.read_csv(step.files() / "history.csv")
