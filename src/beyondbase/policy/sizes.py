"""One dial for the size of a policy."""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """Shape of a Qwen2 decoder: width, depth, query heads, key-value heads (GQA when fewer), width of the gated MLP."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int


SIZES: dict[str, Size] = {
    "tiny": Size(hidden=64, layers=4, heads=4, kv_heads=4, ffn=176),  # 0.2M parameters, seconds to minutes on a CPU
    "small": Size(hidden=128, layers=5, heads=4, kv_heads=4, ffn=352),  # 1M
    "medium": Size(hidden=384, layers=6, heads=6, kv_heads=2, ffn=1024),  # 10M, wants a GPU
    "large": Size(hidden=768, layers=12, heads=12, kv_heads=4, ffn=2816),  # 100M
}


def size_of(name: str | Size) -> Size:
    """The shape behind a name of the dial; a `Size` passes through, so that tests and studies can use their own."""
    if isinstance(name, Size):
        return name
    if name not in SIZES:
        raise ValueError(f"unknown model size {name!r}; choose one of {', '.join(SIZES)}")
    return SIZES[name]
