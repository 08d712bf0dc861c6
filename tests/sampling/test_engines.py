"""Engines: what they draw has the exact probabilities, and depends on the seed of the sample alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from frequencies import PROBLEMS, SAMPLES, TASK, chi_square, drawn, engine_of, forced, jobs_of

from beyondbase.sampling import vllm_backend
from beyondbase.sampling.backends import start
from beyondbase.sampling.text import Text, check_model, revision_of
from beyondbase.sampling.transformers_backend import inverse_cdf


@pytest.fixture(scope="module")
def backend(checkpoint):
    return start("transformers", engine_of(str(checkpoint)))


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 0.95), (2.0, 0.5), (1.0, 1e-9)])
def test_uniform_numbers_become_tokens_with_the_warped_probabilities(temperature, top_p):
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    scores = torch.randn(1, 23, generator=torch.Generator().manual_seed(4)) * 2
    warped = TemperatureLogitsWarper(temperature)(None, scores)
    warped = TopPLogitsWarper(top_p)(None, warped) if top_p < 1 else warped
    grid = 200_000
    uniforms = (torch.arange(grid) + 0.5) / grid
    tokens = torch.cat([inverse_cdf(scores.expand(len(part), -1), part, temperature, top_p)
                        for part in uniforms.split(20_000)])  # fmt: skip
    shares = torch.bincount(tokens, minlength=23) / grid
    assert (shares - warped.softmax(-1)[0]).abs().max() < 2 / grid + 1e-6


def test_the_ends_of_the_interval_are_possible_tokens():
    scores = torch.full((3, 8), -torch.inf)
    scores[:, 2:5] = 0.0
    tokens = inverse_cdf(scores, torch.tensor([0.0, 1 - 2**-53, 0.5], dtype=torch.float64), 1.0, 1.0)
    assert tokens.tolist() == [2, 4, 3]
    assert inverse_cdf(torch.tensor([[1.0, 3.0, 2.0]]), torch.tensor([0.99]), 0.0, 1.0).tolist() == [1]


def test_transformers_draws_solutions_as_often_as_their_exact_probabilities_say(backend, policy):
    found = drawn(backend, jobs_of(TASK, PROBLEMS, SAMPLES))
    p, cells, solved = chi_square(policy, TASK, found)
    assert cells >= 10 and 0.05 < solved < 0.95
    assert p > 1e-3
    ended = {made.finish: made for made in found.values()}
    assert ended["stop"].ids[-1] == 2 and 2 not in ended["stop"].ids[:-1]
    assert all(len(made.ids) <= 12 for made in found.values())


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 0.95), (0.0, 1.0)])
def test_log_probabilities_are_the_models_own_however_it_is_sampled(checkpoint, temperature, top_p):
    """Over the completion, end included, at temperature 1 and with nothing truncated: by another forward pass."""
    engine = replace(engine_of(str(checkpoint)), temperature=temperature, top_p=top_p)
    jobs = jobs_of(TASK, 3, 6)
    longer = [replace(job, key=("long", i), ids=(*job.ids[:-1], 9, *job.ids[1:])) for i, job in enumerate(jobs)]
    short = [replace(job, key=("short", i), max_tokens=2) for i, job in enumerate(jobs)]
    jobs = [*jobs, *longer, *short]
    found = drawn(start("transformers", engine), jobs)
    wanted = [forced(str(checkpoint), job, found[job.key].ids) for job in jobs]
    assert [found[job.key].logprob for job in jobs] == pytest.approx(wanted, abs=1e-4)
    assert {found[job.key].finish for job in jobs} == {"stop", "length"} and max(wanted) < 0


def test_a_sample_does_not_depend_on_its_neighbours(backend):
    jobs = jobs_of(TASK, 3, 20)
    together = drawn(backend, jobs)
    mixed = drawn(backend, [job for job in np.random.default_rng(1).permutation(np.array(jobs, dtype=object))])
    alone = drawn(backend, jobs[:1])
    assert {key: tuple(made.ids) for key, made in mixed.items()} == {k: tuple(m.ids) for k, m in together.items()}
    assert tuple(alone[jobs[0].key].ids) == tuple(together[jobs[0].key].ids)
    assert len({tuple(made.ids) for made in together.values()}) > 10


def test_prompts_of_different_length_and_limits_share_a_batch(checkpoint):
    backend = start("transformers", engine_of(str(checkpoint)))
    jobs = jobs_of(TASK, 2, 4)
    longer = [replace(job, key=("long", i), ids=(*job.ids[:-1], 9, *job.ids[1:])) for i, job in enumerate(jobs)]
    short = [replace(job, max_tokens=2) for job in jobs]
    mixed = drawn(backend, [*short, *longer])
    for job in longer:
        assert tuple(mixed[job.key].ids) == tuple(drawn(backend, [job])[job.key].ids)
    assert all(len(mixed[job.key].ids) <= 2 for job in short)


def test_text_of_a_checkpoint_of_this_book(checkpoint):
    text = Text(str(checkpoint))
    problem = TASK.problems(1, split="test", seed=0)[0]
    assert list(text.encode(problem.prompt)) == TASK.prompt_ids(problem)
    assert text.stop(("<|im_end|>",)) == (2,)
    ids = TASK.completion_ids(TASK.gold(problem))
    assert text.decode(ids, (2,)) == TASK.gold(problem)
    assert "<pad>" in text.decode([*ids[:2], 0, *ids[2:]], (2,))  # never mended on the way to the verifier
    with pytest.raises(ValueError, match="no chat template"):
        text.encode([{"role": "user", "content": "1 2 -> 3 :"}])


def test_a_folder_is_told_by_its_files(checkpoint, tmp_path):
    import shutil

    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    assert revision_of(str(copy), None) == revision_of(str(checkpoint), None)
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-5] ^= 1
    weights.write_bytes(data)
    assert revision_of(str(copy), None) != revision_of(str(checkpoint), None)
    with pytest.raises(ValueError, match="has no revisions"):
        revision_of(str(copy), "main")
    for name in (str(tmp_path / "absent"), "./absent", "gpt2", str(tmp_path)):
        with pytest.raises(FileNotFoundError):
            check_model(name)
    assert check_model("Qwen/Qwen2.5-0.5B") is False


def test_data_parallel_needs_enough_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    engine = engine_of("x", tensor_parallel=2, data_parallel=2)
    parts = [vllm_backend._devices(engine, part)["CUDA_VISIBLE_DEVICES"] for part in range(2)]
    assert parts == ["4,5", "6,7"]
    with pytest.raises(ValueError, match="needs 6 GPUs, there are 4"):
        vllm_backend._devices(engine_of("x", tensor_parallel=2, data_parallel=3), 0)


@pytest.mark.slow
@pytest.mark.vllm
def test_vllm_draws_solutions_as_often_as_their_exact_probabilities_say(checkpoint, policy, backend):
    try:
        vllm_backend.interpreter()
    except ValueError as absent:
        pytest.skip(f"{absent} (make test-vllm)")
    engine = start("vllm", engine_of(str(checkpoint)))
    try:
        jobs = jobs_of(TASK, PROBLEMS, SAMPLES)
        found = drawn(engine, jobs)
        p, cells, solved = chi_square(policy, TASK, found)
        assert cells >= 10 and p > 1e-3, (p, cells, solved)
        again = drawn(engine, jobs[:40])
        same = sum(tuple(again[job.key].ids) == tuple(found[job.key].ids) for job in jobs[:40])
        assert same >= 38  # the seed decides, up to near ties in another batch
        wanted = [forced(str(checkpoint), job, found[job.key].ids) for job in jobs[::100]]
        assert [found[job.key].logprob for job in jobs[::100]] == pytest.approx(wanted, abs=1e-3)
        # The same text of the same problem has the same log-probability in both engines' stores.
        known = {(key[0], tuple(made.ids)): made.logprob for key, made in drawn(backend, jobs).items()}
        both = [(made.logprob, known[at]) for key, made in found.items() if (at := (key[0], tuple(made.ids))) in known]
        assert len(both) > 1000 and all(one == pytest.approx(other, abs=1e-3) for one, other in both)
    finally:
        engine.close()
