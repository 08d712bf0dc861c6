"""Early, clear failure: arguments that cannot work and quantities that stopped being numbers."""

from __future__ import annotations

import math


class NonFinite(RuntimeError):
    """A loss, gradient norm or log-probability became NaN or infinite, so that every later step would be lost."""

    def __init__(self, step: int, quantity: str, value: float, fix: str) -> None:
        super().__init__(f"step {step}: {quantity} is {value}; likely fix: {fix}")
        self.step, self.quantity, self.value, self.fix = step, quantity, value, fix


def require_finite(value: float, *, step: int, quantity: str, fix: str) -> float:
    """`value` itself, or NonFinite saying at which step which quantity failed and what probably helps."""
    if not math.isfinite(value):
        raise NonFinite(step, quantity, value, fix)
    return value


def require(holds: bool, name: str, value: object, fix: str) -> None:
    """Raises ValueError naming the argument, its value and the fix unless `holds`."""
    if not holds:
        raise ValueError(f"{name}={value!r}: {fix}")


def require_learning_rate(value: float) -> None:
    """Raises ValueError unless the learning rate is a finite positive number."""
    require(math.isfinite(value) and value > 0, "learning_rate", value, "give a finite rate above 0, such as 4e-3")
