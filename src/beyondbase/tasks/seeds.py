"""Seeds derived by hashing names, so that neighbouring runs never share a stream."""

from __future__ import annotations

import hashlib


def derive_seed(*names: object) -> int:
    """A 63-bit seed from any names: `derive_seed("passk-reversal", "laptop", 3, "pretrain")`.

    Names are joined by a separator that `str` of numbers and words never contains, then hashed with SHA-256: seeds of
    neighbouring names are unrelated, unlike `seed + i`.
    """
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
