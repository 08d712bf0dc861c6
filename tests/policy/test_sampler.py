"""The sampler against full forwards of `transformers` and against exact probabilities."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import product

import pytest
import torch
from scipy.stats import chisquare
from small_policies import GROUPED, MULTI_HEAD, SHAPES, in_transformers, lively, reference_logprobs

from beyondbase.policy import native_sampler, sampler
from beyondbase.policy.sampler import sample, sample_blocks
from beyondbase.policy.torch_sampler import draw, survivors


@contextmanager
def using_threads(count: int):
    former = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(former)


PROMPTS = [[1, 3, 4, 3], [1, 5], [1, 4, 4, 5], [1]]
EOS = 2


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@SHAPES
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_logprobs_are_those_of_a_full_forward(vocabulary, size, temperature):
    policy = lively(vocabulary, size, seed=1)
    rollouts = sample(policy, PROMPTS, 24, max_tokens=12, generator=seeded(), temperature=temperature)
    assert rollouts.lengths.min() < 3 and rollouts.lengths.max() == 12  # rows do leave the batch early
    model = in_transformers(policy)
    with torch.no_grad():
        for i, prompt in enumerate(PROMPTS):
            for tokens, logp, length in zip(*(field[i] for field in rollouts), strict=True):
                expected = reference_logprobs(model, prompt, tokens[:length].tolist(), temperature)
                torch.testing.assert_close(logp[:length], expected, atol=2e-5, rtol=0)
                assert (logp[length:] == 0).all() and (tokens[length:] == vocabulary.pad_id).all()
                assert tokens[length - 1] == EOS or length == 12
                assert EOS not in tokens[: length - 1]


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_frequencies_match_exact_probabilities(vocabulary, temperature):
    policy = lively(vocabulary, MULTI_HEAD, seed=2)
    prompt, length, count = [1, 3], 3, 20000
    ended = [(*body, EOS) for k in range(length) for body in product([0, 1, 3, 4, 5], repeat=k)]
    unended = list(product([0, 1, 3, 4, 5], repeat=length))
    model = in_transformers(policy)
    with torch.no_grad():
        exact = {c: reference_logprobs(model, prompt, list(c), temperature).sum().exp().item() for c in ended + unended}
    assert sum(exact.values()) == pytest.approx(1, abs=1e-5)

    rollouts = sample(policy, [prompt], count, max_tokens=length, generator=seeded(3), temperature=temperature)
    observed = dict.fromkeys(exact, 0)
    for tokens, n in zip(rollouts.tokens[0].tolist(), rollouts.lengths[0].tolist(), strict=True):
        observed[tuple(tokens[:n])] += 1
    common = [c for c, p in exact.items() if p * count >= 5]
    rare = count - sum(observed[c] for c in common)
    expected = [exact[c] * count for c in common]
    statistic = chisquare([observed[c] for c in common] + [rare], expected + [count - sum(expected)])
    assert len(common) > 50 and statistic.pvalue > 1e-3


@SHAPES
def test_a_row_does_not_depend_on_how_the_work_is_cut(vocabulary, size):
    policy = lively(vocabulary, size, seed=4)
    whole = sample(policy, PROMPTS, 9, max_tokens=10, generator=seeded(5))
    for max_batch in (1, 4, 9, 20):
        parts = sample(policy, PROMPTS, 9, max_tokens=10, generator=seeded(5), max_batch=max_batch)
        assert torch.equal(parts.tokens, whole.tokens)
        assert torch.equal(parts.lengths, whole.lengths)
        torch.testing.assert_close(parts.logprobs, whole.logprobs, atol=1e-5, rtol=0)


def test_the_generator_decides(vocabulary):
    policy = lively(vocabulary, GROUPED, seed=6)
    first, again, other = (sample(policy, PROMPTS, 16, max_tokens=8, generator=seeded(s)) for s in (7, 7, 8))
    assert torch.equal(first.tokens, again.tokens) and torch.equal(first.logprobs, again.logprobs)
    assert not torch.equal(first.tokens, other.tokens)
    assert len({tuple(row) for row in first.tokens[0].tolist()}) > 1


def test_rollouts_may_enter_a_loss(vocabulary):
    rollouts = sample(lively(vocabulary, GROUPED, seed=9), [[1]], 4, max_tokens=4, generator=seeded())
    weight = torch.ones((), requires_grad=True)
    (weight * rollouts.logprobs).sum().backward()
    assert weight.grad == rollouts.logprobs.sum()


@SHAPES
@pytest.mark.parametrize("top_p", [1.0, 0.7])
def test_the_compiled_loop_equals_the_plain_path(vocabulary, size, top_p, monkeypatch):
    policy = lively(vocabulary, size, seed=12)
    options = {"max_tokens": 20, "temperature": 0.8, "top_p": top_p}
    if not native_sampler.available(policy):
        pytest.skip("no C compiler here")
    for threads in (1, 2):
        with using_threads(threads):
            fast = sample(policy, PROMPTS, 70, generator=seeded(13), **options)
        with monkeypatch.context() as patch:
            patch.setenv("BEYONDBASE_NATIVE", "0")
            assert not native_sampler.available(policy)
            plain = sample(policy, PROMPTS, 70, generator=seeded(13), **options)
        same = (fast.tokens == plain.tokens).all(-1) if fast.tokens.shape == plain.tokens.shape else torch.tensor(0.0)
        assert same.float().mean() > 0.99  # a draw on the very boundary may differ
        torch.testing.assert_close(fast.logprobs[same], plain.logprobs[same], atol=2e-5, rtol=0)


@pytest.mark.parametrize("native", ["0", "1"])
def test_top_p_draws_from_the_smallest_set_that_reaches_it(vocabulary, native, monkeypatch):
    monkeypatch.setenv("BEYONDBASE_NATIVE", native)
    policy = lively(vocabulary, GROUPED, seed=14)
    with torch.no_grad():
        exact = policy(torch.tensor([[1, 3]]))[0, -1].softmax(-1)
    ranked = exact.sort(descending=True)
    kept = ranked.indices[: int((ranked.values.cumsum(0) < 0.6).sum()) + 1].tolist()
    rollouts = sample(policy, [[1, 3]], 4000, max_tokens=1, generator=seeded(15), top_p=0.6)
    assert set(rollouts.tokens.flatten().tolist()) == set(kept) and 1 < len(kept) < vocabulary.size
    expected = (exact / exact[kept].sum()).log()[rollouts.tokens]
    torch.testing.assert_close(rollouts.logprobs, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("native", ["0", "1"])
def test_the_stop_token_is_the_callers(vocabulary, native, monkeypatch):
    monkeypatch.setenv("BEYONDBASE_NATIVE", native)
    policy = lively(vocabulary, MULTI_HEAD, seed=16)
    stopped = sample(policy, [[1, 3]], 200, max_tokens=12, generator=seeded(17), stop_id=4)
    endless = sample(policy, [[1, 3]], 200, max_tokens=12, generator=seeded(17), ignore_eos=True)
    assert (endless.lengths == 12).all() and (endless.tokens == EOS).any()
    for row, length, whole in zip(
        stopped.tokens[0].tolist(), stopped.lengths[0].tolist(), endless.tokens[0].tolist(), strict=True
    ):
        assert row[:length] == whole[:length]
        assert 4 not in row[: length - 1] and (row[length - 1] == 4 or length == 12)


def test_blocks_are_the_whole_and_bounded(vocabulary, monkeypatch):
    policy = lively(vocabulary, GROUPED, seed=18)
    monkeypatch.setattr(sampler, "BLOCK_TOKENS", 4 * 30 * 10)
    blocks = list(sample_blocks(policy, PROMPTS, 100, max_tokens=10, generator=seeded(19)))
    assert [block.lengths.shape[1] for block in blocks] == [30, 30, 30, 10]
    whole = sample(policy, PROMPTS, 100, max_tokens=10, generator=seeded(19))
    assert torch.equal(torch.cat([block.lengths for block in blocks], 1), whole.lengths)
    for block, first in zip(blocks, range(0, 100, 30), strict=True):
        part = whole.tokens[:, first : first + 30, : block.tokens.shape[2]]
        assert torch.equal(block.tokens, part)


@pytest.mark.parametrize("native", ["0", "1"])
def test_rows_that_cannot_fit_the_memory_are_split(vocabulary, native, monkeypatch):
    monkeypatch.setenv("BEYONDBASE_NATIVE", native)
    policy = lively(vocabulary, MULTI_HEAD, seed=20)
    whole = sample(policy, PROMPTS, 9, max_tokens=10, generator=seeded(21))
    monkeypatch.setattr(sampler, "CACHE_BYTES", 1)  # not even one row: it is tried all the same
    assert torch.equal(sample(policy, PROMPTS, 9, max_tokens=10, generator=seeded(21)).tokens, whole.tokens)


def test_draw_inverts_the_distribution():
    probabilities = torch.tensor([0.0, 0.25, 0.0, 0.5, 0.25, 0.0])
    uniform = (torch.arange(1000) + 0.5) / 1000
    tokens, logp = draw(probabilities.log()[:, None].expand(-1, 1000), uniform)
    assert torch.bincount(tokens, minlength=6).tolist() == [0, 250, 0, 500, 250, 0]
    torch.testing.assert_close(logp, probabilities[tokens].log())
    edges, _ = draw(probabilities.log()[:, None].expand(-1, 2), torch.tensor([0.0, 1 - 2**-24]))
    assert edges.tolist() == [1, 4]


def test_survivors_keep_every_live_row():
    generator = seeded(10)
    for share in (0.9, 0.5, 0.1, 0.01):
        live = torch.rand(7, 30, generator=generator) < share
        keep = survivors(live)
        if keep is None:
            assert live.float().mean() > 0.5
            continue
        prompts, rows = keep
        assert live[prompts[:, None], rows].sum() == live.sum()
        assert all(len(set(row)) == len(row) for row in rows.tolist())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 0}, "n=0 must be at least 1"),
        ({"max_tokens": 0}, "max_tokens=0"),
        ({"max_batch": 0}, "max_batch=0"),
        ({"temperature": 0.0}, "temperature=0.0 must be positive"),
        ({"temperature": float("nan")}, "temperature=nan must be positive"),
        ({"prompts": []}, "prompts"),
        ({"prompts": [[1], []]}, "empty prompt"),
        ({"prompts": [[1], [1, 99]]}, "token 99 of a prompt is not in the vocabulary of 6"),
        ({"top_p": 0.0}, "top_p=0.0 must be above 0"),
        ({"stop_id": 6}, "stop_id=6 is not a token: the vocabulary has 6"),
        ({"max_tokens": 128}, "129 tokens exceeds max_positions=128"),
    ],
)
def test_impossible_requests_are_named(vocabulary, change, message):
    policy = lively(vocabulary, MULTI_HEAD, seed=11)
    arguments = {"prompts": [[1]], "n": 2, "max_tokens": 3, "generator": seeded(), **change}
    with pytest.raises(ValueError, match=message):
        sample(policy, **arguments)
