"""Texts as forests: every beginning that texts share is there, and computed, once.

A forest is its tokens in preorder with their positions: the context of a token is, at every smaller position, the
latest token before it. Texts in lexicographic order are such a preorder once what a text shares with its predecessor
is left out. Any cut between two texts gives two forests that together say the same, so forests are as small as memory
and the number of threads want them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np


class Texts(NamedTuple):
    """R texts as ids (R, T), of which places starts <= t < ends (R,) are wanted: completions behind their prompts.

    "The wanted tokens" of all texts stand one behind the other, text by text: arrays of them are (n,).
    """

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    @property
    def wanted(self) -> int:
        """Number of wanted tokens."""
        return int((self.ends - self.starts).sum())

    def inside(self) -> np.ndarray:
        """Which places (R, T) are wanted."""
        places = np.arange(self.ids.shape[1])
        return (places >= self.starts[:, None]) & (places < self.ends[:, None])


class Forest(NamedTuple):
    """Tokens and positions (N,) in preorder; pairs (W,) of a token's index and an id that might follow it.

    `pair` (n,) says which of the pairs each wanted token of some texts is, `places` (n,) which of all wanted tokens.
    """

    tokens: np.ndarray
    positions: np.ndarray
    sources: np.ndarray
    targets: np.ndarray
    pair: np.ndarray
    places: np.ndarray


def as_texts(prompts: Sequence[Sequence[int]], completions: Iterable[Sequence[int]]) -> Texts:
    """One text a completion; ValueError where a prompt or completion is empty: bos begins a text and eos ends it."""
    completions = list(completions)
    starts = np.array([len(prompt) for prompt in prompts], np.int64)
    lengths = np.array([len(completion) for completion in completions], np.int64)
    for kind, counts in (("prompt", starts), ("completion", lengths)):
        if not counts.all():
            raise ValueError(f"{kind} of problem {counts.argmin()} is empty; bos begins a text, eos ends it")
    ends = starts + lengths
    ids = np.zeros((len(ends), ends.max(initial=0)), np.int32)
    parts = chain.from_iterable(chain.from_iterable(zip(prompts, completions, strict=True)))
    ids[np.arange(ids.shape[1]) < ends[:, None]] = np.fromiter(parts, np.int32, count=ends.sum())  # row by row
    return Texts(ids, starts, ends)


def block_texts(prompts: Sequence[Sequence[int]], blocks: Sequence[np.ndarray]) -> Texts:
    """One text a row of the blocks: integer arrays (S_i, L_i) of completions of the prompts."""
    counts = [len(block) for block in blocks]
    starts = np.repeat(np.array([len(prompt) for prompt in prompts], np.int64), counts)
    ends = starts + np.repeat(np.array([block.shape[-1] for block in blocks], np.int64), counts)
    ids = np.zeros((len(ends), ends.max(initial=0)), np.int32)
    row = 0
    for prompt, block in zip(prompts, blocks, strict=True):
        if len(block):
            ids[row : row + len(block), : len(prompt)] = prompt
            ids[row : row + len(block), len(prompt) : len(prompt) + block.shape[1]] = block
            row += len(block)
    return Texts(ids, starts, ends)


def forests(texts: Texts, limit: int, parts: int, share: bool = True) -> list[Forest]:
    """The texts in forests of about `limit` tokens or fewer, and of about one size where they are `parts` or more.

    With share=False texts stay apart and in order.
    """
    if not len(texts.ends):
        return []
    inside = texts.inside()
    offsets = np.cumsum(texts.ends - texts.starts) - texts.starts - (texts.ends - texts.starts)  # of a text's place 0
    if share:
        order = lexicographic(texts)
        texts, inside, offsets = Texts(*(field[order] for field in texts)), inside[order], offsets[order]
        alike = common(texts)
    else:
        alike = np.zeros(len(texts.ends), np.int64)
    size = texts.ends - 1 - np.minimum(alike, texts.ends - 1)
    done = np.cumsum(size)
    count = max(-(-int(done[-1]) // limit), parts)
    group = (done - size) * count // done[-1]
    edges = [0, *np.flatnonzero(np.diff(group)) + 1, len(size)]
    return [
        grown(Texts(*(field[a:b] for field in texts)), inside[a:b], offsets[a:b], alike[a:b])
        for a, b in zip(edges, edges[1:], strict=False)
    ]


def lexicographic(texts: Texts) -> np.ndarray:
    """Order (R,) in which texts that begin alike are neighbours, and a beginning stands before what continues it."""
    places = np.arange(texts.ids.shape[1])
    ranks = np.where(places < texts.ends[:, None], texts.ids + 1, 0).astype(">u4")  # bytes in order of value
    wide = np.uint8 if ranks.max(initial=0) < 256 else ">u4"
    rows = np.ascontiguousarray(ranks.astype(wide))
    return np.argsort(rows.view(f"S{rows.itemsize * rows.shape[1]}")[:, 0], kind="stable")


def common(texts: Texts) -> np.ndarray:
    """How many first tokens (R,) each text shares with the one before it."""
    same = texts.ids[1:] == texts.ids[:-1]
    same &= np.arange(texts.ids.shape[1]) < np.minimum(texts.ends[1:], texts.ends[:-1])[:, None]
    first = np.where(same.all(1), same.shape[1], same.argmin(1)) if same.size else np.zeros(len(same), np.int64)
    return np.concatenate([[0], first])


def grown(texts: Texts, inside: np.ndarray, offsets: np.ndarray, alike: np.ndarray) -> Forest:
    """The forest of texts that share their first `alike` tokens with the one before; the first of them is all new."""
    ids, starts, ends = texts
    places = np.arange(ids.shape[1])
    before = np.concatenate([[0], ends[:-1] - 1])  # a text's last token is only predicted, so nobody can share it
    alike = alike.copy()
    alike[0] = 0
    nodes = (places >= np.minimum(alike, before)[:, None]) & (places < ends[:, None] - 1)
    known = (places < alike[:, None]) & np.concatenate([np.zeros((1, len(places)), bool), inside[:-1]])
    pairs = inside & ~known
    # What a text shares was last numbered, place by place, in the text that the sharing began with.
    node, pair = (
        np.maximum.accumulate(np.where(mask, mask.cumsum().reshape(mask.shape) - 1, -1), axis=0)
        for mask in (nodes, pairs)
    )
    rows, columns = np.nonzero(pairs)
    return Forest(
        ids[nodes].astype(np.int32),
        np.broadcast_to(places, ids.shape)[nodes].astype(np.int32),
        node[rows, columns - 1].astype(np.int32),
        ids[pairs].astype(np.int32),
        pair[inside],
        (offsets[:, None] + places)[inside],
    )
