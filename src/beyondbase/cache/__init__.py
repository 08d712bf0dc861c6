"""Cached steps: what they are keyed by, how they are made, and many at once."""

from .gather import Planned, cores, gather, planning
from .sealed import Damaged, check, sealing
from .step import Step, ancestors

__all__ = ["Damaged", "Planned", "Step", "ancestors", "check", "cores", "gather", "planning", "sealing"]
