"""Next-token training and policy optimisation of a `Policy`; both change it in place and return a `History`."""

from beyondbase.train.grpo import reinforce
from beyondbase.train.guards import NonFinite
from beyondbase.train.history import History
from beyondbase.train.pretrain import pretrain

__all__ = ["History", "NonFinite", "pretrain", "reinforce"]
