"""Muon against torch's own, and what a step does with gradients that are not numbers."""

from __future__ import annotations

import pytest
import torch

from beyondbase.policy.model import Policy
from beyondbase.policy.sizes import Size
from beyondbase.tasks import Countdown
from beyondbase.train.guards import NonFinite
from beyondbase.train.optimiser import Muon, adamw, descend, muon, orthogonalised


@pytest.fixture
def policy() -> Policy:
    size = Size(hidden=16, layers=1, heads=2, kv_heads=1, ffn=24)
    return Policy.init(Countdown(operands=(2,)).vocabulary, size, seed=1)


def test_muon_takes_the_steps_of_torch():
    """torch computes the orthogonalisation in bfloat16, one matrix at a time: equal to about 1 %."""
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in ((8, 8), (24, 8), (8, 24), (8, 8))]
    ours, theirs = ([torch.nn.Parameter(matrix.clone()) for matrix in start] for _ in "ab")
    one = Muon(ours, lr=0.01, weight_decay=0.1)
    other = torch.optim.Muon(theirs, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        one.step()
        other.step()
    for matrix, a, b in zip(start, ours, theirs, strict=True):
        assert (a - b).norm() < 0.02 * (b - matrix).norm()


def test_orthogonalised_keeps_directions_and_levels_singular_values():
    """U S V^T has the singular vectors of its input; values spread over a factor 20 end close together."""
    generator = torch.Generator().manual_seed(1)
    u, _ = torch.linalg.qr(torch.randn(6, 6, generator=generator))
    v, _ = torch.linalg.qr(torch.randn(9, 6, generator=generator))
    values = torch.linspace(0.05, 1.0, 6)
    found = u.T @ orthogonalised((u * values @ v.T)[None])[0] @ v
    levelled = found.diagonal()
    assert levelled.min() > 0.6 and levelled.max() < 1.3
    assert (found - levelled.diag()).abs().max() < 1e-4


@pytest.mark.parametrize("build", [adamw, muon])
def test_every_weight_has_exactly_one_optimiser(policy, build):
    held = [id(w) for o in build(policy, 1e-3, 0.01) for group in o.param_groups for w in group["params"]]
    assert sorted(held) == sorted(id(w) for w in policy.parameters())


@pytest.mark.parametrize("build", [adamw, muon])
def test_weight_decay_spares_gains_and_biases(policy, build):
    """With gradients of 0 only the decay moves anything."""
    before = {name: weight.detach().clone() for name, weight in policy.named_parameters()}
    for weight in policy.parameters():
        weight.grad = torch.zeros_like(weight)
    descend(build(policy, 1e-2, weight_decay=0.5), policy, 1e-2, step=1)
    for name, weight in policy.named_parameters():
        expected = before[name] * (1 - 1e-2 * 0.5) if weight.ndim == 2 else before[name]
        torch.testing.assert_close(weight.detach(), expected)


def test_a_gradient_that_is_not_a_number_leaves_the_weights_alone(policy):
    before = {name: weight.detach().clone() for name, weight in policy.named_parameters()}
    for weight in policy.parameters():
        weight.grad = torch.full_like(weight, 1.0)
    policy.model.norm.weight.grad[0] = float("nan")
    with pytest.raises(NonFinite, match="step 7: gradient norm is nan; likely fix: lower learning_rate"):
        descend(muon(policy, 1e-2, 0.0), policy, 1e-2, step=7)
    for name, weight in policy.named_parameters():
        assert torch.equal(weight.detach(), before[name])
