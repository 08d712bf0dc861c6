"""Log-probabilities of a forest and their gradient as compiled loops (native/forest.c), a thread a core.

The numbers of the torch path of `logprobs.py` to rounding. No operator is dispatched between the matrix products, no
token is padding, a beginning that texts share is computed once, and the last layer leaves out tokens that predict
nothing anybody wants.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref, c_int32, c_int64, c_void_p

import numpy as np
import torch
from torch import Tensor

from beyondbase.native.build import library
from beyondbase.policy.forest import Forest
from beyondbase.policy.model import Layer, Policy

LANES = 16  # of native/vectors.h
NUMBERS = 2**24  # floats that a thread may keep between forward and backward: 64 MiB


class _Shape(ctypes.Structure):
    _fields_ = [(name, c_int32) for name in ("layers", "hidden", "heads", "kv_heads", "channels", "ffn", "vocabulary")]


class _Model(ctypes.Structure):
    _fields_ = [("shape", _Shape), *((name, c_void_p) for name in ("weights", "packed", "cosine", "sine"))]


class _LayerParameters(ctypes.Structure):
    _fields_ = [(name, c_void_p) for name in "before q q_bias k k_bias v v_bias out after gate up down".split()]


class _Parameters(ctypes.Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("embedding", "norm")),
        ("layer", ctypes.POINTER(_LayerParameters)),
        ("ffn", c_int32),
    ]


class _Forest(ctypes.Structure):
    _fields_ = [
        *((name, c_int64) for name in ("nodes", "pairs")),
        *((name, c_void_p) for name in ("tokens", "positions", "sources", "targets")),
    ]


def _engine() -> ctypes.CDLL | None:
    engine = library("forest")
    if engine is not None and engine.space_new.restype is not c_void_p:
        engine.space_new.restype = c_void_p
        engine.weights_size.restype = engine.packed_weights_size.restype = c_int64
        engine.pack_weights.argtypes = engine.fuse.argtypes = [c_void_p] * 3
        engine.unfuse.argtypes = [c_void_p] * 4
        engine.forward.argtypes = [*[c_void_p] * 4, ctypes.c_int]
        engine.backward.argtypes = [c_void_p] * 5
    return engine


def available(policy: Policy) -> bool:
    """Whether this policy's texts can go through the compiled loops: on a CPU, in float32, with a compiler at hand."""
    weight = policy.lm_head.weight
    return weight.device.type == "cpu" and weight.dtype == torch.float32 and _engine() is not None


def flat_weights(policy: Policy) -> Tensor:
    """The fused matrices one behind the other, as native/fuse.h lays them out."""
    shape = _shape(policy)
    weights = torch.zeros(_engine().weights_size(byref(shape)))
    parameters = _parameters(policy, lambda weight: weight.data_ptr())
    _engine().fuse(byref(shape), byref(parameters), weights.data_ptr())
    return weights


def add_gradient(policy: Policy, slopes: Tensor) -> None:
    """Add to the gradients of the policy's parameters what follows from that of its flat weights."""

    def address(weight: Tensor) -> int:
        weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad.contiguous()
        return weight.grad.data_ptr()

    own, slope = _parameters(policy, lambda weight: weight.data_ptr()), _parameters(policy, address)
    _engine().unfuse(byref(_shape(policy)), byref(own), slopes.data_ptr(), byref(slope))


def _shape(policy: Policy) -> _Shape:
    config = policy.config
    ffn = config.intermediate_size + -config.intermediate_size % LANES
    return _Shape(config.num_hidden_layers, config.hidden_size, *policy.heads, ffn, config.vocab_size)


def _parameters(policy: Policy, address: Callable[[Tensor], int]) -> _Parameters:
    layers = [_LayerParameters(*map(address, layer_parameters(layer))) for layer in policy.model.layers]
    outer = (policy.model.embed_tokens.weight, policy.model.norm.weight)
    return _Parameters(*map(address, outer), (_LayerParameters * len(layers))(*layers), policy.config.intermediate_size)


def layer_parameters(layer: Layer) -> list[Tensor]:
    """Parameters in the order of native/fuse.h."""
    a, m = layer.self_attn, layer.mlp
    projections = [x for part in (a.q_proj, a.k_proj, a.v_proj) for x in (part.weight, part.bias)]
    own = [layer.input_layernorm.weight, *projections, a.o_proj.weight, layer.post_attention_layernorm.weight]
    return [*own, m.gate_proj.weight, m.up_proj.weight, m.down_proj.weight]


# Buffers, one a thread, which grow to what the largest forest needs and stay for the next.
_idle: list[int] = []


def _space() -> int:
    try:
        return _idle.pop()
    except IndexError:
        return _engine().space_new()


class NativeForests:
    """A policy's flat weights, packed for the compiled loops."""

    def __init__(self, policy: Policy, weights: Tensor):
        shape = _shape(policy)
        self.engine, self.weights = _engine(), weights
        self.packed = torch.empty(self.engine.packed_weights_size(byref(shape)))
        self.engine.pack_weights(byref(shape), self.weights.data_ptr(), self.packed.data_ptr())
        rotations = policy.rotary(0, policy.config.max_position_embeddings)[:, 0]
        self.angles = rotations.real.contiguous(), rotations.imag.contiguous()
        addresses = [tensor.data_ptr() for tensor in (self.weights, self.packed, *self.angles)]
        self.model = _Model(shape, *addresses)

    def logprobs(self, forests: Sequence[Forest], out: Tensor) -> None:
        """Write the log-probabilities of the forests' wanted tokens to their places in `out` (n,), float32."""

        def work(own: Sequence[Forest]) -> None:
            space = _space()
            for forest in own:
                logp, _ = self._forward(space, forest, False)
                out[torch.from_numpy(forest.places)] = logp[torch.from_numpy(forest.pair)]
            _idle.append(space)

        in_threads(work, forests)

    def gradient(
        self, forests: Sequence[Forest], loss: Callable[[Tensor, Tensor], Tensor], out: Tensor
    ) -> tuple[float, Tensor]:
        """Summed loss of the forests and its gradient, laid out as the weights; `out` as in `logprobs`.

        `loss` is a scalar of log-probabilities (n',) and of their places (n',) among all wanted tokens.
        """

        def work(own: Sequence[Forest]) -> tuple[float, Tensor]:
            space, gradient, total = _space(), torch.zeros_like(self.weights), 0.0
            for forest in own:
                pairs, known = self._forward(space, forest, True)
                logp, places = pairs.requires_grad_()[torch.from_numpy(forest.pair)], torch.from_numpy(forest.places)
                out[places] = logp.detach()
                value = loss(logp, places)
                (slopes,) = torch.autograd.grad(value, pairs)
                slopes = slopes.contiguous()
                self.engine.backward(byref(self.model), space, byref(known), slopes.data_ptr(), gradient.data_ptr())
                total += value.item()
            _idle.append(space)
            return total, gradient

        losses, gradients = zip(*in_threads(work, forests), strict=True)
        return sum(losses), torch.stack(gradients).sum(0) if len(gradients) > 1 else gradients[0]

    def _forward(self, space: int, forest: Forest, train: bool) -> tuple[Tensor, _Forest]:
        """Log-probabilities of the pairs, and the forest as the compiled loop was given it."""
        arrays = [np.ascontiguousarray(array, np.int32) for array in forest[:4]]
        size = self.model.shape.vocabulary
        for ids in (arrays[0], arrays[3]):
            if ids.min() < 0 or ids.max() >= size:
                raise ValueError(f"token ids from {ids.min()} to {ids.max()}; the vocabulary has 0 to {size - 1}")
        known = _Forest(len(arrays[0]), len(arrays[2]), *(array.ctypes.data for array in arrays))
        known.kept = arrays  # alive as long as their addresses are
        logp = torch.empty(len(arrays[2]))
        if self.engine.forward(byref(self.model), space, byref(known), logp.data_ptr(), train):
            raise MemoryError(f"no memory for {len(arrays[0])} tokens a thread; lower the batch size")
        return logp, known


def tokens_at_once(policy: Policy, train: bool) -> int:
    """Tokens of a forest that a thread's buffers may hold."""
    config, heads = policy.config, policy.heads
    widths = 4 * config.hidden_size + 2 * (heads.query + heads.key) * heads.channels + 3 * config.intermediate_size
    layer = widths + heads.query * min(128, config.max_position_embeddings)
    return int(np.clip(NUMBERS // (layer * (config.num_hidden_layers if train else 1)), 128, 4096))


def in_threads(work: Callable, forests: Sequence[Forest]) -> list:
    """`work` of each thread's share of the forests; shares are always the same, so that results are, too."""
    threads = max(1, min(torch.get_num_threads(), len(forests)))
    shares = [forests[start::threads] for start in range(threads)]
    if threads == 1:
        return [work(shares[0])]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, shares))
