"""`beyondbase sample` from Python: one call, one store, in this process or in jobs of the cluster in force."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from .. import paths
from ..cache import cluster
from ..cache.fingerprint import digest
from . import command
from .options import add_options
from .text import revision_of


def sample(model: str | Path, benchmark: str, *, jobs: int = 1, **options: Any) -> Path:
    """Fill a store as `beyondbase sample --model MODEL --benchmark BENCHMARK` does, and give its folder.

    `options` are those of the command line with "_" for "-"; None stands for its default. Without `out` the store is in
    this machine's runs, under a name that stands for everything that may not change within a store, so that a larger
    `n` or `limit` adds to it. Under a cluster `jobs` jobs fill it.

    from beyondbase.sampling.calling import sample
    store = sample("Qwen/Qwen2.5-0.5B", "math500", n=128, name="base")
    """
    parser = argparse.ArgumentParser()
    add_options(parser)
    chosen = parser.parse_args(["--model", str(model), "--benchmark", benchmark])
    if unknown := sorted(options.keys() - vars(chosen).keys()):
        raise ValueError(f"no option {unknown[0]!r} of sampling; there are: {', '.join(sorted(vars(chosen)))}")
    vars(chosen).update({name: value for name, value in options.items() if value is not None})
    if chosen.out is None:
        chosen.out = str(_place(chosen))
    if cluster.active():
        from .cluster import main

        chosen.cluster, chosen.slurm, chosen.jobs = "slurm", os.environ.get(cluster.SLURM, ""), jobs
        main(chosen)
    else:
        with command.prepared(chosen) as plan:
            command.fill(plan)
    return Path(chosen.out)


GROWING = {
    "n",
    "limit",
    "shard",
    "out",
    "grade",
    "grader",
    "regrade",
    "batch",
    "tensor_parallel",
    "data_parallel",
    "engine",
}


def _place(options: argparse.Namespace) -> Path:
    """A folder for a store with these settings: its name is told by them, the model's own content included."""
    fixed = {name: str(value) for name, value in vars(options).items() if name not in GROWING}
    fixed["model"] = revision_of(options.model, options.revision)
    name = options.name or Path(options.model).name
    short = f"{name}--{Path(options.benchmark).stem}".replace("/", "--")
    return paths.runs() / "samples" / f"{short}-{digest(fixed)}"
