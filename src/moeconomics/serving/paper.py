"""The paper's cost model (Yun et al. 2024, §4 and App. C) with byte sizes written out.

Eq. 5 and 6:    T(G) = b / (L^P(b/n, G) + L^D(b, G)),   b = (G·M0 − W) / KV,   cost per token = G·C0 / T(G)

W are the weights' bytes and KV those of one running request at its mean length p + n/2 (the paper's
(2p + n)·h·l elements). Each iteration decodes one token of b requests and prefills the b/n that replace those
which end.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import elementwise

from moeconomics.serving.deployment import Deployment
from moeconomics.serving.latency import (
    ASSUMED,
    OPTIMISTIC,
    PESSIMISTIC,
    Latency,
    Roofline,
    kv_copies,
)
from moeconomics.serving.served import Served
from moeconomics.shapes import ModelShape, bytes_kv, bytes_weights, map_dimensions
from moeconomics.units import Array


@dataclass(frozen=True, kw_only=True)
class PaperCost:
    """Cost per token from a latency source; `fast` and `slow` bound it."""

    deployment: Deployment
    latency: Latency
    fast: Latency
    slow: Latency

    @classmethod
    def roofline(cls, deployment: Deployment) -> "PaperCost":
        """The model with the assumed roofline as its latency."""
        assumed, fast, slow = (
            Roofline(deployment=deployment, efficiency=reached) for reached in (ASSUMED, OPTIMISTIC, PESSIMISTIC)
        )
        return cls(deployment=deployment, latency=assumed, fast=fast, slow=slow)

    def serve(self, shape: ModelShape, gpus: Array) -> Served:
        """Serve at the largest batch that memory and the latency targets allow."""
        most = batch = self.batch_by_memory(shape, gpus)
        traffic = self.deployment.traffic
        if traffic.tpot_ms is not None or traffic.ttft_ms is not None:
            batch = self._batch_by_targets(shape, gpus, most)
        served = self.at_batch(shape, gpus, batch if shape.is_relaxed else np.floor(batch))
        reason = np.where(batch < most, "latency target", "memory")
        possible = np.isfinite(served.usd_per_token_output)
        return replace(served, limited_by=np.where(possible, reason, served.limited_by))

    def batch_by_memory(self, shape: ModelShape, gpus: Array) -> Array:
        """b = (G·M0 − W)/KV of Eq. 5; below 1 where not even one full-length request fits."""
        free = gpus * self.deployment.bytes_usable - bytes_weights(shape, self.deployment.precision)
        one = self._bytes_request(shape, gpus, self.deployment.traffic.kv_tokens_max)
        mean = self._bytes_request(shape, gpus, self.deployment.traffic.kv_tokens_mean)
        return np.where(free >= one, free / mean, 0.0)

    def at_batch(self, shape: ModelShape, gpus: Array, batch: Array) -> Served:
        """Serve at a given batch: Eq. 6. A batch below 1 or a missed target has no price."""
        traffic = self.deployment.traffic
        running = np.maximum(batch, 1.0)
        step_s, ttft_s = self._step_and_ttft_s(self.latency, shape, gpus, running)
        in_time = self.deployment.over_target(step_s, ttft_s) <= 1e-9
        divides = _divides(shape, gpus)
        served = (np.asarray(batch) >= 1) & divides & in_time
        low, high = (
            self._usd_per_token(gpus, running / self._step_and_ttft_s(bound, shape, gpus, running)[0])
            for bound in (self.fast, self.slow)
        )
        missing = (
            bytes_weights(shape, self.deployment.precision)
            + self._bytes_request(shape, gpus, traffic.kv_tokens_max)
            - gpus * self.deployment.bytes_usable
        )
        return Served(
            gpus=gpus,
            tp=gpus,
            ep=1,
            pp=1,
            dp=1,
            batch=np.where(served, running, np.nan),
            usd_per_token_output=np.where(served, self._usd_per_token(gpus, running / step_s), np.inf),
            usd_low=np.where(served, low, np.nan),
            usd_high=np.where(served, high, np.nan),
            output_tok_s=np.where(served, running / step_s, np.nan),
            tpot_s=np.where(served, step_s, np.nan),
            ttft_s=np.where(served, ttft_s, np.nan),
            replicas=np.where(served, self.deployment.replicas_for_load(running / step_s), np.nan),
            bytes_missing=np.maximum(missing, 0.0),
            limited_by=np.select(
                [~divides, missing > 0, ~in_time], ["heads per GPU", "memory", "latency target"], "the batch given"
            ),
        )

    def _step_and_ttft_s(self, latency: Latency, shape: ModelShape, gpus: Array, batch: Array) -> tuple[Array, Array]:
        """Mean iteration time (= TPOT), and the wait for a running iteration plus one's own prefill step."""
        traffic = self.deployment.traffic
        prompts = batch / traffic.output_tokens  # b/n requests start in each iteration
        pass_s = latency.prefill_s(shape, np.maximum(prompts, 1.0), traffic.input_tokens, gpus)
        decode_s = latency.decode_s(shape, batch, traffic.kv_tokens_mean, gpus)
        # Fewer than one prompt an iteration: a whole prompt runs in every (n/b)-th one.
        step_s = np.minimum(prompts, 1.0) * pass_s + decode_s
        return step_s, step_s / 2 + pass_s + decode_s

    def _usd_per_token(self, gpus: Array, tok_s: Array) -> Array:
        return self.deployment.usd_per_token(gpus, tok_s, self.deployment.replicas_for_load(tok_s))

    def _bytes_request(self, shape: ModelShape, gpus: Array, tokens: float) -> Array:
        return bytes_kv(shape, tokens, self.deployment.kv_precision) * kv_copies(shape, gpus)

    def _batch_by_targets(self, shape: ModelShape, gpus: Array, batch: Array) -> Array:
        """Largest batch up to `batch` whose latencies meet the targets (they grow with the batch)."""
        batch = np.asarray(batch)
        gpus = np.broadcast_to(gpus, batch.shape)
        flat = map_dimensions(shape, lambda values: np.broadcast_to(values, batch.shape).ravel())

        def excess(log_batch: Array, index: Array) -> Array:
            part = map_dimensions(flat, lambda values: values[index])
            latencies = self._step_and_ttft_s(self.latency, part, gpus.ravel()[index], np.exp(log_batch))
            return self.deployment.over_target(*latencies)

        index = np.arange(batch.size)
        most = np.log(np.maximum(batch.ravel(), 1.0))
        found = elementwise.find_root(excess, (np.zeros_like(most), most), args=(index,))
        # No sign change: either even the whole batch meets the targets, or not even one request does.
        inside = np.where(found.success, np.exp(found.x), np.exp(most))
        return np.where(batch >= 1, inside.reshape(batch.shape), batch)


def _divides(shape: ModelShape, gpus: Array) -> Array:
    """Tensor parallelism gives each GPU whole query heads; a relaxed shape has no whole heads to give."""
    return shape.is_relaxed | (np.asarray(shape.attention.n_heads) % gpus == 0)
