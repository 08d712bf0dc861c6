"""What is left out of the update must change nothing."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from beyondbase.policy.model import Policy
from beyondbase.policy.sampler import sample
from beyondbase.policy.scoring import text_logprobs
from beyondbase.policy.sizes import Size
from beyondbase.tasks import Countdown
from beyondbase.train.advantages import group_normalised
from beyondbase.train.experience import Experience, distinct, minimal
from beyondbase.train.gradient import gradient
from beyondbase.train.losses import clip_fraction, kl_estimate, policy_loss

TASK = Countdown(operands=(2, 3))
CLIP = 0.2


@pytest.fixture(scope="module")
def policy() -> Policy:
    """Sharpened so that samples repeat: few distinct tokens have most of the probability."""
    policy = Policy.init(TASK.vocabulary, Size(hidden=16, layers=2, heads=2, kv_heads=2, ffn=24), seed=5)
    with torch.no_grad():
        policy.model.norm.weight.mul_(6.0)
    return policy


@pytest.fixture(scope="module")
def experience(policy) -> Experience:
    """Groups of mixed, equal and all-different rewards, with repeated rollouts among them."""
    prompts = [TASK.prompt_ids(problem) for problem in TASK.problems(6, split="train", seed=1)]
    rollouts = sample(policy, prompts, 12, max_tokens=3, generator=torch.Generator().manual_seed(2))
    rewards = np.random.default_rng(3).integers(0, 2, size=(6, 12)).astype(float)
    rewards[1], rewards[4] = 0.0, 1.0
    return Experience(prompts, rollouts, rewards, group_normalised(rewards))


def moved(policy: Policy) -> Policy:
    """The policy after a step away from the one that sampled, so that ratios differ from 1 and some are clipped."""
    other = Policy(policy.config, policy.vocabulary)
    other.load_state_dict(policy.state_dict())
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.02)
    return other


def whole(policy: Policy, experience: Experience):
    """Log-probabilities, advantages and mask of every rollout: the loss as it is written in the paper."""
    tokens, _, lengths = experience.rollouts
    mask = torch.arange(tokens.shape[2]) < lengths[..., None]
    logp = []
    for prompt, block in zip(experience.prompts, tokens, strict=True):
        ids = torch.cat([torch.tensor([prompt]).expand(len(block), -1), block], 1)
        logp.append(policy(ids)[:, len(prompt) - 1 : -1].log_softmax(-1).gather(2, block[..., None])[..., 0])
    logp = torch.stack(logp) * mask
    return logp, torch.from_numpy(experience.advantages).float()[..., None], mask.float()


def test_same_loss_and_gradient_as_the_whole_batch(policy, experience):
    policy = moved(policy)
    logp, advantages, mask = whole(policy, experience)
    loss = policy_loss(logp, experience.rollouts.logprobs, advantages, mask, CLIP)
    expected = torch.autograd.grad(loss, list(policy.parameters()))
    batch = minimal(experience)
    shortened, _ = gradient(policy, batch.texts, partial(batch.loss, clip=CLIP))
    found = [weight.grad for weight in policy.parameters()]
    assert shortened == pytest.approx(loss.item(), abs=1e-6)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    assert clip_fraction(logp, experience.rollouts.logprobs, advantages, mask, CLIP) > 0.01


def test_less_is_computed(experience):
    batch = minimal(experience)
    assert len(batch.texts.ends) < 0.9 * 4 * 12
    silent = [experience.prompts[row] for row in (1, 4)]
    assert not any(text[: len(prompt)].tolist() == prompt for text in batch.texts.ids for prompt in silent)


def test_drift_is_that_of_the_rollouts_with_an_advantage(policy, experience):
    policy = moved(policy)
    logp, advantages, mask = whole(policy, experience)
    mask = mask * (advantages != 0)
    batch = minimal(experience)
    drift = batch.drift(text_logprobs(policy, batch.texts).detach(), CLIP)
    old = experience.rollouts.logprobs
    assert drift["clipped"] == pytest.approx(clip_fraction(logp, old, advantages, mask, CLIP), abs=1e-6)
    assert drift["kl"] == pytest.approx(kl_estimate(logp.detach(), old, mask), rel=1e-3)


def test_rollout_log_probabilities_are_those_of_the_training_forward(policy, experience):
    """They serve as the old policy's; the sampler computes them another way."""
    logp, _, _ = whole(policy, experience)
    torch.testing.assert_close(experience.rollouts.logprobs, logp, atol=1e-5, rtol=0)


def test_nothing_to_learn_from_equal_rewards(experience):
    rewards = np.ones_like(experience.rewards)
    assert minimal(Experience(experience.prompts, experience.rollouts, rewards, group_normalised(rewards))) is None


def test_equal_rollouts_with_other_advantages_stay_apart():
    """Shuffled rewards pay copies of one rollout differently, and the clip is not linear in the advantage."""
    rows = [[5, 2], [5, 2], [7, 2], [5, 2], [9, 2]]
    assert distinct(rows, np.array([1.0, -1.0, 0.5, 1.0, 0.0])) == [(0, 2), (1, 1), (2, 1)]
