"""What the contestants are given: checkpoints, prompts and lengths, the same for all, from plain seeds.

Weights are freshly drawn: speed does not depend on them where every row is made to run to its full length.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

PROMPT_TOKENS, NEW_TOKENS = 48, 48
MAX_POSITIONS = 512
SEED = 0
BOS, FIRST_WORD = 1, 3
ROWS = 1024  # rows of a repeat: one prompt of 1,024 samples, 16 of 64, 64 of 16


def task() -> Any:
    """The task of the book's first claim."""
    from ..tasks import Countdown

    return Countdown()


def vocabulary() -> Any:
    return task().vocabulary


def games(count: int) -> list[dict[str, list[int]]]:
    """`count` random games as prompt and completion ids: drawn as `pretrain` draws them."""
    import numpy as np

    prompts, completions = task().encoded_games(count, "train", np.random.default_rng(SEED))
    return [{"prompt": ids, "completion": text} for ids, text in zip(prompts, completions, strict=True)]


def turn(drawn: list[dict[str, list[int]]], place: int, count: int) -> list[dict[str, list[int]]]:
    """The next `count` games from `place` on, beginning again after the last."""
    return [drawn[number % len(drawn)] for number in range(place, place + count)]


def tokens(drawn: list[dict[str, list[int]]]) -> int:
    """Tokens of games, padding not counted."""
    return sum(len(game["prompt"]) + len(game["completion"]) for game in drawn)


def checkpoint(folder: Path, size: Any) -> Path:
    """Folder of a fresh policy of that size, made if it is not there."""
    recipe = {"made_for": "beyondbase bench", "size": size, "max_positions": MAX_POSITIONS, "seed": 0}
    found = folder / "recipe.json"
    if found.is_file() and json.loads(found.read_text())["recipe"] == json.loads(json.dumps(recipe)):
        return folder
    from ..policy.checkpoint import save
    from ..policy.model import Policy
    from ..policy.sizes import Size

    shape = size if isinstance(size, str) else Size(*size)
    return save(Policy.init(vocabulary(), shape, 0, max_positions=MAX_POSITIONS), folder, recipe)


def prompts(count: int, length: int, words: int, seed: int = 0) -> list[list[int]]:
    """`count` distinct prompts of `length` tokens, bos first, the others uniform over the `words` of the vocabulary."""
    rng = random.Random(seed)
    return [[BOS, *(rng.randrange(FIRST_WORD, words) for _ in range(length - 1))] for _ in range(count)]


def sampling(n: int, words: int, *, rows: int = ROWS, prompt: int = PROMPT_TOKENS, new: int = NEW_TOKENS) -> dict:
    """A sampling job: `rows` rows as prompts of n samples each (at least one prompt)."""
    return {"n": n, "new": new, "prompts": prompts(max(1, rows // n), prompt, words)}
