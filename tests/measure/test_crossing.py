"""The crossing: interpolation, open ends, the ways not to cross, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from beyondbase.measure import crossing, k_grid, pass_at_k_from_logp
from beyondbase.measure.calibration import measure_crossing

NOISE = np.random.default_rng(1).normal(size=(3, 40))
NOISE -= NOISE.mean()


def table(curve, noise: float = 0.01) -> np.ndarray:
    """Values (K, 3, 40) whose mean is `curve` and whose interval has the same width at every k."""
    return np.asarray(curve, dtype=float)[:, None, None] + noise * NOISE


def test_interpolates_on_a_log_scale() -> None:
    found = crossing([1, 10, 100], table([0.1, 0.1, -0.3]))
    assert found.state == "crossing" and found.k == pytest.approx(10 * 10**0.25)
    assert 10 < found.low < found.k < found.high < 100


def test_a_point_on_zero_is_the_crossing() -> None:
    assert crossing([1, 10, 100], table([0.1, 0.0, -0.3])).k == pytest.approx(10)


def test_more_noise_widens_and_then_opens_the_set() -> None:
    ks, curve = 2.0 ** np.arange(9), np.linspace(0.1, -0.1, 9)
    sets = [crossing(ks, table(curve, noise)) for noise in (0.02, 0.1, 10)]
    assert sets[0].k == pytest.approx(16) and sets[1].low < sets[0].low < 16 < sets[0].high < sets[1].high
    assert sets[2].k == pytest.approx(16) and sets[2].low is None and sets[2].high is None


def test_never_ahead_always_ahead_and_merely_meeting() -> None:
    ks = [1, 10, 100, 1000]
    below = crossing(ks, table([-0.1, -0.2, -0.3, -0.1]))
    assert (below.k, below.state, below.possible) == (None, "below", False)
    above = crossing(ks, table([0.1, 0.2, 0.3, 0.2]))
    assert (above.k, above.state, above.possible, above.low, above.high) == (None, "above", False, None, None)
    meet = crossing(ks, np.concatenate([table([0.1, 0.2]), np.zeros((2, 3, 40))]))
    assert (meet.k, meet.state, meet.possible, meet.high) == (None, "meet", True, None)
    assert 10 < meet.low <= 100


def test_no_crossing_but_one_is_compatible_with_the_data() -> None:
    ks = [1, 10, 100, 1000]
    later = crossing(ks, table([0.1, 0.1, 0.1, 0.001]))
    assert later.state == "above" and later.possible and later.high is None and 100 < later.low < 1000
    earlier = crossing(ks, table([-0.001, -0.1, -0.1, -0.1]))
    assert earlier.state == "below" and earlier.possible and earlier.low is None and 1 < earlier.high < 10


def test_rounding_at_saturation_is_no_crossing() -> None:
    """Both models solve everything at large k; the difference is then a few units in the last place of either sign."""
    base, trained = np.log(np.full((3, 5), 0.3)), np.log(np.full((3, 5), 0.30001))
    ks = k_grid(10**6)
    difference = pass_at_k_from_logp(trained, ks) - pass_at_k_from_logp(base, ks)
    difference[-3:] -= 1e-16
    assert crossing(ks, difference).state == "meet"


def test_only_the_first_crossing_counts() -> None:
    found = crossing([1, 10, 100, 1000], table([0.1, -0.1, 0.1, -0.1]))
    assert found.k == pytest.approx(10**0.5) and found.high < 10


def test_coverage_of_the_confidence_set() -> None:
    rows = [measure_crossing(name, 3, 100, 200, 0, last_k=1024) for name in ("reversal", "saturated")]
    for row in rows:
        assert row.found > 0.98
        assert 0.93 - 0.055 < row.coverage < 0.97 + 0.03  # three standard errors of 200 studies


def test_text() -> None:
    assert str(crossing([1, 10, 100], table([0.1, 0.1, -0.3]))).startswith("k = 17.8 [")
    assert str(crossing([1, 10], table([-0.1, -0.2]))) == "no crossing (below)"


@pytest.mark.parametrize("ks", [[1, 1], [2, 1], [0, 1], [1]])
def test_ks_must_rise(ks: list[int]) -> None:
    with pytest.raises(ValueError, match="rising"):
        crossing(ks, np.zeros((len(ks), 3, 4)))


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="expected"):
        crossing([1, 2], np.zeros((3, 3, 4)))
