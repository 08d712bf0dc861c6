"""The sampler's CPU path: all steps of all rows inside one compiled loop (native/sampler.c), a thread a core.

Same distribution, same uniforms, same result to rounding as the torch path of `sampler.py`, which is its specification.
What it leaves out is everything between the products: no operator is dispatched and no intermediate leaves the cache.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import POINTER, byref, c_float, c_int32, c_int64, c_void_p

import torch
import torch.nn.functional as F
from torch import Tensor

from beyondbase.native.build import library
from beyondbase.policy.fused import FusedLayer, normalise
from beyondbase.policy.model import Policy
from beyondbase.policy.torch_sampler import by_length

LANES = 16  # of native/vectors.h
PROMPT_TOKENS = 65536  # whose keys and values are held at a time
PROMPTS_AT_ONCE = 256  # in one forward pass


class _Layer(ctypes.Structure):
    _fields_ = [(name, c_void_p) for name in ("qkv", "qkv_bias", "out", "gate_up", "down")]


class _Model(ctypes.Structure):
    _fields_ = [
        *((name, c_int32) for name in ("layers", "hidden", "heads", "kv_heads", "channels", "ffn", "vocabulary")),
        ("layer", POINTER(_Layer)),
        *((name, c_void_p) for name in ("embedding", "output", "cosine", "sine")),
    ]


class _Prompt(ctypes.Structure):
    _fields_ = [("length", c_int32), *((name, c_void_p) for name in ("keys", "values", "logits"))]


class _Job(ctypes.Structure):
    _fields_ = [
        ("prompts", POINTER(_Prompt)),
        *((name, c_int64) for name in ("count", "samples", "max_tokens", "stop")),
        ("top_p", c_float),
        ("slots", c_int64),
        *((name, c_void_p) for name in ("uniforms", "tokens", "logprobs")),
        ("next", POINTER(c_int64)),
    ]


def available(policy: Policy) -> bool:
    """Whether this policy can be sampled by the compiled loop: on a CPU, in float32, with a compiler at hand."""
    weight = policy.lm_head.weight
    return weight.device.type == "cpu" and weight.dtype == torch.float32 and library("sampler") is not None


def fast_rows(policy: Policy) -> int:
    """Rows a thread does best to compute at once, measured at 0.2M, 1M and 10M parameters.

    Many where weights are read from memory for every token, few where the rows' own keys and values are.
    """
    return min(192, max(48, policy.parameter_count() // 40_000))


class NativeSampler:
    """A policy's weights, packed for the compiled loop; good until they change."""

    def __init__(self, policy: Policy, temperature: float):
        config, heads = policy.config, policy.heads
        self._policy, self._kept = policy, []
        layers = (_Layer * config.num_hidden_layers)(*(self._layer(layer.fused()) for layer in policy.model.layers))
        rotations = policy.rotary(0, config.max_position_embeddings)[:, 0]
        self._output = policy.output_matrix() / temperature
        self._model = _Model(
            *(config.num_hidden_layers, config.hidden_size, *heads, config.intermediate_size, config.vocab_size),
            layers,
            *(self._keep(policy.model.embed_tokens.weight), self._keep(pack(self._output))),
            *(self._keep(rotations.real), self._keep(rotations.imag)),
        )

    def _keep(self, tensor: Tensor) -> int:
        """Address of the tensor's contiguous numbers, which stay alive with this object."""
        self._kept.append(tensor.detach().contiguous())
        return self._kept[-1].data_ptr()

    def _layer(self, layer: FusedLayer) -> _Layer:
        return _Layer(
            self._keep(pack(layer.qkv)),
            self._keep(F.pad(layer.qkv_bias, (0, -len(layer.qkv_bias) % (2 * LANES)))),
            self._keep(pack(layer.out)),
            self._keep(pack_gates(layer.gate, layer.up)),
            self._keep(pack(F.pad(layer.down, (0, -layer.down.shape[1] % LANES)))),
        )

    def draw(
        self,
        prompts: Sequence[Sequence[int]],
        uniforms: Tensor,
        tokens: Tensor,
        logprobs: Tensor,
        *,
        stop: int,
        top_p: float,
        rows: int,
    ) -> None:
        """Write tokens and log-probabilities (P, m, L) of m samples of each prompt, from uniforms of that shape.

        At most `rows` rows are computed at a time. The samples of a thread that are under way never wait for others.
        """
        together = max(1, PROMPT_TOKENS // max(map(len, prompts)))
        for first in range(0, len(prompts), together):
            part = slice(first, first + together)
            self._draw(prompts[part], uniforms[part], tokens[part], logprobs[part], stop, top_p, rows)

    def _draw(self, prompts, uniforms, tokens, logprobs, stop: int, top_p: float, rows: int) -> None:
        count, samples, length = uniforms.shape
        threads = max(1, min(torch.get_num_threads(), rows, count * samples // LANES))
        slots = min(rows // threads, -(-count * samples // threads))
        prefix, kept = self._prefill(prompts)
        job = _Job(
            (_Prompt * count)(*prefix),
            *(count, samples, length, stop, top_p, slots),
            *(tensor.data_ptr() for tensor in (uniforms, tokens, logprobs)),
            ctypes.pointer(c_int64(0)),
        )
        run = library("sampler").sample
        with ThreadPoolExecutor(threads) as pool:
            failed = list(pool.map(lambda _: run(byref(self._model), byref(job)), range(threads)))
        del kept  # the prompts' keys and values, read until here
        if any(failed):
            raise MemoryError(f"no memory for {slots} rows of {length} tokens in each of {threads} threads")

    def _prefill(self, prompts: Sequence[Sequence[int]]) -> tuple[list[_Prompt], list[Tensor]]:
        """Keys, values and first logits of every prompt, and the tensors that hold them."""
        result: list[_Prompt] = [_Prompt()] * len(prompts)
        kept = []
        for members in by_length(prompts, PROMPTS_AT_ONCE):
            ids = torch.tensor([list(prompts[i]) for i in members])
            hidden, cache = self._policy.hidden(ids, ids.shape[1] - 1)
            logits = F.linear(normalise(hidden[:, -1]), self._output)
            length, channels = ids.shape[1], self._policy.heads.channels
            blocks = [F.pad(k.mT, (0, -length % LANES)).unflatten(-1, (-1, LANES)).transpose(-3, -2) for k, _ in cache]
            keys = torch.stack(blocks, 1)  # (p, layers, K, T / 16, D, 16)
            values = torch.stack([F.pad(v, (0, -channels % LANES)) for _, v in cache], 1)  # (p, layers, K, T, D)
            kept += [keys, values, logits]
            for row, i in enumerate(members):
                result[i] = _Prompt(length, *(tensor[row].data_ptr() for tensor in (keys, values, logits)))
        return result, kept


def pack(matrix: Tensor) -> Tensor:
    """Panels (O / 32, I, 32) of a matrix (O, I), the outputs padded with zeros."""
    padded = F.pad(matrix, (0, 0, 0, -matrix.shape[0] % (2 * LANES)))
    return padded.unflatten(0, (-1, 2 * LANES)).mT.contiguous()


def pack_gates(gate: Tensor, up: Tensor) -> Tensor:
    """Panels of 16 gates beside the 16 values that they open, from matrices (F, I)."""
    rows = -gate.shape[0] % LANES
    both = [F.pad(matrix, (0, 0, 0, rows)).unflatten(0, (-1, LANES)) for matrix in (gate, up)]
    return pack(torch.stack(both, 1).flatten(0, 2))
