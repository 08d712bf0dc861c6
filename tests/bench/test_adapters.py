"""Every contestant of this environment on a toy model of two layers: it makes what it is asked for."""

from __future__ import annotations

import pytest

from beyondbase.bench import bound, ours, trainers, transformers_peers, workloads
from beyondbase.policy.sizes import Size

# The peers warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")
TOY = Size(hidden=32, layers=2, heads=2, kv_heads=2, ffn=48)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = workloads.checkpoint(tmp_path_factory.mktemp("bench") / "toy", TOY)
    return {"checkpoint": str(folder), "device": "cpu", "threads": 1, "batches": [8], "games": 64}


@pytest.fixture
def job() -> dict:
    return workloads.sampling(4, workloads.vocabulary().size, rows=8, prompt=6, new=5)


@pytest.mark.parametrize(
    "make", [ours.Sampling, transformers_peers.Generate, transformers_peers.ContinuousBatching, bound.MatrixProducts]
)
def test_samplers_make_every_token(make: type, prepared: dict, job: dict) -> None:
    contestant = make(prepared)
    contestant.tune(job)
    said = contestant.repeat(job)
    assert said["tokens"] == 8 * 5 and said["seconds"] > 0


def test_the_bound_multiplies_every_weight_once(prepared: dict) -> None:
    shapes = bound.MatrixProducts(prepared).shapes
    words = workloads.vocabulary().size
    matrices = 2 * (3 * 32 * 32 + 32 * 32 + 3 * 32 * 48) + words * 32
    assert sum(rows * columns for rows, columns in shapes) == matrices


def test_bandwidth(prepared: dict) -> None:
    said = bound.Bandwidth(prepared | {"mib": 8}).repeat({})
    assert said["bytes"] == 8 * 2**20 and said["seconds"] > 0


def test_a_grpo_step_of_ours_learns_from_every_rollout(prepared: dict, job: dict) -> None:
    contestant = ours.GRPOStep(prepared)
    before = contestant.policy.lm_head.weight.clone()
    said = contestant.repeat(job)
    assert said["tokens"] == 8 * 5 and 0 < said["rollout_seconds"] < said["seconds"]
    assert not before.equal(contestant.policy.lm_head.weight)


def test_a_grpo_step_of_trl(prepared: dict, job: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainers, "SPLITS", (2,))
    contestant = trainers.GRPO(prepared)
    assert contestant.tune(job)["accumulation"] == 2
    said = contestant.repeat(job)
    contestant.stepper.stop()
    assert said["tokens"] == 8 * 5 and 0 < said["rollout_seconds"] < said["seconds"]


def test_both_trainings_read_the_same_games(prepared: dict) -> None:
    job = {"batch": 8, "steps": 2}
    mine, theirs = ours.Pretraining(prepared), trainers.Pretraining(prepared)
    assert mine.games == theirs.games and len(mine.games) == 64
    mine.tune(job), theirs.tune(job)
    mine.place = theirs.place = 0
    first, second = mine.repeat(job), theirs.repeat(job)
    theirs.stepping.stop()
    assert first["tokens"] == second["tokens"] == workloads.tokens(mine.games[:16])


def test_a_padded_batch_has_its_loss_on_completions_only() -> None:
    made = trainers.collate([{"prompt": [1, 5], "completion": [6, 2]}, {"prompt": [1], "completion": [2]}])
    assert made["labels"].tolist() == [[-100, -100, 6, 2], [-100, 2, -100, -100]]
    assert made["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


def test_exact_counts_the_solutions(prepared: dict) -> None:
    said = ours.Exact(prepared).repeat({"problems": 3})
    task = workloads.task()
    expected = sum(map(len, task.solution_ids(task.problems(3, split="test", seed=0))))
    assert said["solutions"] == expected and 0 < said["enumeration_seconds"] < said["seconds"]
