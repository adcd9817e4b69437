"""Seconds of a decode step and of a prefill pass as a sum over operators: the latency of the operator model.

Per GPU and layer: attention's projections, attention, dense FFN, router, routed and shared experts, the all-reduces of
tensor parallelism and the all-to-all of expert parallelism; once a step the output head and sampling. Each takes its
`Kernel`'s time; `steady` adds the engine's floors and its residual factor.
Axes: dimensions of the shape, degrees of the layout, batch and lengths broadcast. Theory: Yun et al. 2024, App. C, with
the operators of DeepSeek-V3 (arXiv 2412.19437, section 3.4) and NVIDIA AIConfigurator (arXiv 2601.06288).
"""

from dataclasses import dataclass

import numpy as np

from moeconomics.hardware import Chip
from moeconomics.serving.coefficients import Coefficients
from moeconomics.serving.kernels import Format, bytes_each
from moeconomics.serving.latency import BYTES_PER_ACTIVATION, distinct_experts
from moeconomics.serving.layout import Layout
from moeconomics.shapes import ModelShape, head_params
from moeconomics.units import Array

MAX_TOKENS_PER_STEP = 8192  # chunk of chunked prefill: vLLM's and SGLang's default on data-centre GPUs
BYTES_PER_LOGIT = 4  # sampled in float32
BYTES_DISPATCHED = 1  # per activation sent to its experts, fp8; they come back as bf16

Times = dict[str, Array]  # seconds by operator


@dataclass(frozen=True, kw_only=True)
class Operators:
    """The operator model of one chip, engine and format. `skew` is the router's, see `distinct_experts`."""

    chip: Chip
    stored: Format
    coefficients: Coefficients
    skew: float = 0.0

    def decode(self, shape: ModelShape, layout: Layout, batch: Array, context: Array) -> Times:
        """One decode step: each of `batch` sequences of a replica gets a token after `context` cached ones.

        With pp stages, pp groups of batch/pp sequences are in flight; a step is one group's way through all of them.
        """
        tokens = np.maximum(batch / layout.pp, 1.0)  # a step of a stage has a request, or there is no step
        rows = np.maximum(tokens / layout.dp, 1.0)
        cached = _cached_tokens(shape, context)
        linear, state = shape.n_linear_layers, shape.linear_attention
        kv = cached * shape.attention.kv_elements() * kv_share(shape, layout) * bytes_each(self.stored.kv)
        states = linear * 2 * state.state_bytes() / layout.tp  # read and written back
        scores = shape.attention.score_flops(cached, cached=True) + linear * state.token_flops()
        times = self._matrices(shape, layout, rows, tokens, rows)
        times["attention"] = self._attention(
            "attention", rows * (kv + states), rows * scores / layout.tp, rows, shape.n_layers
        )
        return times

    def prefill(
        self, shape: ModelShape, layout: Layout, tokens: Array, prompt_len: Array, cached_len: Array = 0.0
    ) -> Times:
        """One pass over `tokens` prompt tokens of each attention rank, of `prompt_len` tokens after `cached_len`."""
        rows = np.maximum(tokens, 1.0)
        times = self._matrices(shape, layout, rows, rows * layout.dp, rows / prompt_len)
        seen = _cached_tokens(shape, cached_len + prompt_len / 2)  # a causal token sees half of its prompt
        linear = shape.n_linear_layers
        written = (shape.n_layers - linear) * shape.attention.kv_elements() * kv_share(shape, layout)
        scores = shape.attention.score_flops(seen, cached=False) + linear * shape.linear_attention.token_flops()
        times["attention"] = self._attention(
            "context_attention",
            rows * written * bytes_each(self.stored.kv),
            rows * scores / layout.tp,
            np.minimum(prompt_len, rows),
            shape.n_layers,
        )
        return times

    def _attention(self, operator: str, bytes_moved: Array, flops: Array, rows: Array, layers: Array) -> Array:
        """All layers together: `bytes_moved` and `flops` are sums over them, a launch in each."""
        kernel = self.coefficients.kernels[operator, self.stored.kv]
        busy_s = kernel.seconds(bytes_moved, flops, rows, self.stored.rates(self.chip, "bf16")) - kernel.t0_s
        return layers * kernel.t0_s + busy_s

    def _matrices(self, shape: ModelShape, layout: Layout, rows: Array, tokens: Array, last: Array) -> Times:
        """All but attention: `rows` tokens of one attention rank, `tokens` of all, `last` that reach the head."""
        d, layers, moe = np.asarray(shape.d_model, dtype=float), shape.n_layers, shape.n_moe_layers
        tp = layout.tp
        linear = shape.n_linear_layers
        # Each attention has a product into its heads and one out of them.
        halves = [one.matrix_params(d) / 2 / tp for one in (shape.attention, shape.linear_attention)]
        softmax, gated_delta = (2 * self._gemm(half, rows, self.stored.dense) for half in halves)
        dense = (layers - moe) * self._ffn(d, shape.d_ff, layout, rows)
        shared = moe * self._ffn(d, shape.n_shared_experts * np.asarray(shape.d_shared), layout, rows)
        logits = last * shape.vocab_size / tp * BYTES_PER_LOGIT
        head = head_params(shape) / tp
        # Experts that are split over the attention ranks and not spread see the tokens of all of them.
        split = (np.asarray(layout.dp) > 1) & (np.asarray(layout.ep) == 1)
        gathered = split * self._all_reduce(rows * layout.dp * d * BYTES_PER_ACTIVATION, layout.gpus_of_stage)
        return {
            "attention_projections": (layers - linear) * softmax + linear * gated_delta,
            "dense_ffn": dense,
            "router": moe * self._gemm(d * shape.n_experts, rows, "bf16"),
            "experts": moe * self._experts(shape, layout, tokens),
            "shared_experts": shared,
            "all_reduce": 2 * layers * self._all_reduce(rows * d * BYTES_PER_ACTIVATION, tp) + moe * gathered,
            "all_to_all": moe * self._all_to_all(shape, layout, rows),
            "pipeline": self._sends(rows * d * BYTES_PER_ACTIVATION, layout),
            "head": self._gemm(head, np.maximum(last, 1.0), "bf16"),
            "sampling": 2 * logits / self.chip.bytes_per_s_memory,
        }

    def _gemm(self, params: Array, rows: Array, stored: str) -> Array:
        """A dense product of `rows` rows with a matrix of `params` weights on this GPU; its activations are small."""
        kernel = self.coefficients.kernels["gemm", stored]
        return kernel.seconds(
            params * bytes_each(stored), 2 * rows * params, rows, self.stored.rates(self.chip, stored)
        )

    def _ffn(self, d_model: Array, width: Array, layout: Layout, rows: Array) -> Array:
        """Gate and up in one product, down in another; nothing for no width."""
        gate_up = self._gemm(2 * d_model * width / layout.tp, rows, self.stored.dense)
        down = self._gemm(d_model * width / layout.tp, rows, self.stored.dense)
        return (np.asarray(width) > 0) * (gate_up + down)

    def _experts(self, shape: ModelShape, layout: Layout, tokens: Array) -> Array:
        """The grouped product on the busiest GPU."""
        kernel = self.coefficients.kernels["experts", self.stored.experts]
        weights = 3 * np.asarray(shape.d_model, dtype=float) * shape.d_expert * layout.ep / layout.gpus_of_stage
        touched = distinct_experts(shape.n_experts, shape.top_k, tokens, self.skew) / layout.ep
        assigned = tokens * shape.top_k / layout.ep * busiest_rank(shape, layout, tokens, self.skew)
        activations = assigned * (2 * shape.d_model + 3 * np.asarray(shape.d_expert) * layout.ep / layout.gpus_of_stage)
        return kernel.seconds(
            touched * weights * bytes_each(self.stored.experts) + activations * BYTES_PER_ACTIVATION,
            2 * assigned * weights,
            assigned / touched,
            self.stored.rates(self.chip, self.stored.experts),
        )

    def _all_reduce(self, bytes_each_gpu: Array, tp: Array) -> Array:
        """Of one activation among tp GPUs, by the table of the nearest measured number of GPUs.

        Beyond a link domain no faster than the network between domains.
        """
        table = self.coefficients.links["all_reduce"]
        sizes = np.array(sorted(table))
        nearest = np.argmin(np.abs(np.log(np.asarray(tp, dtype=float)[..., None] / sizes)), axis=-1)
        t0_s = np.array([table[size][0] for size in sizes])[nearest]
        bytes_per_s = self._at_most_network(np.array([table[size][1] for size in sizes])[nearest], tp)
        return np.where(np.asarray(tp) > 1, t0_s + bytes_each_gpu / bytes_per_s, 0.0)

    def _all_to_all(self, shape: ModelShape, layout: Layout, rows: Array) -> Array:
        """Dispatch of a rank's tokens to their experts and back; attention that is not copied needs none."""
        [(t0_s, link)] = self.coefficients.links["all_to_all"].values()
        sent = rows * shape.top_k * np.asarray(shape.d_model, dtype=float) * (1 - 1 / np.asarray(layout.ep))
        bytes_per_s = self._at_most_network(np.asarray(link), layout.gpus_of_stage)
        seconds = 2 * t0_s + sent * (BYTES_DISPATCHED + BYTES_PER_ACTIVATION) / bytes_per_s
        return np.where((np.asarray(layout.dp) > 1) & (np.asarray(layout.ep) > 1), seconds, 0.0)

    def _sends(self, bytes_sent: Array, layout: Layout) -> Array:
        """Activations from stage to stage."""
        t0_s, _ = self.coefficients.links["all_reduce"][min(self.coefficients.links["all_reduce"])]
        bytes_per_s = self._at_most_network(np.asarray(self.chip.bytes_per_s_link), layout.gpus)
        return (np.asarray(layout.pp) - 1) * (t0_s + bytes_sent / bytes_per_s)

    def _at_most_network(self, bytes_per_s: Array, gpus: Array) -> Array:
        """A link's rate among `gpus` GPUs: that of the network where they are more than one link domain joins."""
        network = self.chip.bytes_per_s_scaleout
        if network is None:
            return bytes_per_s
        return np.where(np.asarray(gpus) > self.chip.link_domain, np.minimum(bytes_per_s, network), bytes_per_s)


def kv_share(shape: ModelShape, layout: Layout) -> Array:
    """Share of a sequence's KV cache on each GPU of its attention rank: heads are copied when there are too few."""
    return np.maximum(1 / np.asarray(layout.tp), 1 / np.asarray(shape.attention.kv_heads_to_shard))


def busiest_rank(shape: ModelShape, layout: Layout, tokens: Array, skew: float) -> Array:
    """Largest over mean load of the ep ranks: the expected maximum of ep loads that scatter.

    A rank's load of mean μ scatters by the tokens' choices (variance μ) and by which experts it happens to hold
    (relative variance of the experts' loads over experts of a rank); the largest of ep such loads lies about
    √(2·ln ep) deviations above the mean. Experts placed by load (EPLB) or copied would take the second part away.
    """
    ep = np.asarray(layout.ep, dtype=float)
    mean = tokens * shape.top_k / ep
    scatter = 1 / mean + _load_variance(skew) * ep / shape.n_experts
    return 1 + np.where(ep > 1, np.sqrt(2 * np.log(ep) * scatter), 0.0)


def _load_variance(skew: float) -> float:
    """Relative variance of q ∝ (1 − u)^−skew over u in (0, 1), skew < 1/2: (1−s)²/(1−2s) − 1."""
    return (1 - skew) ** 2 / (1 - 2 * skew) - 1


def _cached_tokens(shape: ModelShape, context: Array) -> Array:
    """Tokens that attention reads from the KV cache, summed over the layers."""
    windowed = shape.n_windowed_layers
    full = shape.n_layers - windowed - shape.n_linear_layers
    return full * context + windowed * np.minimum(context, shape.sliding_window)
