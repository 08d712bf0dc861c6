"""Small things that several adapters need; torch is imported by whoever calls them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def timed(call: Callable[[], Any], device: str) -> tuple[float, Any]:
    """Seconds of a call and its result; waits for a GPU before and after."""
    import torch

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    wait()
    begun = time.perf_counter()
    result = call()
    wait()
    return time.perf_counter() - begun, result


def has_bfloat16(device: str) -> bool:
    """Whether the hardware multiplies bfloat16; where it does not, nobody is offered it: it is emulated, and slow."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in names)


def dtypes(device: str) -> list[str]:
    """The number formats worth trying."""
    return ["float32", "bfloat16"] if has_bfloat16(device) else ["float32"]


def gpu_peak(device: str) -> dict[str, float]:
    """`peak_mib` of the GPU where one computes; nothing on a CPU, where the worker measures the process."""
    import torch

    if device != "cuda":
        return {}
    peak = torch.cuda.max_memory_allocated() / 2**20
    torch.cuda.reset_peak_memory_stats()
    return {"peak_mib": peak}
