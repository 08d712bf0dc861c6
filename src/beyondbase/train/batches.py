"""Training text as rectangles of token ids, with next to no padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Rectangle(NamedTuple):
    """Rows of about one length: inputs (B, T), and from position `first` on what should follow them (B, T - first).

    `first` is where the shortest prompt ends: no row has a loss before it. Targets are IGNORED where there is none.
    """

    inputs: Tensor
    targets: Tensor
    first: int


IGNORED = -100  # cross_entropy's own default
SMALLEST_GROUP = 16  # rows below which one more pass through the model costs more than padding does


def length_groups(lengths: Sequence[int], smallest: int = SMALLEST_GROUP) -> list[np.ndarray]:
    """Indices of all rows in groups to be padded to their longest, longest first.

    A group is closed at the first shorter row once it has `smallest` rows, so long texts of one family need no padding
    and rare lengths join their neighbours instead of being computed alone.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    ranked = np.asarray(lengths)[order]
    starts, first = [], 0
    for row in range(1, len(ranked)):
        if row - first >= smallest and ranked[row] < ranked[first]:
            starts.append(row)
            first = row
    return np.split(order, starts)


def rectangles(
    prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], pad_id: int, device: torch.device
) -> list[Rectangle]:
    """Next-token examples of whole texts with the loss on the completion only, grouped by length.

    `prompts` include bos, `completions` include eos. The last token of a text is never an input, so T = longest - 1.
    """
    texts = [[*prompt, *completion] for prompt, completion in zip(prompts, completions, strict=True)]
    result = []
    for group in length_groups([len(text) for text in texts]):
        width = max(len(texts[row]) for row in group)
        ids = np.full((len(group), width), pad_id, np.int64)
        targets = np.full((len(group), width), IGNORED, np.int64)
        for place, row in enumerate(group):
            ids[place, : len(texts[row])] = texts[row]
            targets[place, len(prompts[row]) : len(texts[row])] = completions[row]
        first = min(len(prompts[row]) for row in group) - 1
        inputs, targets = (np.ascontiguousarray(x) for x in (ids[:, :-1], targets[:, first + 1 :]))
        result.append(Rectangle(torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device), first))
    return result
