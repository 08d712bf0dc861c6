"""Cached steps: what they are keyed by, how they are made, and many at once."""

from .gather import cores, gather
from .sealed import Damaged, check, sealing
from .step import Step, ancestors

__all__ = ["Damaged", "Step", "ancestors", "check", "cores", "gather", "sealing"]
