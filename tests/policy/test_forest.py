"""Forests say what their texts say, and their log-probabilities and gradients are those of the plain forward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_policies import GROUPED, MULTI_HEAD, lively

from beyondbase.policy import native_forest
from beyondbase.policy.forest import as_texts, block_texts, forests
from beyondbase.policy.native_forest import NativeForests, add_gradient, flat_weights
from beyondbase.policy.sampler import sample
from beyondbase.policy.scoring import text_logprobs
from beyondbase.policy.sizes import Size
from beyondbase.tasks.vocabulary import SPECIALS, Vocabulary

compiled = pytest.mark.skipif(native_forest._engine() is None, reason="no C compiler")
SIZES = [
    MULTI_HEAD,
    GROUPED,
    Size(hidden=64, layers=2, heads=4, kv_heads=2, ffn=72),  # heads of 16
    Size(hidden=64, layers=2, heads=2, kv_heads=1, ffn=64),  # heads of 32
    Size(hidden=128, layers=1, heads=2, kv_heads=2, ffn=50),  # heads of 64
    Size(hidden=72, layers=2, heads=3, kv_heads=1, ffn=33),  # heads of 24: no whole number of registers anywhere
]
WAYS = [(10**6, 1, False), (10**6, 1, True), (40, 1, True), (10**6, 3, True), (1, 1, False)]

texts_of = st.lists(
    st.tuples(st.lists(st.integers(3, 4), min_size=1, max_size=4), st.lists(st.integers(2, 4), min_size=1, max_size=6)),
    min_size=1,
    max_size=12,
)


def random_texts(seed: int, count: int = 14, words: int = 2):
    """Prompts of unequal length, one of them long, with up to three completions each; few words, so much is shared."""
    rng = np.random.default_rng(seed)
    prompts, completions = [], []
    for i in range(count):
        prompt = [1, *rng.integers(3, 3 + words, 40 if i == 4 else rng.integers(0, 5)).tolist()]
        for _ in range(rng.integers(1, 4)):
            prompts.append(prompt)
            completions.append([*rng.integers(3, 3 + words, rng.integers(0, 30)).tolist(), 2])
    return prompts, completions


def words_of(count: int) -> Vocabulary:
    return Vocabulary(tokens=(*SPECIALS, *(f"w{i}" for i in range(count - len(SPECIALS)))), pattern=r"\S+")


def plain(policy, prompts, completions) -> torch.Tensor:
    """Each text alone, through the forward that everything else is measured against."""
    parts = []
    for prompt, completion in zip(prompts, completions, strict=True):
        logits = policy(torch.tensor([[*prompt, *completion]]))[0, len(prompt) - 1 : -1]
        parts.append(logits.log_softmax(-1).gather(1, torch.tensor(completion)[:, None])[:, 0])
    return torch.cat(parts)


@given(texts_of, st.integers(1, 30), st.integers(1, 3), st.booleans())
def test_every_wanted_token_is_predicted_once_from_its_own_context(pairs, limit, parts, share):
    prompts, completions = zip(*pairs, strict=True)
    wanted = [
        ((*prompt, *completion[:place]), completion[place])
        for prompt, completion in pairs
        for place in range(len(completion))
    ]
    found = {}
    for forest in forests(as_texts(prompts, completions), limit, parts, share):
        contexts, stack = [], []
        for token, position in zip(forest.tokens.tolist(), forest.positions.tolist(), strict=True):
            assert position <= len(stack)
            stack = [*stack[:position], token]
            contexts.append(tuple(stack))
        if share:
            assert len(set(contexts)) == len(contexts)
        for place, pair in zip(forest.places.tolist(), forest.pair.tolist(), strict=True):
            assert place not in found
            found[place] = contexts[forest.sources[pair]], int(forest.targets[pair])
    assert [found[place] for place in range(len(wanted))] == wanted


def test_forests_are_as_small_and_as_even_as_asked_for():
    prompts, completions = random_texts(0, 60, words=9)
    parts = forests(as_texts(prompts, completions), 200, 1)
    sizes = [len(forest.tokens) for forest in parts]
    assert len(sizes) > 3 and max(sizes) < 200 + 70 and min(sizes) > 100
    assert len(forests(as_texts(prompts, completions), 10**6, 4)) == 4


def test_blocks_are_the_texts_of_their_rows():
    prompts = [[1, 3], [1, 4, 5], [1]]
    blocks = [np.array([[3, 2], [4, 2]]), np.zeros((0, 7), int), np.array([[5, 5, 2]])]
    one, other = block_texts(prompts, blocks), as_texts([[1, 3], [1, 3], [1]], [[3, 2], [4, 2], [5, 5, 2]])
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_an_empty_completion_is_named():
    with pytest.raises(ValueError, match="completion of problem 1 is empty"):
        as_texts([[1], [1]], [[2], []])


@compiled
@pytest.mark.parametrize(("size", "words"), list(zip(SIZES, (6, 37, 32, 17, 70, 101), strict=True)))
def test_log_probabilities_and_gradients_are_those_of_the_plain_forward(size, words):
    policy = lively(words_of(words), size, seed=1)
    prompts, completions = random_texts(2)
    texts, parameters = as_texts(prompts, completions), list(policy.parameters())
    expected = plain(policy, prompts, completions)
    slopes = torch.randn(texts.wanted, generator=torch.Generator().manual_seed(3))
    gradients = torch.autograd.grad((expected * slopes).sum(), parameters)
    engine = NativeForests(policy, flat_weights(policy))
    for way in WAYS:
        parts, scored, trained = forests(texts, *way), torch.zeros(texts.wanted), torch.zeros(texts.wanted)
        engine.logprobs(parts, scored)
        loss, slope = engine.gradient(parts, lambda logp, places: (logp * slopes[places]).sum(), trained)
        torch.testing.assert_close(scored, expected.detach(), atol=1e-5, rtol=0)
        torch.testing.assert_close(trained, scored, atol=1e-6, rtol=0)
        assert loss == pytest.approx((expected * slopes).sum().item(), abs=1e-3)
        policy.zero_grad()
        add_gradient(policy, slope)
        for parameter, theirs in zip(parameters, gradients, strict=True):
            assert (parameter.grad - theirs).norm() <= 1e-4 * theirs.norm()


@compiled
def test_an_id_outside_the_vocabulary_is_named(vocabulary):
    policy = lively(vocabulary, GROUPED, seed=1)
    parts = forests(as_texts([[1, 3]], [[99, 2]]), 100, 1)
    with pytest.raises(ValueError, match="token ids from 1 to 99; the vocabulary has 0 to 5"):
        NativeForests(policy, flat_weights(policy)).logprobs(parts, torch.zeros(2))


@compiled
def test_gradient_by_finite_differences(vocabulary):
    """Along one random direction of all weights; the step balances rounding against curvature."""
    policy = lively(vocabulary, GROUPED, seed=4)
    texts = as_texts(*random_texts(5))
    parts = forests(texts, 10**6, 1)
    weights = flat_weights(policy)
    direction = torch.randn(weights.shape, generator=torch.Generator().manual_seed(6))

    def loss(step: float) -> float:
        out = torch.zeros(texts.wanted)
        NativeForests(policy, weights + step * direction).logprobs(parts, out)
        return out.double().mean().item()

    _, slope = NativeForests(policy, weights).gradient(
        parts, lambda logp, _: logp.sum() / texts.wanted, torch.zeros(texts.wanted)
    )
    assert (loss(1e-3) - loss(-1e-3)) / 2e-3 == pytest.approx((slope * direction).sum().item(), rel=1e-2)


@compiled
def test_the_sampler_gives_the_log_probabilities_of_training(vocabulary):
    """A mismatch of the two is what silently breaks policy optimisation."""
    policy = lively(vocabulary, GROUPED, seed=7)
    prompts = [[1, 3, 4], [1, 5], [1, 4, 4]]
    drawn = sample(policy, prompts, 6, max_tokens=9, generator=torch.Generator().manual_seed(8))
    rows = [(i, j, length) for i, row in enumerate(drawn.lengths.tolist()) for j, length in enumerate(row)]
    texts = as_texts([prompts[i] for i, _, _ in rows], [drawn.tokens[i, j, :n].tolist() for i, j, n in rows])
    out = torch.zeros(texts.wanted)
    NativeForests(policy, flat_weights(policy)).logprobs(forests(texts, 100, 1), out)
    torch.testing.assert_close(torch.cat([drawn.logprobs[i, j, :n] for i, j, n in rows]), out, atol=1e-5, rtol=0)
    torch.testing.assert_close(text_logprobs(policy, texts).detach(), out, atol=1e-5, rtol=0)
