"""vLLM's own environment: made on demand in `.venv-vllm`, because it wants other versions than this book's.

`python -m beyondbase.workers.vllm_environment` makes it. On a GPU the ordinary `vllm` of this environment serves.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from .. import bootstrap, paths
from .process import Failed

LOCK = "src/beyondbase/workers/vllm_packages/requirements.lock"
NAME = ".venv-vllm"


def make(root: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Install the locked packages and the torch build for this machine's CPU, once; `Failed` says what went wrong."""
    stamp, wanted = folder / "beyondbase.stamp", (root / LOCK).read_text()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    say("vllm: making its environment in .venv-vllm (once: 0.9 GB to download, 3.1 GB on disk)")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    config = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    torch = bootstrap.torch_request(bootstrap.local_wheel_folders(config, {}), gpu=False)
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    for what in (["--no-deps", "-r", str(root / LOCK)], torch):
        done = subprocess.run([*install, *what], cwd=root, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            raise Failed(f"its environment could not be made: {' '.join(said)[:200]}")
    stamp.write_text(wanted)


def settings(folder: Path, threads: int) -> dict[str, str]:
    """What vLLM needs to be fast on a CPU: without these it is several times slower."""
    openmp = folder / "lib" / "libiomp5.so"
    return {
        "LD_PRELOAD": str(openmp) if openmp.exists() else "",
        "VLLM_CPU_OMP_THREADS_BIND": f"0-{threads - 1}",
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        "VLLM_CONFIGURE_LOGGING": "1",
    }


def main() -> int:
    """Make it in this checkout; 1 with the reason where that fails."""
    root = paths.root()
    try:
        make(root, root / NAME, lambda line: print(line, file=sys.stderr, flush=True))
    except Failed as failed:
        print(f"vllm: {failed}", file=sys.stderr)
        return 1
    return 0


def version(python: str) -> str | None:
    """Version of vLLM in an environment, from its metadata alone."""
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True)
    names = json.loads(found.stdout) if found.returncode == 0 else {}
    return next((f"{name} {names[name]}" for name in ("vllm-cpu", "vllm") if name in names), None)


if __name__ == "__main__":
    raise SystemExit(main())
