"""Beyond the Base Model: does reinforcement learning widen what a language model can solve?"""

__version__ = "0.1.0"
