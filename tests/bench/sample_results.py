"""Results of a benchmark that never ran: every number is made up, for the page and the table to be tried on."""

from __future__ import annotations

from typing import Any

from beyondbase.bench import goals

RATES = {"ours": 40_000.0, "generate": 5_000.0, "continuous": 1_000.0, "vllm": 9_000.0, "bound": 50_000.0}


def contestant(rate: float, tokens: int = 49_152) -> dict[str, Any]:
    return {
        "settings": {"dtype": "float32"},
        "seconds": [tokens / rate] * 3,
        "tokens": tokens,
        "tok_s": rate,
        "peak_mib": 512.5,
    }


def row(size: str, n: int, rates: dict[str, float]) -> dict[str, Any]:
    entries = {name: contestant(rate) for name, rate in rates.items()}
    if "vllm" not in rates:
        entries["vllm"] = {"settings": {}, "not_measured": "RuntimeError: <no such heads>"}
    ratios = {
        name: rates["ours"] / rates[name] if name in rates else None for name in ("generate", "continuous", "vllm")
    }
    return {
        "size": size, "n": n, "prompts": max(1, 1024 // n), "prompt_tokens": 48, "new_tokens": 48,
        "contestants": entries, "ratios": ratios, "share_of_bound": rates["ours"] / rates["bound"],
        "cache_bytes_per_token": 2.0e5,
    }  # fmt: skip


def points(ats: list, seconds: list[float]) -> list[dict[str, Any]]:
    return [
        {"at": at, "seconds": one, "tok_s": 1000.0, "tokens": 1000, "peak_mib": 500.0 + number}
        for number, (at, one) in enumerate(zip(ats, seconds, strict=True))
    ]


def results(*, vllm: bool = True, winner: bool = False) -> dict[str, Any]:
    """Full results; without vLLM, or with a peer that wins one comparison."""
    rates = {name: rate for name, rate in RATES.items() if vllm or name != "vllm"}
    slow = rates | {"generate": 80_000.0} if winner else rates
    step = {"ours": (1.0, 0.2), "trl": (4.5, 0.5)}
    found: dict[str, Any] = {
        "sampling": [
            row("tiny", 64, rates), *(row("small", n, rates) for n in (16, 64, 1024)), row("medium", 16, slow),
        ],
        "grpo": {
            "size": "small", "prompts": 16, "rollouts": 16, "ratios": {"trl": 4.5},
            "contestants": {
                name: contestant(12_288 / one) | {"step_seconds": one, "rollout_share": share}
                for name, (one, share) in step.items()
            },
        },
        "pretrain": {
            "size": "small", "batch": 64, "steps": 16, "ratios": {"trainer": 3.0},
            "contestants": {"ours": contestant(30_000.0), "trainer": contestant(10_000.0)},
        },
        "exact": {"size": "small", "problems": 100, "evaluation_seconds": 0.8, "contestants": {}},
        "growth": {
            "size": "small", "time_off_line": 0.03, "bytes_per_token": 20.0,
            "many": {"n": 100_000, "seconds": 60.0, "peak_mib": 700.0},
            "curves": {
                "n": points([64, 1024, 16384], [0.1, 1.0, 16.0]),
                "prompts": points([4, 16, 64], [0.1, 0.3, 1.1]),
                "length": points([12, 48, 192], [0.2, 0.9, 4.5]),
                "size": points(["tiny", "small", "medium"], [0.1, 0.4, 3.0]),
            },
        },
        "bandwidth": {"gb_s": 20.0, "contestants": {}},
        "device": "no device, test data", "threads": 2, "versions": {"python": "3.0"}, "commit": "0000000",
        "created": "2000-01-02 03:04 UTC", "measured_seconds": 900.0,
    }  # fmt: skip
    return found | {"goals": goals.judge(found), "peers_ahead": goals.peers_ahead(found)}
