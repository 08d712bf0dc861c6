"""One gradient, however the texts are divided and whoever computes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from beyondbase.policy import native_forest
from beyondbase.policy.forest import as_texts
from beyondbase.policy.model import Policy
from beyondbase.policy.sizes import Size
from beyondbase.tasks import Countdown
from beyondbase.train import gradient as module
from beyondbase.train.gradient import gradient

TASK = Countdown(operands=(2, 3, 4))


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.init(TASK.vocabulary, Size(hidden=32, layers=2, heads=2, kv_heads=1, ffn=40), seed=1)


@pytest.fixture(scope="module")
def texts():
    return as_texts(*TASK.encoded_games(40, "train", np.random.default_rng(2)))


@pytest.fixture(params=["native", "plain"])
def path(request, monkeypatch):
    """Both ways of computing."""
    monkeypatch.setenv("BEYONDBASE_NATIVE", "1" if request.param == "native" else "0")
    if request.param == "native" and native_forest._engine() is None:
        pytest.skip("no C compiler")
    return request.param


def computed(policy, texts, share=True):
    """Loss, log-probabilities and gradients of a loss in which every token weighs something else."""
    weights = torch.linspace(-1, 2, texts.wanted)
    for parameter in policy.parameters():
        parameter.grad = None
    loss, logp = gradient(policy, texts, lambda logp, places: (logp.exp() * weights[places]).sum(), share)
    return loss, logp, [parameter.grad for parameter in policy.parameters()]


@pytest.fixture(scope="module")
def expected(policy, texts):
    """Autograd through one forward over whole, padded texts."""
    logp = policy(torch.from_numpy(texts.ids.astype(np.int64)))[:, :-1].log_softmax(-1)
    inside = torch.from_numpy(texts.inside())
    logp = logp.gather(2, torch.from_numpy(texts.ids.astype(np.int64))[:, 1:, None])[..., 0][inside[:, 1:]]
    loss = (logp.exp() * torch.linspace(-1, 2, texts.wanted)).sum()
    return loss.item(), logp.detach(), torch.autograd.grad(loss, list(policy.parameters()))


def check(found, expected):
    assert found[0] == pytest.approx(expected[0], rel=1e-4)
    torch.testing.assert_close(found[1], expected[1], atol=1e-5, rtol=0)
    for mine, theirs in zip(found[2], expected[2], strict=True):
        assert (mine - theirs).norm() <= 1e-4 * theirs.norm() + 1e-9


@pytest.mark.parametrize("share", [True, False])
def test_same_as_autograd_through_the_plain_forward(policy, texts, expected, path, share):
    check(computed(policy, texts, share), expected)


@pytest.mark.parametrize("tokens", [1, 50, 300])
def test_any_size_of_the_parts(policy, texts, expected, path, tokens, monkeypatch):
    monkeypatch.setattr(native_forest, "tokens_at_once", lambda *_: tokens)
    monkeypatch.setattr(module, "TOKENS", tokens)
    check(computed(policy, texts), expected)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads(policy, texts, expected, threads):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        first, second = computed(policy, texts), computed(policy, texts)
    finally:
        torch.set_num_threads(before)
    check(first, expected)
    assert all(torch.equal(one, other) for one, other in zip(first[2], second[2], strict=True))


def test_gradients_add_up(policy, texts, path):
    _, _, once = computed(policy, texts)
    once = [slope.clone() for slope in once]
    weights = torch.linspace(-1, 2, texts.wanted)
    gradient(policy, texts, lambda logp, places: (logp.exp() * weights[places]).sum())
    for parameter, slope in zip(policy.parameters(), once, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * slope, rtol=1e-4, atol=1e-6)


def test_texts_that_do_not_fit_are_refused(policy, path):
    with pytest.raises(ValueError, match="exceeds max_positions=128"):
        gradient(policy, as_texts([[1] * 100], [[3] * 40]), lambda logp, _: logp.sum())
