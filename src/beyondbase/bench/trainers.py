"""transformers' Trainer and TRL's GRPOTrainer as contestants, stopped and started between their steps."""

from __future__ import annotations

import queue
import random
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast, Trainer, TrainerCallback, TrainingArguments

from . import workloads
from .measuring import dtypes
from .transformers_peers import load_model

ENDLESS = 1_000_000
SPLITS = (1, 4, 8)  # parts in which TRL may compute its batch
QUIETLY = {
    "max_steps": ENDLESS,
    "logging_strategy": "no",
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
    "optim": "adamw_torch_fused",
    "lr_scheduler_type": "constant",
    "learning_rate": 1e-6,
    "dataloader_pin_memory": False,
}


class Enough(Exception):
    """Ends a trainer's loop that is not wanted any more."""


class Stepper(TrainerCallback):
    """Runs a trainer's own loop in a thread and lets it make steps on demand, so that start-up is never timed."""

    def __init__(self) -> None:
        self.wanted: queue.Queue[int] = queue.Queue()
        self.done: queue.Queue[float | BaseException] = queue.Queue()
        self.at_first_step = threading.Event()
        self.left = 0

    def start(self, trainer: Trainer, device: str) -> None:
        """Back when the trainer stands before its first step, or has failed, of which `make` tells.

        Until then it reads accelerate's state, which all trainers of a process share and each new one clears.
        """
        self.device = device

        def train() -> None:
            try:
                trainer.train()
            except Enough:
                pass
            except BaseException as error:
                self.done.put(error)
            finally:
                self.at_first_step.set()

        threading.Thread(target=train, daemon=True).start()
        self.at_first_step.wait()

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.at_first_step.set()
        if not self.left:
            self.left = self.wanted.get()
            if not self.left:
                raise Enough
            self.begun = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.left -= 1
        if not self.left:
            if self.device == "cuda":
                torch.cuda.synchronize()
            self.done.put(time.perf_counter() - self.begun)

    def make(self, steps: int) -> float:
        """Seconds of the next `steps` steps, with the data loading between them."""
        self.wanted.put(steps)
        said = self.done.get()
        if isinstance(said, BaseException):
            raise said
        return said

    def stop(self) -> None:
        """End the loop; what it holds is freed."""
        self.wanted.put(0)


def fastest(tried: dict[Any, tuple[float, Stepper]]) -> Any:
    """The key with the fewest seconds; the others are stopped, so that their memory is not counted."""
    best = min(tried, key=lambda key: tried[key][0])
    for key, (_, stepper) in tried.items():
        if key != best:
            stepper.stop()
    return best


def precision(dtype: str, device: str) -> dict[str, Any]:
    """Arguments for a trainer's number format: float32 weights, with bfloat16 products where asked for."""
    return {"bf16": dtype == "bfloat16", "use_cpu": device == "cpu"}


def collate(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """Games as one padded batch: labels -100 on prompt and padding."""
    width = max(len(row["prompt"]) + len(row["completion"]) for row in rows)
    ids, labels, mask = [], [], []
    for row in rows:
        text, padding = row["prompt"] + row["completion"], width - len(row["prompt"]) - len(row["completion"])
        ids.append(text + [0] * padding)
        labels.append([-100] * len(row["prompt"]) + row["completion"] + [-100] * padding)
        mask.append([1] * len(text) + [0] * padding)
    return {"input_ids": torch.tensor(ids), "labels": torch.tensor(labels), "attention_mask": torch.tensor(mask)}


class Games(torch.utils.data.Dataset):
    """Games in the order in which ours meets them, again and again."""

    def __init__(self, games: list[dict[str, list[int]]]) -> None:
        self.games = games

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        return self.games[index % len(self.games)]


class InOrder(Trainer):
    """The Trainer without its shuffling, which would cost it time and tell us nothing."""

    def _get_train_sampler(self, *_: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)


class Pretraining:
    """transformers' Trainer on padded batches of the same games."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.device, self.job = job["device"], job
        if self.device == "cpu":
            torch.set_num_threads(job["threads"])
        self.games, self.place = workloads.games(job["games"]), 0
        self.info: dict[str, Any] = {"optimiser": "AdamW, fused"}

    def stepper(self, dtype: str, batch: int) -> Stepper:
        """A running trainer in that number format; its weights stay float32."""
        arguments = TrainingArguments(
            tempfile.mkdtemp(), per_device_train_batch_size=batch, max_grad_norm=1.0, remove_unused_columns=False,
            label_names=["labels"], **precision(dtype, self.device), **QUIETLY,
        )  # fmt: skip
        stepper = Stepper()
        model = load_model(self.job["checkpoint"], "float32", self.device).train()
        trainer = InOrder(model, arguments, data_collator=collate, train_dataset=Games(self.games), callbacks=[stepper])
        stepper.start(trainer, self.device)
        return stepper

    def tune(self, job: dict[str, Any]) -> dict[str, Any]:
        steppers = {dtype: self.stepper(dtype, job["batch"]) for dtype in dtypes(self.device)}
        for stepper in steppers.values():
            stepper.make(4)
        best = fastest({dtype: (stepper.make(job["steps"]), stepper) for dtype, stepper in steppers.items()})
        self.stepping, self.place = steppers[best], (4 + job["steps"]) * job["batch"]
        return {"dtype": best, "batch": job["batch"]}

    def repeat(self, job: dict[str, Any]) -> dict[str, Any]:
        count = job["steps"] * job["batch"]
        chosen = workloads.turn(self.games, self.place, count)
        self.place += count
        return {"seconds": self.stepping.make(job["steps"]), "tokens": workloads.tokens(chosen)}


def words(tokenizer: Any, ids: list[int]) -> str:
    """Prompt ids as text that the tokenizer turns back into them, bos included."""
    text = " ".join(tokenizer.convert_ids_to_tokens(ids[1:]))
    if tokenizer(text)["input_ids"] != ids:
        raise RuntimeError(f"the tokenizer reads {text[:60]!r} differently")
    return text


def make_grpo(job: dict[str, Any], folder: str, split: int, dtype: str, stepper: Stepper, spent: list[float]) -> Any:
    """A GRPOTrainer of our step, P prompts of n rollouts in `split` parts; `spent` gets its seconds of rollouts."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    rows, device = len(job["prompts"]) * job["n"], job["device"]
    arguments = GRPOConfig(
        tempfile.mkdtemp(), per_device_train_batch_size=rows // split, gradient_accumulation_steps=split,
        num_generations=job["n"], generation_batch_size=rows, max_completion_length=job["new"], temperature=1.0,
        top_p=1.0, top_k=0, beta=0.0, num_iterations=1, shuffle_dataset=False, max_grad_norm=1.0,
        gradient_checkpointing=False, generation_kwargs={"min_new_tokens": job["new"]}, **precision(dtype, device),
        **QUIETLY,
    )  # fmt: skip
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    rng = random.Random(0)

    def reward(completions: list[str], **_: Any) -> list[float]:
        return [rng.random() for _ in completions]

    trainer = GRPOTrainer(
        load_model(folder, "float32", device), reward, arguments,
        Dataset.from_dict({"prompt": [words(tokenizer, ids) for ids in job["prompts"]]}),
        processing_class=tokenizer, callbacks=[stepper],
    )  # fmt: skip
    trainer._generate = clocked(trainer._generate, spent)
    return trainer


def clocked(call: Callable, spent: list[float]) -> Callable:
    """The function, its seconds appended to `spent` each time."""

    def timed(*arguments: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        result = call(*arguments, **named)
        spent.append(time.perf_counter() - begun)
        return result

    return timed


class GRPO:
    """TRL's GRPOTrainer, one update a batch of rollouts, without vLLM; in the fastest of a few splits of the batch."""

    def __init__(self, job: dict[str, Any]) -> None:
        if job["device"] == "cpu":
            torch.set_num_threads(job["threads"])
        self.prepared = job
        self.info: dict[str, Any] = {"optimiser": "AdamW, fused"}

    def tune(self, job: dict[str, Any]) -> dict[str, Any]:
        tried, spent = {}, {}
        for split in SPLITS:
            for dtype in dtypes(self.prepared["device"]):
                stepper, spent[split, dtype] = Stepper(), []
                given = {**job, "device": self.prepared["device"]}
                trainer = make_grpo(given, self.prepared["checkpoint"], split, dtype, stepper, spent[split, dtype])
                stepper.start(trainer, self.prepared["device"])
                stepper.make(1)
                tried[split, dtype] = stepper.make(1), stepper
        split, dtype = best = fastest(tried)
        self.stepper, self.spent = tried[best][1], spent[best]
        return {"dtype": dtype, "accumulation": split}

    def repeat(self, job: dict[str, Any]) -> dict[str, Any]:
        before = len(self.spent)
        seconds = self.stepper.make(1)
        tokens = len(job["prompts"]) * job["n"] * job["new"]
        return {"seconds": seconds, "tokens": tokens, "rollout_seconds": sum(self.spent[before:])}
