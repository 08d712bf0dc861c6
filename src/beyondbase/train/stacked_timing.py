"""How long a step of S stacked policies takes, beside a step of one: `python -m beyondbase.train.stacked_timing cuda`.

Prints seconds a step for one policy by `pretrain` and `reinforce`, and for stacks of 1 and of 8. Wall time of whole
steps, with games, grading and everything else that the host does; the first steps are not timed.
"""

from __future__ import annotations

import argparse
import json
import time

from beyondbase.policy.model import Policy
from beyondbase.tasks import Countdown
from beyondbase.train import pretrain, reinforce, stacked

TASK = Countdown(operands=(3, 4))


def seconds(
    members: int | None, device: str, *, size: str = "tiny", tokens: int = 300_000, steps: int = 20
) -> dict[str, float]:
    """Seconds a step, by name, of `members` stacked policies, or of one without a stack where `members` is None.

    pretrain: `tokens` tokens a policy in batches of 64 games; reinforce: `steps` steps of 32 x 16 rollouts from what
    that gave; mixed: the mean share of groups that taught anything, as a policy that never succeeds is quick to train.
    """
    policies = [Policy.init(TASK.vocabulary, size, seed).to(device) for seed in range(members or 1)]
    if members is None:
        jobs = {"policy": policies[0], "seed": 0}
        first, then = pretrain, reinforce
    else:
        jobs = {"policies": policies, "seeds": range(members)}
        first, then = stacked.pretrain, stacked.reinforce
    first(**jobs, task=TASK, tokens=2_000, progress=False)
    then(**jobs, task=TASK, steps=1, progress=False)
    begun = time.perf_counter()
    history = first(**jobs, task=TASK, tokens=tokens, progress=False)
    middle = time.perf_counter()
    taught = then(**jobs, task=TASK, steps=steps, progress=False)
    end = time.perf_counter()
    histories, taught = ([history], [taught]) if members is None else (history, taught)
    mixed = [row["mixed"] for history in taught for row in history]
    return {
        "pretrain": (middle - begun) / max(map(len, histories)),
        "reinforce": (end - middle) / steps,
        "mixed": sum(mixed) / len(mixed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("device", help='"cuda" or "cpu"')
    parser.add_argument("--size", default="tiny", help="tiny, small, medium or large")
    parser.add_argument("--tokens", type=int, default=300_000, help="of pre-training, a policy")
    parser.add_argument("--steps", type=int, default=20, help="of policy optimisation")
    given = parser.parse_args()
    for name, members in (("one", None), ("stack of 1", 1), ("stack of 8", 8)):
        found = seconds(members, given.device, size=given.size, tokens=given.tokens, steps=given.steps)
        print(json.dumps({"what": name, **found}), flush=True)


if __name__ == "__main__":
    main()
