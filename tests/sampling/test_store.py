"""The store: settings that cannot change, shards that cannot lose or double a row, damage that is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import killing
import pyarrow.parquet as pq
import pytest
from fake_sampling import PROBLEMS, SETTINGS, FakeBackend, grade, seed, source

from beyondbase.sampling.blocks import Block, block_name, blocks, sample_seed
from beyondbase.sampling.claims import Claims
from beyondbase.sampling.run import fill, missing, prompt_lengths
from beyondbase.sampling.store import SCHEMA, DamagedShard, Store, StoreError

IDS = list(PROBLEMS)


@pytest.fixture
def store(tmp_path):
    return Store.make(tmp_path / "store", SETTINGS, {"fake": "1"})


def everything(store: Store) -> dict:
    found = list(store.rows())
    by_key = {(row["problem_id"], row["sample"]): row for row in found}
    assert len(by_key) == len(found)
    return by_key


def keys(todo: list[Block]) -> set:
    return {key for block in todo for key in block.keys}


@pytest.mark.parametrize(("problems", "n"), [(1, 1), (40, 33), (16, 32), (17, 64), (3, 100)])
def test_blocks_cover_every_sample_once_and_split_among_shards(problems, n):
    ids = IDS[:problems]
    whole = [key for block in blocks(ids, n) for key in block.keys]
    assert sorted(whole) == sorted((problem, sample) for problem in ids for sample in range(n))
    for of in (1, 2, 3, 5):
        parts = [{block.name for block in blocks(ids, n, (mine, of))} for mine in range(1, of + 1)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == len(list(blocks(ids, n)))


def test_a_larger_n_or_more_problems_keep_the_names():
    few = {key: block.name for block in blocks(IDS[:20], 40) for key in block.keys}
    many = {key: block.name for block in blocks(IDS, 200) for key in block.keys}
    assert few.items() <= many.items()


def test_seeds_are_unrelated_across_samples_and_models():
    seeds = [sample_seed(0, model, "1", "b", (f"q{i}", j)) for model in "ab" for i in range(30) for j in range(30)]
    assert len(set(seeds)) == len(seeds)
    assert sum(value % 2 for value in seeds) == pytest.approx(len(seeds) / 2, abs=4 * (len(seeds) / 4) ** 0.5)


def test_a_store_without_log_probabilities_goes_on(store):
    """Stores of former versions lack the column: null there, and new samples have it."""
    few, many = list(blocks(IDS[:5], 10)), list(blocks(IDS[:5], 20))
    fill(store, few, source(), FakeBackend(), grade)
    for name in store.names():
        table = pq.read_table(store.path(name)).drop_columns(["logprob"])
        pq.write_table(table, store.path(name), write_page_checksum=True)
    assert {row["logprob"] for row in everything(store).values()} == {None}
    assert fill(store, many, source(), FakeBackend(), grade).drawn == 50
    rows = everything(store)
    assert not store.notes and rows.keys() == keys(many)
    for key, row in rows.items():
        assert list(row) == SCHEMA.names
        assert row["logprob"] == (None if key[1] < 10 else -(seed(key) % 31) / 7)


def test_a_filled_store_holds_every_sample_with_its_settings(store):
    todo = list(blocks(IDS[:20], 40))
    report = fill(store, todo, source(), FakeBackend(), grade)
    rows = everything(store)
    assert rows.keys() == keys(todo)
    assert report.drawn == report.graded == report.there == 800
    for (problem, sample), row in rows.items():
        assert list(row) == SCHEMA.names
        assert row["text"] == f"{problem} {sample} {seed((problem, sample)) % 97}"
        assert (row["seed"], row["model"], row["grader"]) == (seed((problem, sample)), "fake", "fake")
        assert row["correct"] in (True, False)
    assert not list((store.folder / "claims").iterdir())


def test_another_call_draws_only_what_is_missing(store):
    fill(store, list(blocks(IDS[:5], 10)), source(), FakeBackend(), grade)
    before = everything(store)
    engine = FakeBackend()
    todo = list(blocks(IDS[:8], 45))  # more samples of more problems
    fill(store, todo, source(), engine, grade)
    after = everything(store)
    assert sorted(engine.asked) == sorted(keys(todo) - before.keys())
    assert after.keys() == keys(todo) and before.items() <= after.items()
    again = FakeBackend()
    assert fill(store, todo, source(), again, grade).drawn == 0 and again.asked == []


def test_stopped_and_resumed_equals_uninterrupted(store, tmp_path):
    class Stops(FakeBackend):
        def poll(self):
            if len(self.asked) > 600 and len(self.jobs) < 300:
                raise KeyboardInterrupt
            return super().poll()

    todo = list(blocks(IDS[:20], 64))
    with pytest.raises(KeyboardInterrupt):
        fill(store, todo, source(), Stops(appetite=400), grade)
    kept = everything(store)
    assert 300 < len(kept) < len(keys(todo))  # Ctrl-C loses no finished sample, of open blocks either
    fill(store, todo, source(), FakeBackend(), grade)
    other = Store.make(tmp_path / "other", SETTINGS, {})
    fill(other, todo, source(), FakeBackend(together=50), grade)
    assert everything(store) == everything(other)


def test_an_eager_engine_has_several_blocks_open_and_writes_in_time(store):
    engine = FakeBackend(appetite=3000, together=100)
    held = []
    todo = list(blocks(IDS, 64))

    def tell(samples, tokens):
        stored = sum(len(store.read(name)) for name in store.names())
        held.append(drawn[0] + samples - stored)
        drawn[0] += samples

    drawn = [0]
    fill(store, todo, source(), engine, None, tell)
    assert max(held) < 512 + 100 and everything(store).keys() == keys(todo)


def test_grades_can_come_later(store):
    todo = list(blocks(IDS[:4], 6))
    fill(store, todo, source(), FakeBackend())
    assert all(row["grader"] is None and row["correct"] is None for row in store.rows())
    assert [ungraded for _, _, ungraded in missing(store, todo, ungraded=True)] == [24]
    texts = {key: row["text"] for key, row in everything(store).items()}
    report = fill(store, todo, source(), FakeBackend(), grade)
    assert (report.drawn, report.graded) == (0, 24)
    assert {key: row["text"] for key, row in everything(store).items()} == texts
    assert all(row["grader"] == "fake" for row in store.rows())


def test_other_settings_are_refused_by_name(store):
    with pytest.raises(StoreError, match=r"begun with temperature = 0.6, now it is 1.0"):
        Store.make(store.folder, {**SETTINGS, "temperature": 1.0}, {})
    with pytest.raises(StoreError, match="revision = '1', now it is '2'"):
        Store.make(store.folder, {**SETTINGS, "revision": "2"}, {})
    assert Store.make(store.folder, SETTINGS, {"fake": "2"}).settings == store.settings


def test_foreign_folders_and_broken_settings_are_refused(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text").write_text("words")
    with pytest.raises(StoreError, match="holds other files"):
        Store.make(tmp_path / "thesis", SETTINGS, {})
    with pytest.raises(StoreError, match="no sample store here"):
        Store.open(tmp_path / "thesis")
    store = Store.make(tmp_path / "store", SETTINGS, {})
    (store.folder / "store.json").write_text('{"format": 1, "sett')
    with pytest.raises(StoreError, match="cannot be read"):
        Store.open(store.folder)
    (store.folder / "store.json").write_text(json.dumps({"format": 9}))
    with pytest.raises(StoreError, match="format 9"):
        Store.open(store.folder)


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "foreign"])
def test_a_damaged_shard_is_named_set_aside_and_made_again(store, damage):
    todo = list(blocks(IDS[:20], 10))
    fill(store, todo, source(), FakeBackend(), grade)
    whole = everything(store)
    path = store.path(block_name(1, 0))
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 3] ^= 16
    path.write_bytes({"flip": data, "truncate": data[:-9], "empty": b"", "foreign": b"PAR1 and more PAR1"}[damage])
    with pytest.raises(DamagedShard, match=path.name):
        store.read(path.stem)
    engine = FakeBackend()
    fill(store, todo, source(), engine, grade)
    assert path.name in store.notes[0] and "set aside" in store.notes[0]
    assert len(list((store.folder / "damaged").iterdir())) == 1
    assert set(engine.asked) == set(list(blocks(IDS[:20], 10))[1].keys)
    assert everything(store) == whole


def test_every_flipped_byte_of_a_shard_is_noticed_or_harmless(store):
    fill(store, list(blocks(IDS[:3], 4)), source(), FakeBackend(), grade)
    name = store.names()[0]
    whole, data = store.read(name), store.path(name).read_bytes()
    for place in range(5, len(data) - 8, 97):
        store.path(name).write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        try:
            assert store.read(name) == whole
        except DamagedShard:
            pass


def test_a_claimed_block_is_left_to_its_owner_until_that_one_is_gone(store):
    todo = list(blocks(IDS[:20], 4))
    code = "import sys, time; from pathlib import Path; from beyondbase.sampling.claims import Claims\n"
    code += "print(Claims(Path(sys.argv[1])).take(sys.argv[2]), flush=True); time.sleep(60)"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(store.folder / "claims"), todo[0].name], stdout=subprocess.PIPE
    )
    try:
        assert other.stdout.readline() == b"True\n"
        report = fill(store, todo, source(), FakeBackend(), grade)
        assert report.elsewhere == [todo[0].name] and everything(store).keys() == keys(todo[1:])
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    assert fill(store, todo, source(), FakeBackend(), grade).elsewhere == []
    assert everything(store).keys() == keys(todo)


def test_a_claim_of_another_machine_expires_and_a_living_one_does_not(tmp_path):
    first, second = Claims(tmp_path, expiry=0.4), Claims(tmp_path, expiry=0.4)
    first.owner["host"] = "elsewhere"
    assert first.take("b")
    time.sleep(0.8)  # longer than the expiry: the heartbeat keeps it
    assert not second.take("b")
    first._stop.set()
    first._beat.join()
    time.sleep(0.5)
    assert second.take("b")
    first.give("b")  # taken over meanwhile: not his to remove
    assert (tmp_path / "b.json").exists()
    second.close()
    assert not (tmp_path / "b.json").exists()


def test_a_claim_that_appears_at_the_last_moment_is_not_taken_over(tmp_path, monkeypatch):
    first, second = Claims(tmp_path), Claims(tmp_path)
    write = Path.write_text

    def late(path, text):
        monkeypatch.setattr(Path, "write_text", write)
        assert first.take("b")  # after the second looked, before it claims
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", late)
    assert not second.take("b") and first._mine(tmp_path / "b.json")
    first.close()
    assert not list(tmp_path.iterdir())


def test_workers_side_by_side_fill_one_store_without_double_work(store):
    todo = list(blocks(IDS, 64))
    engines = [FakeBackend(together=200, pause=0.002) for _ in range(3)]
    threads = [threading.Thread(target=fill, args=(store, todo, source(), engine, grade)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = [key for engine in engines for key in engine.asked]
    assert len(asked) == len(set(asked)) and everything(store).keys() == keys(todo) == set(asked)


def test_fifty_kills_lose_nothing_and_double_nothing():
    found = killing.main(["--kills", "50", "--problems", "320", "--n", "16"])
    assert found["kills"] == 50 and found["kept"] >= 512
    assert found["lost"] == found["absent"] == found["foreign"] == found["damaged"] == found["left"] == 0
    assert found["unsaved_most"] <= 512


def test_prompt_lengths_say_what_does_not_fit():
    ids = {"a": (1,) * 10, "b": (1,) * 50}
    assert prompt_lengths(ids, None, 20) == (None, 0)
    assert prompt_lengths(ids, 100, 20) == (70, 0)
    assert prompt_lengths(ids, 60, 20) == (60, 1)
    with pytest.raises(ValueError, match="'b': its prompt has 50 tokens, the model reads 50"):
        prompt_lengths(ids, 50, 20)


def test_a_full_disk_leaves_the_former_shard(store, monkeypatch):
    todo = list(blocks(IDS[:3], 4))
    fill(store, todo, source(), FakeBackend())
    before = everything(store)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.write(todo[0].name, grade(list(before.values())))
    monkeypatch.undo()
    assert everything(Store.open(Path(store.folder))) == before
