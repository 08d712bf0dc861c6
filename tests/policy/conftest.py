"""Shared by the tests of the policy."""

from __future__ import annotations

import pytest

from beyondbase.tasks.vocabulary import SPECIALS, Vocabulary


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary(tokens=(*SPECIALS, "a", "b", "c"), pattern=r"\S")
