"""Compile a C file of this folder for the machine at hand and load it.

The C is plain (GCC's vector extensions, no intrinsics, no threads, no libraries), so that any gcc or clang builds it in
about a second; the result is kept under a name that hashes source, compiler and processor. Without a compiler, or with
BEYONDBASE_NATIVE=0, there is no library and callers take their plain torch path, which is the specification.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from beyondbase.paths import runs

HERE = Path(__file__).parent
# No -ffast-math: gcc would switch the whole process to flushing denormal numbers when the library is loaded.
FLAGS = ("-O3", "-std=gnu11", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
log = logging.getLogger("beyondbase.native")


class CompileError(RuntimeError):
    """The compiler refused a C file of this package; the message is the compiler's."""


def enabled() -> bool:
    """Whether native loops are wanted (BEYONDBASE_NATIVE is not 0) and a compiler is there."""
    return os.environ.get("BEYONDBASE_NATIVE", "1") != "0" and compiler() is not None


@functools.cache
def compiler() -> str | None:
    """Path of the C compiler: $CC, else cc, gcc or clang; None where there is none."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and (path := shutil.which(name)):
            return path
    return None


def library(name: str) -> ctypes.CDLL | None:
    """The library of `name`.c, built if it is not there yet; None where native loops are not `enabled`."""
    return _load(name) if enabled() else None


@functools.cache
def _load(name: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(_built(name)))
    except (CompileError, OSError) as error:
        log.warning("no native %s, the plain path is used: %s", name, error)
        return None


def _built(name: str) -> Path:
    command = [compiler(), *FLAGS, _tuning()]
    text = b"".join(path.read_bytes() for path in (*sorted(HERE.glob("*.h")), HERE / f"{name}.c"))
    digest = hashlib.sha256(text + repr((command, _processor())).encode()).hexdigest()[:16]
    target = runs() / "native" / f"{name}-{digest}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as aside:
            fresh = Path(aside) / target.name
            done = subprocess.run(
                [*command, str(HERE / f"{name}.c"), "-o", str(fresh), "-lm"], capture_output=True, text=True
            )
            if done.returncode:
                raise CompileError(f"{' '.join(command)} {name}.c: {done.stderr.strip()[:2000]}")
            os.replace(fresh, target)  # several processes may build at once: each sees a whole file
    return target


def _tuning() -> str:
    """gcc and clang name the processor at hand by -march on x86 and by -mcpu elsewhere."""
    return "-march=native" if platform.machine().lower() in ("x86_64", "amd64") else "-mcpu=native"


@functools.cache
def _processor() -> str:
    """What decides which instructions may run: a home folder may be shared by unlike machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"
