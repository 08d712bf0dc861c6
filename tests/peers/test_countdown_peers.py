"""Countdown verdicts against an evaluator that reads each step with Python's own parser."""

import ast
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from beyondbase.tasks import Countdown

OPERATIONS = {ast.Add: Fraction.__add__, ast.Sub: Fraction.__sub__, ast.Mult: Fraction.__mul__}


def number(node):
    assert isinstance(node, ast.Constant) and type(node.value) is int
    return Fraction(node.value)


def run_step(step, available, limit):
    """Carry out one step on the multiset of available numbers; AssertionError or SyntaxError where it is wrong."""
    expression, equals, value = step.partition("=")
    assert equals
    tree, written = (ast.parse(part.strip(), mode="eval").body for part in (expression, value))
    assert isinstance(tree, ast.BinOp) and type(tree.op) in OPERATIONS
    used = Counter([number(tree.left), number(tree.right)])
    assert used <= available
    result = OPERATIONS[type(tree.op)](number(tree.left), number(tree.right))
    assert result == number(written) and 0 <= result <= limit
    available.subtract(used)
    available.update([result])
    return result


def evaluate(numbers, target, limit, text):
    """(correct, index of the first wrong step or None) of a completion."""
    available, last = Counter(map(Fraction, numbers)), None
    for index, step in enumerate(text.split(",") if text.strip() else []):
        try:
            last = run_step(step, available, limit)
        except (AssertionError, SyntaxError):
            return False, index
    return last == target and +available == Counter([Fraction(target)]), None


def edit(text, rng, tokens):
    """The text with one to three of its tokens replaced, dropped, added or moved."""
    for _ in range(rng.integers(1, 4)):
        kind, i, j = rng.integers(4), *rng.integers(len(text), size=2)
        if kind == 0:
            text = [*text[:i], str(tokens[rng.integers(len(tokens))]), *text[i + 1 :]]
        elif kind == 1 and len(text) > 1:
            text = text[:i] + text[i + 1 :]
        elif kind == 2:
            text = [*text[:i], text[j], *text[i:]]
        else:
            text = [*text]
            text[i], text[j] = text[j], text[i]
    return text


@pytest.mark.parametrize("task", [Countdown(operands=(2, 3, 4)), Countdown(operands=(5, 6), max_value=99)], ids=repr)
def test_verdicts_agree_on_thousands_of_completions(task):
    rng, vocabulary = np.random.default_rng(2), task.vocabulary
    right = wrong = 0
    for problem, solution in task.games(1000, split="train", seed=9):
        *numbers, _, target, _ = problem.prompt.split()
        tokens = [vocabulary.tokens[index] for index in vocabulary.encode(solution)]
        pieces = [*vocabulary.tokens[3:8], *numbers, *(str(rng.integers(100)) for _ in range(3))]
        edited = edit(tokens, rng, pieces)
        for text in (solution, " ".join(tokens), " ".join(edited), " ".join(edited[: rng.integers(len(edited))])):
            expected = evaluate(map(int, numbers), int(target), task.max_value, text)
            verdict = task.verify(problem, text)
            assert (verdict.correct, verdict.fault) == expected, text
            right, wrong = right + verdict.correct, wrong + (not verdict.correct)
    assert right > 2000 and wrong > 1200
