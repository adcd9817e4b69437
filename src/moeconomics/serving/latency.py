"""Seconds of one prompt pass and of one decode step: the replaceable part of the cost model, as a roofline.

Per operator class the time is max(FLOPs/(η_c·F), bytes/(η_m·W)); classes (matrix products, attention over the
KV cache) and the tensor-parallel all-reduces add up, and each layer has a floor. Activations are not counted.
Axes: dimensions of the shape, batch and gpus broadcast.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from moeconomics.serving.deployment import Deployment
from moeconomics.shapes import (
    ModelShape,
    body_matmul_params,
    bytes_kv,
    counts,
    decode_flops,
    head_params,
    prefill_flops,
)
from moeconomics.units import BYTES_PER_ELEMENT, Array

BYTES_PER_ACTIVATION = 2  # activations cross the links as bf16
_QUANTILES = 16  # of the experts, by load, in the mean over a skewed router


class Latency(Protocol):
    """Anything that can time the two phases of serving, in seconds; L^P and L^D of the paper's Eq. 5."""

    def prefill_s(self, shape: ModelShape, prompts: Array, prompt_len: Array, gpus: Array) -> Array:
        """Time of one pass over `prompts` prompts (≥ 1, may be fractional) of `prompt_len` tokens."""
        ...

    def decode_s(self, shape: ModelShape, batch: Array, context: Array, gpus: Array) -> Array:
        """Time of one step that decodes one token of each of `batch` sequences of `context` cached tokens."""
        ...


@dataclass(frozen=True, kw_only=True)
class Efficiency:
    """Shares of the peak rates that kernels reach, and the time below which no layer goes.

    Assumed, from published kernel timings (NVIDIA AIConfigurator 0.12.0 tables; A100 to B200): matrix products
    0.56-0.89 of peak FLOPs at 1k-16k rows and MoE products 0.2-0.7; memory streams 0.6-0.92 of peak bandwidth;
    measured decode steps leave 65-130 µs a layer beyond the ideal memory time.
    """

    compute: float
    memory: float
    floor_s_per_layer: float


ASSUMED = Efficiency(compute=0.6, memory=0.8, floor_s_per_layer=100e-6)
OPTIMISTIC = Efficiency(compute=0.85, memory=0.92, floor_s_per_layer=65e-6)
PESSIMISTIC = Efficiency(compute=0.35, memory=0.6, floor_s_per_layer=130e-6)


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """Modelled latency of a tensor-parallel replica."""

    deployment: Deployment
    efficiency: Efficiency

    def prefill_s(self, shape: ModelShape, prompts: Array, prompt_len: Array, gpus: Array) -> Array:
        """Weights stream once for all prompts; the KV cache is written, not read."""
        tokens = prompts * prompt_len
        flops = prompts * prefill_flops(shape, prompt_len)
        return self._operator_s(flops, self._bytes_weights_read(shape, tokens), gpus) + self._layers_s(
            shape, tokens, gpus
        )

    def decode_s(self, shape: ModelShape, batch: Array, context: Array, gpus: Array) -> Array:
        """Matrix products stream the weights; attention streams the KV cache."""
        flops_products = 2 * (body_matmul_params(shape) + head_params(shape))
        flops_scores = decode_flops(shape, context) - flops_products
        kv = kv_copies(shape, gpus) * bytes_kv(shape, context, self.deployment.kv_precision)
        return (
            self._operator_s(batch * flops_products, self._bytes_weights_read(shape, batch), gpus)
            + self._operator_s(batch * flops_scores, batch * kv, gpus)
            + self._layers_s(shape, batch, gpus)
        )

    def _operator_s(self, flops: Array, bytes_read: Array, gpus: Array) -> Array:
        chip, reached = self.deployment.chip, self.efficiency
        compute_s = flops / (reached.compute * self.deployment.flops_per_s)
        memory_s = bytes_read / (reached.memory * chip.bytes_per_s_memory)
        return np.maximum(compute_s, memory_s) / gpus

    def _bytes_weights_read(self, shape: ModelShape, tokens: Array) -> Array:
        """All weights but the input embedding and the experts that none of `tokens` is routed to."""
        group = counts(shape)
        touched = distinct_experts(shape.n_experts, shape.top_k, tokens) / shape.n_experts
        always = group.n_total - group.embedding - group.routed_experts + head_params(shape)
        return (always + touched * group.routed_experts) * BYTES_PER_ELEMENT[self.deployment.precision]

    def _layers_s(self, shape: ModelShape, tokens: Array, gpus: Array) -> Array:
        """Floor, and two ring all-reduces of the activations, in each layer."""
        bytes_reduced = 2 * tokens * shape.d_model * BYTES_PER_ACTIVATION * 2 * (gpus - 1) / gpus
        return shape.n_layers * (
            self.efficiency.floor_s_per_layer + bytes_reduced / self.deployment.chip.bytes_per_s_link
        )


def distinct_experts(experts: Array, top_k: Array, tokens: Array, skew: float = 0.0) -> Array:
    """Expected number of experts that `tokens` tokens touch: Σ(1 − (1 − q_i)^B), Σq_i = k.

    Uniform routing, `skew` 0, has q_i = k/E. A skewed router (0 < skew < 1/2) has q ∝ (1 − u)^−skew over the share u of
    the experts, from the least to the most used; at 0.4 the busiest tenth takes a quarter of the tokens.

    >>> round(float(distinct_experts(8, 2, 4)), 4), round(float(distinct_experts(8, 2, 4, skew=0.4)), 4)
    (5.4688, 5.1705)
    """
    share = np.asarray(top_k) / experts
    if skew == 0:
        return experts * (1 - (1 - share) ** tokens)
    u = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    relative = (1 - u) ** -skew
    missed: Array = sum(
        (1 - np.minimum(share * load, 1.0)) ** np.asarray(tokens) for load in relative / np.mean(relative)
    )
    return experts * (1 - missed / _QUANTILES)


def kv_copies(shape: ModelShape, gpus: Array) -> Array:
    """How often tensor parallelism stores each KV element: KV heads are copied when there are more GPUs."""
    return np.maximum(1, gpus / np.asarray(shape.attention.kv_heads_to_shard))
