"""Steady state of continuous batching from the operator model: TPOT, TTFT and memory at a given batch and layout.

A replica that runs B requests of p prompt and n output tokens prefills p·B/n tokens for each step of B tokens, so

    TPOT(B) = r·(t_decode(B, p + n/2) + floor·layers + host(B) + γ·(B/n)·(1−h)·p·t_prefill)

with r the engine's residual, γ its interference, host(B) the time of its scheduler and h the share of a prompt that
the prefix cache holds. Little's law links it to an offered load of λ requests/s: B = λ·n·TPOT(B) while requests are
being answered.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from moeconomics.serving.coefficients import Calibration, Coefficients
from moeconomics.serving.deployment import Deployment
from moeconomics.serving.kernels import bytes_each
from moeconomics.serving.layout import Layout
from moeconomics.serving.operators import MAX_TOKENS_PER_STEP, Operators, kv_share
from moeconomics.shapes import ModelShape, bytes_kv, counts
from moeconomics.units import Array

BYTES_RUNTIME = 4e9  # CUDA context, graphs, communicators: 3 to 5 GB a GPU as serving engines report it
WORKSPACES = 8  # activations of a full step that are alive at once, each tokens·d_model
SMALLEST_PASS = 256  # prompt tokens of a step: shorter prompts share one


@dataclass(frozen=True, kw_only=True)
class Steady:
    """Operators under one deployment's traffic."""

    operators: Operators
    deployment: Deployment

    @classmethod
    def of(cls, deployment: Deployment, calibration: Calibration) -> Self:
        """The operators of a deployment's chip, engine and formats. Errors: as `Coefficients.of`."""
        chip, stored = deployment.chip, deployment.stored
        coefficients = Coefficients.of(calibration, chip, deployment.engine, stored)
        operators = Operators(chip=chip, stored=stored, coefficients=coefficients, skew=deployment.skew)
        return cls(operators=operators, deployment=deployment)

    def decode_s(self, shape: ModelShape, layout: Layout, batch: Array) -> Array:
        """Kernel seconds of one decode step, before floor and residual."""
        context = self.deployment.traffic.kv_tokens_mean
        total: Array = sum(self.operators.decode(shape, layout, batch, context).values())
        return total

    def prefill_s_per_token(self, shape: ModelShape, layout: Layout) -> Array:
        """Kernel seconds of prefill per prompt token of a replica, its dp ranks and pp stages at work together."""
        prompt = self.prompt_computed()
        tokens = float(np.clip(prompt, SMALLEST_PASS, MAX_TOKENS_PER_STEP))
        cached = max(self.deployment.traffic.input_tokens - prompt, 0.0)
        total: Array = sum(self.operators.prefill(shape, layout, tokens, prompt, cached).values())
        return total / (tokens * layout.dp * layout.pp)

    def tpot_s(self, shape: ModelShape, layout: Layout, batch: Array, prefill_s_per_token: Array) -> Array:
        """Mean seconds between two tokens of a request while `batch` are running; interference included."""
        fitted = self.operators.coefficients.engine
        traffic = self.deployment.traffic
        inserted = batch / traffic.output_tokens * self.prompt_computed() * prefill_s_per_token
        floor_us = (
            fitted.floor_us_per_layer * np.asarray(shape.n_layers)
            + fitted.host_us_per_step
            + fitted.host_us_per_sequence * batch
        )
        kernels_s = self.decode_s(shape, layout, batch) + fitted.interference * inserted
        return fitted.residual * (kernels_s + floor_us / 1e6)

    def ttft_s(
        self, tpot_s: Array, batch: Array, layout: Layout, prefill_s_per_token: Array
    ) -> tuple[Array, Array, Array]:
        """Low, middle and high time to first token, seconds.

        Low: the request's overhead, its own prompt and half a step to wait for. High: the whole batch arrives at once,
        half of it ahead. Middle: what benchmarks with a fixed number of users see, where a part of the requests come in
        such bursts; below saturation, prompts ahead by chance (the wait of an M/D/1 queue).
        """
        fitted, traffic = self.operators.coefficients.ttft, self.deployment.traffic
        servers = layout.dp * np.asarray(layout.pp)
        prompt_s = self.prompt_computed() * prefill_s_per_token * servers
        low = fitted.overhead_ms / 1e3 + fitted.prompt * prompt_s + tpot_s / 2
        ahead = batch / servers / 2
        if traffic.requests_per_s is None:
            middle = low + fitted.burst * prompt_s * ahead
        else:
            busy = np.minimum(batch / traffic.output_tokens / tpot_s * prompt_s / servers, 0.95)
            middle = low + fitted.prompt * prompt_s * busy / (1 - busy) / 2
        return low, middle, np.maximum(middle, low + prompt_s * ahead)

    def bytes_weights(self, shape: ModelShape, layout: Layout) -> Array:
        """Weights on one GPU: experts spread over the stage, all else over tp and copied for dp."""
        group = counts(shape)
        stored = self.operators.stored
        matrices = (group.n_total - group.routed_experts - group.embedding) * bytes_each(stored.dense)
        experts = group.routed_experts * bytes_each(stored.experts) / layout.gpus_of_stage
        return ((matrices + group.embedding * bytes_each("bf16")) / layout.tp + experts) / layout.pp

    def bytes_request(self, shape: ModelShape, layout: Layout, tokens: float) -> Array:
        """KV cache of one request of `tokens` tokens on each GPU of its attention rank."""
        states = shape.n_linear_layers * shape.linear_attention.state_bytes()
        cache = bytes_kv(shape, tokens, self.operators.stored.kv) - states
        return (cache * kv_share(shape, layout) + states / layout.tp) / layout.pp

    def bytes_free(self, shape: ModelShape, layout: Layout) -> Array:
        """What weights, runtime and workspace leave of one GPU for KV cache; negative where they do not fit."""
        workspace = WORKSPACES * MAX_TOKENS_PER_STEP * np.asarray(shape.d_model, dtype=float) * bytes_each("bf16")
        return self.deployment.bytes_usable - BYTES_RUNTIME - workspace - self.bytes_weights(shape, layout)

    def batch_by_memory(self, shape: ModelShape, layout: Layout) -> Array:
        """Requests of mean length that the KV cache of a replica holds; 0 where not even one full-length one fits."""
        free = self.bytes_free(shape, layout)
        traffic = self.deployment.traffic
        fits = free >= self.bytes_request(shape, layout, traffic.kv_tokens_max)
        return np.where(fits, layout.dp * free / self.bytes_request(shape, layout, traffic.kv_tokens_mean), 0.0)

    def prompt_computed(self) -> float:
        """Prompt tokens that the prefix cache does not hold; at least one is computed."""
        return max((1 - self.deployment.prefix_hit) * self.deployment.traffic.input_tokens, 1.0)
