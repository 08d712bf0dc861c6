"""Tokens of a task family: whole words and symbols, text to ids and back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

SPECIALS = ("<pad>", "<bos>", "<eos>")


@dataclass(frozen=True)
class Vocabulary:
    """The closed list of tokens of a task, in the order of their ids, and the rules of their text.

    `pattern` is the regular expression whose matches are the tokens of a text (what it skips is space); it must read
    the same in Python's `re` and in Rust's tokenizers. `tight_before` and `tight_after` list the tokens that are
    written without a space before and after them, so that `decode` gives the text that `encode` was given.
    """

    tokens: tuple[str, ...]
    pattern: str
    tight_before: tuple[str, ...] = ()
    tight_after: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.tokens[:3] != SPECIALS:
            raise ValueError(f"tokens must begin with {SPECIALS}, not {self.tokens[:3]}")
        repeated = {token for token in self.tokens if self.tokens.count(token) > 1}
        if repeated:
            raise ValueError(f"tokens must be distinct; repeated: {sorted(repeated)}")

    pad_id = 0
    bos_id = 1
    eos_id = 2

    @property
    def size(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without any special token; ValueError names the first unknown token."""
        try:
            return [self._ids[token] for token in self._regex.findall(text)]
        except KeyError as unknown:
            raise ValueError(f"unknown token {unknown.args[0]!r} in {text[:80]!r}") from None

    def decode(self, ids: Iterable[int]) -> str:
        """Text of token ids; pad, bos and eos are dropped; ValueError names an id outside the vocabulary."""
        pieces: list[str] = []
        open_ended = True
        for index in map(int, ids):
            if not 0 <= index < len(self.tokens):
                raise ValueError(f"token id {index} is outside the vocabulary (0 to {len(self.tokens) - 1})")
            if index < len(SPECIALS):
                continue
            token = self.tokens[index]
            pieces.append(token if open_ended or token in self._tight_before else f" {token}")
            open_ended = token in self._tight_after
        return "".join(pieces)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens) if index >= len(SPECIALS)}

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    @cached_property
    def _tight_before(self) -> frozenset[str]:
        return frozenset(self.tight_before)

    @cached_property
    def _tight_after(self) -> frozenset[str]:
        return frozenset(self.tight_after)
