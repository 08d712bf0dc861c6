"""Policy optimisation with verifiable rewards: sample, grade, move towards what beat its group's mean.

Each choice is a row elsewhere: what is paid (rewards.py), against which baseline (advantages.py), ratio, clip and
aggregation (losses.py). Not here: a KL term, a value network, replay of old rollouts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from tqdm import trange

from beyondbase.policy.model import Policy
from beyondbase.policy.sampler import Rollouts, sample
from beyondbase.tasks.base import Problem, Task
from beyondbase.tasks.seeds import derive_seed
from beyondbase.train.advantages import group_normalised
from beyondbase.train.experience import Experience, minimal
from beyondbase.train.gradient import gradient
from beyondbase.train.guards import require, require_finite, require_learning_rate
from beyondbase.train.history import History
from beyondbase.train.optimiser import adamw, descend
from beyondbase.train.rewards import REWARDS

WARM_UP_STEPS = 5  # Adam's second moments are noise until then
LOWER = "lower learning_rate, or start from a checkpoint whose weights are finite"


def reinforce(
    policy: Policy,
    task: Task,
    *,
    steps: int,
    prompts_per_step: int = 32,
    rollouts: int = 16,
    learning_rate: float = 4e-4,
    clip: float = 0.2,
    epochs: int = 2,
    reward: str = "outcome",
    seed: int,
    on_checkpoint: Callable[[int, Policy], None] | None = None,
    checkpoint_steps: Sequence[int] = (),
    progress: bool = True,
) -> History:
    """GRPO without KL: trains `policy` in place on fresh train-split problems, `rollouts` samples each, temperature 1.

    Each step follows the token-mean clipped surrogate of group-normalised rewards for `epochs` passes over its
    rollouts, one AdamW step a pass, gradient norm clipped at 1, learning rate constant after 5 warm-up steps.
    `reward` is a row of REWARDS. `seed` decides problems, samples and permutations. `on_checkpoint(step, policy)` is
    called after each of `checkpoint_steps`; step 0 is the policy before training.

    Returns a row a step: step (from 1); reward (mean); mixed (share of groups with both outcomes, the ones that teach);
    length (mean tokens, eos included); entropy (nats a token, estimated by minus the mean log-probability of the
    samples); clipped (share of tokens whose gradient the clip removed) and kl (estimated from the sampling policy, nats
    a token), both over the rollouts with an advantage, in the last pass; gradient_norm (last pass, before clipping).
    Raises ValueError for impossible arguments, NonFinite when training breaks down.
    Source: DeepSeekMath (arXiv 2402.03300) section 4.1, aggregation after DAPO (arXiv 2503.14476).
    """
    check_arguments(steps, prompts_per_step, rollouts, learning_rate, clip, epochs, reward)
    check_checkpoints(steps, on_checkpoint, checkpoint_steps)
    policy.check_vocabulary(task.vocabulary)
    optimisers = adamw(policy, learning_rate, weight_decay=0.0)
    history = History()
    if 0 in checkpoint_steps:
        on_checkpoint(0, policy)
    with trange(1, steps + 1, desc="GRPO", unit="step", disable=not progress) as bar:
        for step in bar:
            experience = gather(policy, task, prompts_per_step, rollouts, reward, seed, step)
            rate = learning_rate * min(1.0, step / WARM_UP_STEPS)
            learnt = improve(policy, optimisers, experience, clip, epochs, rate, step)
            history.append({"step": step, **experience.summary(), **learnt})
            bar.set_postfix(reward=f"{history[-1]['reward']:.3f}", refresh=False)
            if step in checkpoint_steps:
                on_checkpoint(step, policy)
    return history


def check_arguments(steps, prompts_per_step, rollouts, learning_rate, clip, epochs, reward) -> None:
    require(steps >= 1, "steps", steps, "give the number of updates, at least 1")
    require(prompts_per_step >= 1, "prompts_per_step", prompts_per_step, "give at least 1 problem a step")
    require(rollouts >= 2, "rollouts", rollouts, "a group needs at least 2 samples to compare")
    require_learning_rate(learning_rate)
    require(0 < clip < 1, "clip", clip, "give a distance of the ratio from 1 between 0 and 1, such as 0.2")
    require(epochs >= 1, "epochs", epochs, "give the passes over each step's rollouts, at least 1")
    require(reward in REWARDS, "reward", reward, f"choose one of {', '.join(REWARDS)}")


def check_checkpoints(steps, on_checkpoint, checkpoint_steps) -> None:
    require(all(0 <= step <= steps for step in checkpoint_steps), "checkpoint_steps", checkpoint_steps,
            f"give steps from 0 to steps={steps}")  # fmt: skip
    require(on_checkpoint is not None or not checkpoint_steps, "checkpoint_steps", checkpoint_steps,
            "give on_checkpoint too, or leave this empty")  # fmt: skip


def gather(
    policy: Policy, task: Task, prompts_per_step: int, rollouts: int, reward: str, seed: int, step: int
) -> Experience:
    """Fresh problems, as random play meets them, and the policy's graded samples; everything follows from the seed."""
    problems = fresh_problems(task, prompts_per_step, seed, step)
    prompts = [task.prompt_ids(problem) for problem in problems]
    generator = torch.Generator(policy.device).manual_seed(stream(seed, "rollouts", step))
    drawn = sample(policy, prompts, rollouts, max_tokens=task.max_completion_tokens, generator=generator)
    require_finite(drawn.logprobs.sum().item(), step=step, quantity="sum of the rollouts' log-probabilities", fix=LOWER)
    return graded(task, problems, prompts, drawn, reward, seed, step)


def stream(seed: int, name: str, step: int) -> int:
    """The seed of one random stream of one step."""
    return derive_seed("reinforce", seed, name, step)


def fresh_problems(task: Task, count: int, seed: int, step: int) -> list[Problem]:
    return [problem for problem, _ in task.games(count, split="train", seed=stream(seed, "problems", step))]


def graded(
    task: Task,
    problems: Sequence[Problem],
    prompts: list[list[int]],
    drawn: Rollouts,
    reward: str,
    seed: int,
    step: int,
) -> Experience:
    rng = np.random.default_rng(stream(seed, "rewards", step))
    rewards = REWARDS[reward](task, problems, drawn.tokens.cpu().numpy(), drawn.lengths.cpu().numpy(), rng)
    return Experience(prompts, drawn, rewards, group_normalised(rewards))


def improve(
    policy: Policy,
    optimisers: Sequence[torch.optim.Optimizer],
    experience: Experience,
    clip: float,
    epochs: int,
    rate: float,
    step: int,
) -> dict[str, float]:
    """`epochs` optimiser steps on one batch; what carries no gradient is left out of the forward pass.

    Where no group is mixed there is nothing to follow, and neither weights nor the optimiser's moments change.
    """
    learnt = {"clipped": 0.0, "kl": 0.0, "gradient_norm": 0.0}
    batch = minimal(experience)
    for _ in range(epochs if batch else 0):
        loss, logp = gradient(policy, batch.texts, partial(batch.loss, clip=clip))
        require_finite(loss, step=step, quantity="policy loss", fix=LOWER)
        learnt = batch.drift(logp, clip)
        learnt["gradient_norm"] = descend(optimisers, policy, rate, step)
    return learnt
