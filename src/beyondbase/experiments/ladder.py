"""A ladder of difficulties: what bases are asked first, so that each can be met where its competence ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..tasks import DependencyGraphs
from .bases import graphs
from .measurements import Sampled
from .policies import AnyPolicy
from .problems import HeldOut


def rungs(
    bases: Sequence[AnyPolicy],
    numbers: Sequence[int],
    count: int,
    n: int,
    seed: Callable[..., int],
    device: str = "cpu",
    **dials,
) -> dict[int, list[Sampled]]:
    """n attempts of every base at `count` problems with each of these numbers of operations: a list a rung.

    The problems are of those that training may see, so that none is among any held-out ones; `seed` makes a seed of
    names, as `Study.seed` does, and `dials` are those of `bases.graphs`. Claims that share seeds, bases and numbers
    share the rungs.
    """
    found = {}
    for number in numbers:
        asked = HeldOut(task=graphs([number], **dials), count=count, seed=seed("ladder", number), split="train")
        drawn = seed("samples", asked.seed)
        found[number] = [Sampled(policy=base, problems=asked, n=n, seed=drawn, device=device) for base in bases]
    return found


def readable(task: DependencyGraphs, max_positions: int) -> None:
    """ValueError where the task's longest texts are longer than models of `max_positions` tokens can read."""
    longest = task.max_prompt_tokens + task.max_completion_tokens
    if longest > max_positions:
        raise ValueError(
            f"problems of {max(task.operations)} operations take up to {longest} tokens, more than "
            f"max_positions={max_positions}: end the ladder lower, or give the models more positions"
        )
