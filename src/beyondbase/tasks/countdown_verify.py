"""Outcome and process verifiers of Countdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from beyondbase.tasks.base import StepVerdict, Verdict
from beyondbase.tasks.countdown_text import COMMA, EQUALS, FIRST_OPERATOR, OPERATORS, STEP_TOKENS, ZERO
from beyondbase.tasks.vocabulary import Vocabulary

_NUMBER = r"(?:0|[1-9][0-9]{0,8})"  # bounded: Python refuses to read integers of thousands of digits
_STEP = re.compile(rf"\s*({_NUMBER})\s*([-+*])\s*({_NUMBER})\s*=\s*(-?\s*{_NUMBER})\s*")
_VALUE = re.compile(rf"\s*(-?\s*{_NUMBER})\s*(?:,|$)")
GOES_ON = "text goes on after the target"


def judge(numbers: Sequence[int], target: int, max_value: int, text: str, flaw: str = "") -> Verdict:
    """Judge a completion: each step by itself, then the end.

    After a wrong step the numbers it names are taken away and the value it writes is available, so that later steps
    are judged by what the text itself says. `flaw` is what the caller knows to be wrong beside the text (no eos).
    """
    available, value, steps = list(numbers), None, []
    for piece in text.split(",") if text.strip() else []:
        finished = all(step.ok for step in steps) and available == [target] and len(steps) == len(numbers) - 1
        step, value = _judge_step(piece, available, max_value, value)
        steps.append(StepVerdict(step.text, False, GOES_ON) if finished else step)
    fault = next((index for index, step in enumerate(steps) if not step.ok), None)
    if not steps:
        reasons = ["no step is written"]
    elif fault is not None:
        reasons = [GOES_ON if steps[fault].reason == GOES_ON else f"step {fault + 1}: {steps[fault].reason}"]
    else:
        reasons = _end_reasons(available, value, target)
    reasons += [flaw] if flaw else []
    return Verdict(not reasons, _last_value(text) == target, tuple(steps), "; ".join(reasons), fault)


def _judge_step(piece: str, available: list[int], max_value: int, value: int | None) -> tuple[StepVerdict, int | None]:
    """The verdict of one step and the value that it writes; updates `available`."""
    text = piece.strip()
    match = _STEP.fullmatch(piece)
    if not match:
        return StepVerdict(text, False, "not a step"), value
    a, op, b, written = int(match[1]), match[2], int(match[3]), int(re.sub(r"\s", "", match[4]))
    result = a + b if op == "+" else a - b if op == "-" else a * b
    reason = ""
    for number in (a, b):
        if number in available:
            available.remove(number)
        elif not reason:
            reason = f"uses {number}, which is not available"
    available.append(written)
    if not reason and result < 0:
        reason = f"{a}{op}{b} is negative"
    elif not reason and result != written:
        reason = f"{a}{op}{b} is {result}, not {written}"
    elif not reason and result > max_value:
        reason = f"value {result} is above {max_value}"
    return StepVerdict(text, not reason, reason), written


def _end_reasons(available: list[int], value: int | None, target: int) -> list[str]:
    """What is wrong at the end of steps that are all right."""
    unused = available.copy()
    unused.remove(value)
    reasons = [f"numbers left unused: {', '.join(map(str, sorted(unused)))}"] if unused else []
    return reasons + ([f"target {target} not reached: last value {value}"] if value != target else [])


def _last_value(text: str) -> int | None:
    """The number after the last equals sign, None where there is none."""
    _, equals, rest = text.rpartition("=")
    match = _VALUE.match(rest) if equals else None
    return int(re.sub(r"\s", "", match[1])) if match else None


def split_ids(ids: Sequence[int]) -> tuple[list[int], str]:
    """Ids before the first eos, and what is wrong with the row as a row (empty where nothing is)."""
    ids = [int(index) for index in ids]
    if Vocabulary.eos_id in ids:
        end = ids.index(Vocabulary.eos_id)
        written, after = ids[:end], ids[end + 1 :]
        flaw = "text goes on after the end" if any(index != Vocabulary.pad_id for index in after) else ""
    else:
        written, flaw = ids, "no end"
    if not flaw and any(index in (Vocabulary.pad_id, Vocabulary.bos_id) for index in written):
        flaw = "special token inside the text"
    return written, flaw


def is_correct(numbers: list[int], target: int, max_value: int, ids: Sequence[int]) -> bool:
    """Whether completion ids are a correct solution: the same judgement as `judge`, in a few microseconds.

    `numbers` is used up.
    """
    ids = ids if isinstance(ids, list) else [int(index) for index in ids]
    last = STEP_TOKENS * (len(numbers) - 1) - 1
    if len(ids) <= last or ids[last] != Vocabulary.eos_id or any(ids[last + 1 :]):
        return False
    result = None
    for start in range(0, last, STEP_TOKENS):
        a, op, b, equals, written, after = ids[start : start + STEP_TOKENS]
        if equals != EQUALS or (after != COMMA and start + STEP_TOKENS - 1 != last):
            return False
        a, b, op = a - ZERO, b - ZERO, op - FIRST_OPERATOR
        if a not in numbers:
            return False
        numbers.remove(a)
        if b not in numbers:
            return False
        numbers.remove(b)
        if not 0 <= op < len(OPERATORS):
            return False
        result = a + b if op == 0 else a - b if op == 1 else a * b
        if result != written - ZERO or not 0 <= result <= max_value:
            return False
        numbers.append(result)
    return result == target
