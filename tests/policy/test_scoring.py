"""Scores of given completions against full forwards."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from small_policies import GROUPED, MULTI_HEAD, SHAPES, in_transformers, lively, reference_logprobs

from beyondbase.policy import scoring
from beyondbase.policy.forest import as_texts
from beyondbase.policy.scoring import sequence_logprobs, solution_logprobs, text_logprobs

PROMPTS = [[1, 3, 4], [1, 5], [1, 4, 4], [1, 3, 4]]


def random_completions(rng: np.random.Generator, count: int, length: int) -> np.ndarray:
    """Few distinct tokens, so that many begin alike; always ending in eos."""
    body = rng.choice([3, 3, 3, 4], size=(count, length - 1))
    return np.column_stack([body, np.full(count, 2)])


@SHAPES
@pytest.mark.parametrize("segment", [1, 2, 5, 100, None])
def test_solutions_score_as_in_a_full_forward(vocabulary, size, segment, monkeypatch):
    """On the torch path with its segments, and by compiled loops."""
    if segment:
        monkeypatch.setenv("BEYONDBASE_NATIVE", "0")
        monkeypatch.setattr(scoring, "SEGMENT", segment)
    policy = lively(vocabulary, size, seed=1)
    rng = np.random.default_rng(2)
    completions = [random_completions(rng, *shape) for shape in ((6, 7), (4, 7), (5, 4), (1, 1))]
    model = in_transformers(policy)
    for batch_tokens in (1, 30, 100000):
        scores = solution_logprobs(policy, PROMPTS, completions, batch_tokens)
        for prompt, block, row in zip(PROMPTS, completions, scores, strict=True):
            with torch.no_grad():
                expected = [reference_logprobs(model, prompt, c).double().sum().item() for c in block.tolist()]
            assert row.dtype == np.float64
            np.testing.assert_allclose(row, expected, atol=2e-5)


def test_completions_of_one_prompt_may_differ_in_length(vocabulary):
    policy = lively(vocabulary, GROUPED, seed=3)
    completions = [[3, 2], [2], [3, 4, 5, 2], [4, 2], [3, 2]]
    model = in_transformers(policy)
    with torch.no_grad():
        expected = [reference_logprobs(model, [1, 4], c).sum().item() for c in completions]
    np.testing.assert_allclose(sequence_logprobs(policy, [1, 4], completions), expected, atol=2e-5)


@SHAPES
def test_long_contexts_score_as_in_a_full_forward(vocabulary, size):
    policy = lively(vocabulary, size, seed=10)
    prompt, completion = [1, *[3, 4, 5] * 25], [4, 3, 5, 5, 3, 4, 4, 2]
    with torch.no_grad():
        expected = reference_logprobs(in_transformers(policy), prompt, completion)
    assert sequence_logprobs(policy, prompt, [completion])[0] == pytest.approx(expected.sum().item(), abs=2e-5)
    logp = text_logprobs(policy, as_texts([prompt], [completion]))
    torch.testing.assert_close(logp, expected, atol=1e-5, rtol=0)


def test_probabilities_of_everything_sum_to_one(vocabulary):
    policy = lively(vocabulary, MULTI_HEAD, seed=4)
    words = [0, 1, 3, 4, 5]
    everything = [[*body, 2] for k in range(4) for body in product(words, repeat=k)]
    everything += [list(body) for body in product(words, repeat=4)]
    assert np.exp(sequence_logprobs(policy, [1, 3], everything)).sum() == pytest.approx(1, abs=1e-5)


def test_problems_without_solutions_are_allowed_and_empty_ones_are_not(vocabulary):
    policy = lively(vocabulary, MULTI_HEAD, seed=5)
    scores = solution_logprobs(policy, [[1, 3], [1, 4]], [np.zeros((0, 5), dtype=int), np.array([[3, 2]])])
    assert [len(s) for s in scores] == [0, 1]
    assert len(sequence_logprobs(policy, [1], [])) == 0
    with pytest.raises(ValueError, match="problem 0"):
        sequence_logprobs(policy, [1], [[]])
    with pytest.raises(ValueError, match="exceeds max_positions=128"):
        sequence_logprobs(policy, [1], [[3] * 129])
