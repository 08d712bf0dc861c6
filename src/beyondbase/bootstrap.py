"""Set up the environment this repository runs in: `python3 src/beyondbase/bootstrap.py`.

Standard library only, because nothing is installed yet when it runs. It makes `.venv`, installs the hash-locked
requirements, then the torch build that fits the machine, then the package itself, and leaves a stamp so that the
next call returns at once. Torch is not in the lock: a lock would pin one of its builds (CPU, CUDA) for everybody.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH = "2.13.0"


def local_wheel_folders(pip_config: str, environment: dict[str, str]) -> list[str]:
    """Folders in which pip looks for wheels, from the text of `pip config list` and the environment."""
    named = " ".join(re.findall(r"find-links='([^']*)'", pip_config) + [environment.get("PIP_FIND_LINKS", "")])
    return [place for place in dict.fromkeys(named.split()) if Path(place).is_dir()]


def torch_wheel(folders: list[str]) -> Path | None:
    """A torch wheel of the wanted version for this interpreter and platform, or None."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    for folder in folders:
        for wheel in sorted(Path(folder).glob(f"torch-{TORCH}*-{python}-*.whl")):
            if sys.platform.startswith("linux") == ("linux" in wheel.name) and platform.machine() in wheel.name:
                return wheel
    return None


def torch_request(folders: list[str], gpu: bool) -> list[str]:
    """Arguments that make uv take the torch build for this machine.

    A wheel on disk wins where there is no GPU; otherwise uv picks the index: the driver's CUDA, or the CPU build,
    which spares a machine without a GPU gigabytes of CUDA libraries.
    """
    wheel = torch_wheel(folders)
    if wheel and not gpu:
        return ["--no-deps", str(wheel)]
    return [f"torch=={TORCH}", "--torch-backend", "auto" if gpu else "cpu"]


def fingerprint() -> str:
    """Hash of everything that decides what is installed."""
    digest = hashlib.sha256(f"{sys.version} {platform.platform()} {TORCH}".encode())
    for name in ("requirements.lock", "pyproject.toml", "src/beyondbase/bootstrap.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def call(*arguments: str | Path) -> None:
    command = [str(argument) for argument in arguments]
    print("  " + " ".join(command[:6]) + (" ..." if len(command) > 6 else ""), flush=True)
    if subprocess.run(command, cwd=ROOT).returncode:
        raise SystemExit(f"bootstrap: this step failed, fix what it printed and call again: {' '.join(command)}")


def main() -> None:
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        raise SystemExit(f"bootstrap: Python {platform.python_version()} found; 3.11, 3.12 or 3.13 is needed")
    environment = Path(os.environ.get("BEYONDBASE_VENV", ROOT / ".venv"))
    python = environment / "bin" / "python"
    stamp = environment / "beyondbase.stamp"
    wanted = fingerprint()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"setting up {environment.name} (once; about a minute)", flush=True)
    stamp.unlink(missing_ok=True)
    venv.create(environment, with_pip=True, clear=True)
    config = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, cwd=ROOT).stdout
    request = torch_request(local_wheel_folders(config, dict(os.environ)), gpu=shutil.which("nvidia-smi") is not None)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    call(*pip, "uv")
    uv = [python, "-m", "uv", "pip", "install", "--quiet", "--python", python]
    call(*uv, "--require-hashes", "--no-deps", "-r", ROOT / "requirements.lock")
    call(*uv, *request)
    call(*uv, "--no-deps", "--no-build-isolation", "-e", ROOT)
    stamp.write_text(wanted)


if __name__ == "__main__":
    main()
