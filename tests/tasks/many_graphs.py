"""Gold solutions of many random graphs, and every single corruption of each, against the verifier.

    python tests/tasks/many_graphs.py --graphs 100000

Four kinds of graphs, a quarter each. Prints one line of JSON a kind: how many gold solutions were verified correct, how
many corruptions (wrong value, wrong parent, missing step, wrong or missing answer) were rejected, the seconds of one
core that this took, and how many problems a second of a core the generator draws, writes and encodes. A judgement that
is wrong ends it with the problem and the text.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np
from test_graphs_verify import check_gold_and_single_corruptions

from beyondbase.tasks.graphs import DependencyGraphs

KINDS = [
    {"form": "one_hop", "operations": tuple(range(2, 13)), "context": "A"},
    {"form": "full", "operations": tuple(range(2, 13)), "context": "B"},
    {"form": "full", "operations": tuple(range(2, 11)), "context": "C", "reverse": True},
    {"form": "one_hop", "operations": tuple(range(2, 21)), "context": "C"},
]
GENERATED = 10_000  # problems for the generator's speed


def main(arguments: list[str]) -> None:
    """Checks every kind and prints what was found; raises AssertionError at the first wrong judgement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=100_000, help="how many in all")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args(arguments)
    for kind in KINDS:
        begun = time.process_time()
        task = DependencyGraphs(distractors=3, **kind)
        gold, rejected = check_gold_and_single_corruptions(task, options.graphs // len(KINDS), options.seed)
        checked = time.process_time()
        task.encoded_games(GENERATED, "train", np.random.default_rng(options.seed))
        rate = GENERATED / (time.process_time() - checked)
        counts = {
            "gold": gold,
            "rejected": rejected,
            "seconds": round(checked - begun),
            "generated_a_second": round(rate),
        }
        print(json.dumps(kind | counts), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
