import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondbase.tasks import Countdown, Vocabulary

VOCABULARY = Countdown().vocabulary
WORDS = Vocabulary(tokens=("<pad>", "<bos>", "<eos>", "the", "cat", "."), pattern=r"\w+|\S", tight_before=(".",))
ordinary = st.integers(3, VOCABULARY.size - 1)
relaxed = settings(deadline=None)


@relaxed
@given(st.lists(ordinary))
def test_any_ids_survive_being_written(ids):
    text = VOCABULARY.decode(ids)
    assert VOCABULARY.encode(text) == ids
    assert VOCABULARY.decode(VOCABULARY.encode(text)) == text


@relaxed
@given(st.lists(st.integers(0, VOCABULARY.size - 1)))
def test_specials_leave_no_trace_in_text(ids):
    assert VOCABULARY.decode(ids) == VOCABULARY.decode([index for index in ids if index > VOCABULARY.eos_id])


@relaxed
@given(st.lists(st.integers(3, WORDS.size - 1)))
def test_words_survive_too(ids):
    assert WORDS.encode(WORDS.decode(ids)) == ids


def test_spacing_of_words_and_symbols():
    assert WORDS.decode([3, 4, 5]) == "the cat."
    text = "3 7 2 5 -> 13 : 3+7=10, 10+5=15"
    assert VOCABULARY.decode(VOCABULARY.encode(text)) == text
    assert VOCABULARY.encode("3 7 2 5->13:3 + 7 =10,10+5= 15") == VOCABULARY.encode(text)


@pytest.mark.parametrize("text, named", [("3+61=4", "'61'"), ("3/4", "'/'"), ("03+4=7", "'03'"), ("<eos>", "'<'")])
def test_an_unknown_token_is_named(text, named):
    with pytest.raises(ValueError, match=named):
        VOCABULARY.encode(text)


@pytest.mark.parametrize("index", [-1, VOCABULARY.size])
def test_an_id_outside_is_named(index):
    with pytest.raises(ValueError, match=f"token id {index} is outside"):
        VOCABULARY.decode([5, index])


def test_bad_token_lists_are_refused():
    with pytest.raises(ValueError, match="must begin with"):
        Vocabulary(tokens=("a", "b"), pattern=r"\S")
    with pytest.raises(ValueError, match=r"repeated: \['a'\]"):
        Vocabulary(tokens=("<pad>", "<bos>", "<eos>", "a", "a"), pattern=r"\S")


def test_a_vocabulary_is_rebuilt_from_its_fields():
    assert VOCABULARY.size == 3 + 7 + 61
    assert Vocabulary(**dataclasses.asdict(VOCABULARY)) == VOCABULARY
