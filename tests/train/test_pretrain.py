"""Next-token training: what is learnt from, how much, and that it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from beyondbase.policy.forest import as_texts
from beyondbase.policy.model import Policy
from beyondbase.policy.scoring import sequence_logprobs
from beyondbase.policy.sizes import Size
from beyondbase.tasks import Countdown
from beyondbase.train import NonFinite, pretrain
from beyondbase.train.batches import length_groups
from beyondbase.train.pretrain import FINAL_RATE, WARM_UP, accumulate, batches, rate_at


def test_loss_falls_to_a_fraction(trained):
    losses = [row["loss"] for row in trained[1]]
    assert losses[0] > 3.0
    assert max(losses[-5:]) < 0.5


def test_loss_is_the_mean_over_completion_tokens_only():
    """Recomputed text by text with the scorer, whose forward is another one; mixed lengths, so that rows are padded."""
    task = Countdown(operands=(2, 3, 4))
    policy = Policy.init(task.vocabulary, Size(hidden=16, layers=1, heads=2, kv_heads=2, ffn=24), seed=3)
    prompts, completions = task.encoded_games(50, "train", np.random.default_rng(1))
    found = accumulate(policy, as_texts(prompts, completions))
    pairs = zip(prompts, completions, strict=True)
    total = sum(sequence_logprobs(policy, prompt, [completion])[0] for prompt, completion in pairs)
    assert found == pytest.approx(-total / sum(map(len, completions)), rel=1e-5)


def test_tokens_count_prompts_and_the_run_stops_once_they_are_reached(task, fresh):
    """A game of two operands has 6 + 6 tokens."""
    history = pretrain(fresh, task, tokens=1000, batch_size=16, learning_rate=1e-3, seed=1, progress=False)
    assert [row["tokens"] for row in history] == [16 * 12 * step for step in range(1, 7)]
    frame = history.to_frame()
    assert list(frame.columns) == ["step", "tokens", "loss", "gradient_norm", "learning_rate"]
    assert frame["step"].tolist() == list(range(1, 7))


def test_games_come_from_the_train_split():
    """A batch read back to problems: numbers in any order and target, as ids."""
    task = Countdown(operands=(3,), max_number=4, max_value=20)

    def identity(ids):
        return (*sorted(ids[1:4]), ids[5])

    known = {
        split: {identity(task.prompt_ids(problem)) for problem in task.problems(15, split=split, seed=1)}
        for split in ("train", "test")
    }
    stream = batches(task, 64, seed=1)
    met = {identity(row) for _ in range(20) for row in next(stream).ids.tolist()}
    assert not met & known["test"]
    assert len(met & known["train"]) > 10


def test_same_seed_same_weights_and_another_seed_another(task, fresh):
    start = {name: weight.clone() for name, weight in fresh.state_dict().items()}
    results = []
    for seed in (5, 5, 6):
        fresh.load_state_dict(start)
        history = pretrain(fresh, task, tokens=2000, batch_size=32, learning_rate=4e-3, seed=seed, progress=False)
        results.append((torch.cat([weight.flatten() for weight in fresh.parameters()]).detach(), history))
    assert torch.equal(results[0][0], results[1][0]) and results[0][1] == results[1][1]
    assert not torch.equal(results[0][0], results[2][0])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(1, 12))
def test_length_groups_partition_and_pad_only_small_groups(lengths, smallest):
    groups = length_groups(lengths, smallest)
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(lengths)))
    ranked = [[lengths[row] for row in group] for group in groups]
    assert sum(ranked, []) == sorted(lengths, reverse=True)
    for group, following in zip(ranked, ranked[1:], strict=False):
        assert len(group) >= smallest and following[0] < group[0]
        assert group[smallest - 1 :] in ([group[-1]] * (len(group) - smallest + 1),) or group[0] == group[-1]


def test_learning_rate_rises_falls_and_ends_at_a_tenth():
    assert rate_at(0.0, 0.001) == pytest.approx(0.001 / WARM_UP)
    assert rate_at(WARM_UP) == pytest.approx(1.0)
    assert rate_at((1 + WARM_UP) / 2) == pytest.approx((1 + FINAL_RATE) / 2)
    assert rate_at(1.0) == pytest.approx(FINAL_RATE)
    falling = [rate_at(done) for done in np.linspace(WARM_UP, 1, 50)]
    assert falling == sorted(falling, reverse=True)


def test_a_weight_that_is_not_a_number_is_reported_at_once(task, fresh):
    with torch.no_grad():
        fresh.model.norm.weight[3] = math.nan
    with pytest.raises(NonFinite, match="step 1: loss is nan; likely fix: lower learning_rate") as caught:
        pretrain(fresh, task, tokens=1000, batch_size=16, learning_rate=1e-3, seed=1, progress=False)
    assert caught.value.step == 1 and caught.value.quantity == "loss"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": 0}, "tokens=0: .*at least 1"),
        ({"batch_size": 0}, "batch_size=0: .*at least 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: .*above 0"),
        ({"learning_rate": math.nan}, "learning_rate=nan: .*above 0"),
    ],
)
def test_impossible_arguments(task, fresh, change, message):
    arguments = {"tokens": 1000, "batch_size": 16, "learning_rate": 1e-3, "seed": 1, "progress": False} | change
    with pytest.raises(ValueError, match=message):
        pretrain(fresh, task, **arguments)


def test_progress_goes_to_stderr_and_only_when_asked(task, fresh, capsys):
    for progress in (False, True):
        pretrain(fresh, task, tokens=300, batch_size=16, learning_rate=1e-3, seed=1, progress=progress)
        out, err = capsys.readouterr()
        assert out == "" and ("pre-training" in err) == progress
