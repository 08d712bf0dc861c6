"""A stack of policies against the same policies one by one."""

from __future__ import annotations

import pytest
import torch
from small_policies import GROUPED, MULTI_HEAD, SHAPES, lively

from beyondbase.policy import sampler
from beyondbase.policy.sampler import sample
from beyondbase.policy.stacked import Stack
from beyondbase.policy.stacked_sampler import sample as sample_stack

PROMPTS = [  # one list a policy: lengths differ within a policy and between them
    [[1, 3, 4, 3], [1, 5], [1, 4, 4, 5]],
    [[1], [1, 3], [1, 5, 5, 5, 5]],
    [[1, 4, 3], [1, 4, 3], [1, 3, 3]],
]


def policies(vocabulary, size, count=3):
    return [lively(vocabulary, size, seed=seed) for seed in range(1, count + 1)]


def seeded(count=3, first=0):
    return [torch.Generator().manual_seed(first + seed) for seed in range(count)]


@SHAPES
@pytest.mark.parametrize("length", [5, 70])  # above 64 positions attention takes another path
def test_logits_are_those_of_each_policy(vocabulary, size, length):
    singles = policies(vocabulary, size)
    stack = Stack(singles)
    ids = torch.randint(6, (3, 2, length), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        fused = stack.fused()
        logits = stack.logits(fused, stack.hidden(fused, ids))
        for policy, own, found in zip(singles, ids, logits, strict=True):
            torch.testing.assert_close(found, policy(own), atol=2e-5, rtol=1e-5)


@SHAPES
@pytest.mark.parametrize("length", [9, 70])
def test_gradients_are_those_of_each_policy(vocabulary, size, length):
    """Each policy's loss by its own forward; in the stack they are summed, as no weight is shared."""
    singles = policies(vocabulary, size)
    stack = Stack(singles)
    generator = torch.Generator().manual_seed(0)
    first = length - 7
    ids = torch.randint(6, (3, 4, length), generator=generator)
    slopes = torch.randn(3, 4, 6, generator=generator)
    logp = stack.text_logprobs(ids, first)
    gradient = torch.autograd.grad((slopes * logp).sum(), stack.weights)[0]
    with torch.no_grad():
        stack.weights.copy_(gradient)
    alone = []
    for policy, own, slope, found in zip(singles, ids, slopes, logp, strict=True):
        full = policy(own[:, :-1]).log_softmax(-1).gather(2, own[:, 1:, None])[:, first:, 0]
        torch.testing.assert_close(found, full, atol=2e-5, rtol=1e-5)
        alone.append(torch.autograd.grad((slope * full).sum(), list(policy.parameters())))
    for policy, expected in zip(stack.unstack(), alone, strict=True):
        for weight, slope in zip(policy.parameters(), expected, strict=True):
            torch.testing.assert_close(weight.detach(), slope, atol=1e-4, rtol=1e-3)


@SHAPES
def test_unstack_gives_back_what_was_stacked(vocabulary, size):
    singles = policies(vocabulary, size)
    before = [{name: weight.clone() for name, weight in policy.state_dict().items()} for policy in singles]
    stack = Stack(singles)
    assert stack.weights.shape == (3, singles[0].parameter_count())
    with torch.no_grad():
        for policy in singles:
            for weight in policy.parameters():
                weight.zero_()
    for policy, start in zip(stack.unstack(), before, strict=True):
        for name, weight in policy.state_dict().items():
            assert torch.equal(weight, start[name]), name


@SHAPES
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("max_rows", [16384, 12, 4])
def test_each_policy_samples_as_it_does_alone(vocabulary, size, temperature, max_rows):
    singles = policies(vocabulary, size)
    options = {"max_tokens": 9, "temperature": temperature}
    found = sample_stack(Stack(singles), PROMPTS, 11, generators=seeded(), max_rows=max_rows, **options)
    for policy, prompts, generator, mine in zip(singles, PROMPTS, seeded(), found, strict=True):
        alone = sample(policy, prompts, 11, generator=generator, **options)
        assert torch.equal(mine.tokens, alone.tokens)
        assert torch.equal(mine.lengths, alone.lengths)
        torch.testing.assert_close(mine.logprobs, alone.logprobs, atol=2e-5, rtol=0)
    assert len({int(mine.lengths.sum()) for mine in found}) > 1


def test_many_samples_are_those_of_the_sampler_that_draws_them_in_blocks(vocabulary, monkeypatch):
    monkeypatch.setattr(sampler, "BLOCK_TOKENS", 80)  # three samples of every prompt at a time
    singles = policies(vocabulary, MULTI_HEAD)
    found = sample_stack(Stack(singles), PROMPTS, 8, max_tokens=7, generators=seeded())
    for policy, prompts, generator, mine in zip(singles, PROMPTS, seeded(), found, strict=True):
        alone = sample(policy, prompts, 8, max_tokens=7, generator=generator)
        assert torch.equal(mine.tokens, alone.tokens) and torch.equal(mine.lengths, alone.lengths)


@SHAPES
def test_long_prompts_are_continued_as_alone(vocabulary, size):
    singles = policies(vocabulary, size)
    prompts = [[[1, *[3, 4, 5] * (22 + member)], [1, *[5, 4] * 34]] for member in range(3)]
    found = sample_stack(Stack(singles), prompts, 4, max_tokens=6, generators=seeded())
    for policy, own, generator, mine in zip(singles, prompts, seeded(), found, strict=True):
        alone = sample(policy, own, 4, generator=generator, max_tokens=6)
        assert torch.equal(mine.tokens, alone.tokens)
        torch.testing.assert_close(mine.logprobs, alone.logprobs, atol=5e-5, rtol=0)


def test_nothing_is_computed_once_all_samples_of_all_policies_ended(vocabulary, monkeypatch):
    """Policies that write eos at once, as their last layer can do nothing but point at it."""
    singles = policies(vocabulary, MULTI_HEAD)
    with torch.no_grad():
        for policy in singles:
            for layer in policy.model.layers:
                layer.self_attn.o_proj.weight.zero_()
                layer.mlp.down_proj.weight.zero_()
            policy.model.embed_tokens.weight.fill_(1.0)[vocabulary.eos_id] = 50.0
            policy.model.norm.weight.fill_(1.0)
    forwards, hidden = [], Stack.hidden
    monkeypatch.setattr(Stack, "hidden", lambda *given, **named: forwards.append(1) or hidden(*given, **named))
    for rollouts in sample_stack(Stack(singles), [[[1, 3]]] * 3, 5, max_tokens=20, generators=seeded()):
        assert rollouts.tokens.tolist() == [[[vocabulary.eos_id]] * 5]
    assert len(forwards) == 1  # the prompt


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompts": PROMPTS[:2]}, "2 prompts for 3 policies; give one a policy"),
        ({"generators": seeded(4)}, "4 generators for 3 policies"),
        ({"prompts": [PROMPTS[0], PROMPTS[1], PROMPTS[2][:1]]}, r"numbers of prompts \[3, 3, 1\] differ"),
        ({"n": 0}, "n=0 must be at least 1"),
        ({"max_tokens": 128}, "exceeds max_positions=128"),
    ],
)
def test_impossible_requests_are_named(vocabulary, change, message):
    arguments = {"prompts": PROMPTS, "n": 2, "max_tokens": 3, "generators": seeded(), **change}
    with pytest.raises(ValueError, match=message):
        sample_stack(Stack(policies(vocabulary, MULTI_HEAD)), **arguments)


def test_only_policies_of_one_shape_are_stacked(vocabulary):
    one, other = lively(vocabulary, MULTI_HEAD, seed=1), lively(vocabulary, GROUPED, seed=1)
    with pytest.raises(ValueError, match="policy 1 has another shape than policy 0"):
        Stack([one, other])
    with pytest.raises(ValueError, match="policy 1 has another precision"):
        Stack([one, lively(vocabulary, MULTI_HEAD, seed=2).double()])
    with pytest.raises(ValueError, match="given twice"):
        Stack([one, one])
    with pytest.raises(ValueError, match="at least one policy"):
        Stack([])
