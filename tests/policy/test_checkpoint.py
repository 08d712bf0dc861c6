"""Checkpoints: what strangers load, what is refused, what an interrupted save leaves behind."""

from __future__ import annotations

import json
import os

import pytest
import torch
from small_policies import GROUPED, lively

from beyondbase.policy.checkpoint import DamagedCheckpoint, load, read_recipe, save
from beyondbase.tasks.countdown import Countdown

RECIPE = {"seed": 3, "tokens": 3e6, "task": {"name": "countdown"}}
TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "word_tokenizer.py"]
FILES = ["config.json", "model.safetensors", "recipe.json", "vocabulary.json", *TOKENIZER_FILES]


@pytest.fixture(scope="module")
def policy():
    return lively(Countdown().vocabulary, GROUPED, seed=1)


@pytest.fixture
def folder(policy, tmp_path):
    return save(policy, tmp_path / "made" / "checkpoint", RECIPE)


@pytest.fixture(scope="module")
def ids():
    return torch.randint(71, (2, 30), generator=torch.Generator().manual_seed(2))


def test_round_trip_is_exact(policy, folder, ids):
    loaded = load(folder)
    assert torch.equal(loaded(ids), policy(ids))
    assert loaded.vocabulary == policy.vocabulary
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    assert read_recipe(folder) == RECIPE
    save(loaded, folder, {"seed": 4})
    assert read_recipe(folder) == {"seed": 4}
    assert os.listdir(folder.parent) == ["checkpoint"]


def test_bfloat16_round_trip(policy, tmp_path, ids):
    rounded = lively(policy.vocabulary, GROUPED, seed=1).to(torch.bfloat16)
    loaded = load(save(rounded, tmp_path / "checkpoint", {}))
    assert torch.equal(loaded(ids), rounded(ids))


def test_transformers_loads_the_model(policy, folder, ids):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    assert type(model).__name__ == "Qwen2ForCausalLM" and model.dtype == torch.float32
    with torch.no_grad():
        assert (model(ids).logits - policy(ids)).abs().max() < 1e-4  # measured: 1e-6


@pytest.mark.parametrize("loader", ["AutoTokenizer", "AutoTokenizer, trusted", "PreTrainedTokenizerFast"])
def test_transformers_loads_the_tokenizer(policy, folder, loader, tmp_path, monkeypatch):
    import transformers

    monkeypatch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    name, *trusted = loader.split(", ")
    options = {"trust_remote_code": True} if trusted else {}
    tokenizer = getattr(transformers, name).from_pretrained(folder, **options)
    vocabulary = policy.vocabulary
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    for problem in Countdown(operands=(2, 3, 4)).problems(20, split="train", seed=5):
        text = f"{problem.prompt} {Countdown().gold(problem)}"
        expected = vocabulary.encode(text)
        assert len(expected) >= 10
        assert tokenizer(text).input_ids == [vocabulary.bos_id, *expected]
        assert tokenizer.encode(text, add_special_tokens=False) == expected
        with_specials = [vocabulary.bos_id, *expected, vocabulary.eos_id, vocabulary.pad_id]
        assert tokenizer.decode(with_specials, skip_special_tokens=True) == vocabulary.decode(expected) == text
    with pytest.raises(Exception, match="WordLevel error"):
        tokenizer("3 61 -> 4 :")


def test_transformers_generates_a_continuation(policy, folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer("3 4 -> 7 :", return_tensors="pt", return_token_type_ids=False)
    output = AutoModelForCausalLM.from_pretrained(folder).generate(**inputs, do_sample=False, max_new_tokens=5)[0]
    ids = inputs.input_ids[0].tolist()
    with torch.no_grad():
        while len(ids) < len(output):
            ids.append(policy(torch.tensor([ids]))[0, -1].argmax().item())
    assert ids == output.tolist()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_damage_is_named(folder, name, damage):
    path = folder / name
    data = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data if damage == "flip" else data[:-2])
    with pytest.raises(DamagedCheckpoint, match=name):
        load(folder)


def test_a_changed_recipe_is_damage(folder):
    manifest = json.loads((folder / "recipe.json").read_text())
    manifest["recipe"]["seed"] = 4
    (folder / "recipe.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedCheckpoint, match="recipe.json"):
        read_recipe(folder)


def test_foreign_files(folder, tmp_path):
    (folder / ".DS_Store").write_text("left by a file manager")
    load(folder)
    (folder / "pytorch_model.bin").write_text("")
    with pytest.raises(DamagedCheckpoint, match="pytorch_model.bin does not belong"):
        load(folder)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("recipe", [{"loss": float("nan")}, {"policy": object()}])
def test_a_failed_save_leaves_the_former_checkpoint(policy, folder, recipe):
    with pytest.raises((ValueError, TypeError)):
        save(policy, folder, recipe)
    assert read_recipe(folder) == RECIPE and load(folder)
    assert os.listdir(folder.parent) == ["checkpoint"]


def test_an_interrupted_exchange_restores_the_former_checkpoint(policy, folder, monkeypatch):
    rename = os.rename

    def interrupted(source, target):
        if source.name == "fresh":
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(policy, folder, {"seed": 5})
    assert read_recipe(folder) == RECIPE and load(folder)


def test_somebody_elses_folder_is_not_replaced(policy, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="not a checkpoint"):
        save(policy, tmp_path / "thesis", {})
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"
