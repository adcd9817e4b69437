"""The operator cost model: the cheapest layout and batch of a replica under memory, latency targets and load.

Aggregated replicas prefill and decode; disaggregated ones are pools of x prefill and y decode workers of the same
layout, in the ratio that keeps both busy, and the prompt's cache crosses the network between them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from moeconomics.serving.coefficients import Calibration, ends, shipped
from moeconomics.serving.deployment import Deployment
from moeconomics.serving.layout import Layout
from moeconomics.serving.served import Served
from moeconomics.serving.steady import Steady
from moeconomics.shapes import ModelShape, bytes_kv
from moeconomics.units import Array

MAX_SEQUENCES = 1024  # of one attention rank: the largest default of max_num_seqs in vLLM and SGLang
BISECTIONS = 24  # of ln(batch): 2^-24 of the range
FEWEST_RUNNING = 1e-9  # requests at once, on average, of the smallest load

# How the GPUs of a replica are used; the search takes the cheapest of those that fit.
LAYOUTS: dict[str, Callable[[Array], Layout]] = {
    "tensor": lambda gpus: Layout(tp=gpus),
    "tensor-expert": lambda gpus: Layout(tp=gpus, ep=gpus),
    "data-expert": lambda gpus: Layout(dp=gpus, ep=gpus),
    "pipeline": lambda gpus: Layout(pp=gpus),
}


@dataclass(frozen=True, kw_only=True)
class OperatorCost:
    """Cost per token from calibrated operators; its band is that of families the calibration had not seen."""

    deployment: Deployment
    steady: Steady

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """The model with the deployment's calibration, by default the shipped one."""
        own = deployment.calibration
        calibration = shipped() if own is None else Calibration.read(own)
        return cls(deployment=deployment, steady=Steady.of(deployment, calibration))

    def serve(self, shape: ModelShape, gpus: Array) -> Served:
        """The cheapest layout of `gpus` GPUs at its best batch."""
        return cheapest_of(self.at_layout(shape, make(np.asarray(gpus))) for make in LAYOUTS.values())

    def at_layout(self, shape: ModelShape, layout: Layout) -> Served:
        """One layout at the largest batch that memory, the engine and the latency targets allow."""
        most = batch = self.most(shape, layout)
        if self.deployment.traffic.tpot_ms is not None or self.deployment.traffic.ttft_ms is not None:
            per_token = self.steady.prefill_s_per_token(shape, layout)
            batch = np.where(most >= 1, self._largest(shape, layout, most, per_token), most)
        served = self.at_batch(shape, layout, batch if shape.is_relaxed else np.floor(batch))
        possible = np.isfinite(served.usd_per_token_output)
        reason = np.where(
            batch < most, "latency target", np.where(most < engine_limit(layout), "memory", "the engine's limit")
        )
        return replace(served, limited_by=np.where(possible, reason, served.limited_by))

    def most(self, shape: ModelShape, layout: Layout) -> Array:
        """Largest batch by memory and the engine's limit of sequences."""
        return np.minimum(self.steady.batch_by_memory(shape, layout), engine_limit(layout))

    def at_batch(self, shape: ModelShape, layout: Layout, batch: Array) -> Served:
        """Serve with room for `batch` requests; with an offered load, as many run as it brings (Little's law)."""
        traffic, chip = self.deployment.traffic, self.deployment.chip
        per_token = self.steady.prefill_s_per_token(shape, layout)
        room = np.maximum(batch, 1.0)
        tpot_s = self._tpot_s(shape, layout, room, per_token)
        in_time = self.deployment.over_target(tpot_s, self._ttft_s(shape, layout, room, tpot_s, per_token)[1]) <= 1e-9
        free = self.steady.bytes_free(shape, layout)
        missing = self.steady.bytes_request(shape, layout, traffic.kv_tokens_max) - free
        fits, divides = missing <= 0, _divides(shape, layout)
        served = (np.asarray(batch) >= 1) & fits & divides & in_time
        decode_s = self._decode_only_s(shape, layout, room)
        prefill_s = self._prefill_gpu_s(per_token)  # of a replica, for one request
        if self.deployment.mode == "disaggregated":
            tok_s = traffic.output_tokens / (prefill_s + traffic.output_tokens * decode_s / room)
        else:
            tok_s = room / tpot_s
        prefilling, decoding, running = self._load(shape, layout, room, tok_s, prefill_s, per_token)
        replicas = prefilling + decoding
        if traffic.requests_per_s is not None:  # else the room is full, and its TPOT known
            tpot_s = self._tpot_s(shape, layout, running, per_token)
        low_s, ttft_s, high_s = self._ttft_s(shape, layout, running, tpot_s, per_token)
        usd = self.deployment.usd_per_token(layout.gpus, tok_s, replicas)
        engine = self.steady.operators.coefficients.engine
        (low, high), (ttft_low, ttft_high) = (ends(band) for band in (engine.tpot, engine.ttft))
        share = prefill_s / (prefill_s + traffic.output_tokens * decode_s / room)
        workers = share / (1 - share) if traffic.requests_per_s is None else prefilling / decoding
        # While a request gets a token, each of pp groups streams the weights of its stage; no request, no step.
        stepping = np.maximum(running, 1.0)
        weights = self.steady.bytes_weights(shape, layout) * np.minimum(layout.pp, stepping)
        cache = stepping / layout.dp * self.steady.bytes_request(shape, layout, traffic.kv_tokens_mean)
        ideal_s = (weights + cache) / chip.bytes_per_s_memory

        def known(values: Array) -> Array:
            return np.where(served, values, np.nan)

        return Served(
            gpus=layout.gpus,
            tp=layout.tp,
            ep=layout.ep,
            pp=layout.pp,
            dp=layout.dp,
            batch=known(room),
            running=known(running),
            usd_per_token_output=np.where(served, usd, np.inf),
            usd_low=known(usd * low),
            usd_high=known(usd * high),
            output_tok_s=known(tok_s),
            tpot_s=known(tpot_s),
            tpot_low_s=known(tpot_s * low),
            tpot_high_s=known(tpot_s * high),
            ttft_s=known(ttft_s),
            ttft_low_s=known(np.minimum(low_s, ttft_s * ttft_low)),
            ttft_high_s=known(np.maximum(high_s, ttft_s * ttft_high)),
            prefill_share=known(share),
            prefill_workers=known(workers) if self.deployment.mode == "disaggregated" else np.nan,
            utilisation=known(np.minimum(ideal_s / tpot_s, 1.0) * np.minimum(running, 1.0)),
            replicas=known(replicas),
            bytes_missing=np.maximum(missing, 0.0) * layout.gpus,
            limited_by=np.select(
                [~divides, ~fits, ~in_time], ["the layout", "memory", "latency target"], "the batch given"
            ),
        )

    def _tpot_s(self, shape: ModelShape, layout: Layout, batch: Array, per_token: Array) -> Array:
        if self.deployment.mode == "disaggregated":
            return self._decode_only_s(shape, layout, batch)
        return self.steady.tpot_s(shape, layout, batch, per_token)

    def _decode_only_s(self, shape: ModelShape, layout: Layout, batch: Array) -> Array:
        return self.steady.tpot_s(shape, layout, batch, np.zeros(()))

    def _prefill_gpu_s(self, per_token: Array) -> Array:
        """Seconds of a replica that one request's prompt takes."""
        fitted = self.steady.operators.coefficients.engine
        return fitted.residual * fitted.interference * self.steady.prompt_computed() * per_token

    def _ttft_s(
        self, shape: ModelShape, layout: Layout, batch: Array, tpot_s: Array, per_token: Array
    ) -> tuple[Array, Array, Array]:
        low, middle, high = self.steady.ttft_s(tpot_s, batch, layout, per_token)
        if self.deployment.mode == "aggregated":
            return low, middle, high
        chip = self.deployment.chip
        cache = bytes_kv(shape, self.deployment.traffic.input_tokens, self.deployment.kv_precision)
        transfer_s = cache / (chip.bytes_per_s_scaleout or chip.bytes_per_s_link)
        return low + transfer_s, middle + transfer_s, high + transfer_s

    def _largest(self, shape: ModelShape, layout: Layout, most: Array, per_token: Array) -> Array:
        """Largest batch up to `most` that meets the targets; latencies grow with the batch."""

        def too_slow(batch: Array) -> Array:
            tpot_s = self._tpot_s(shape, layout, batch, per_token)
            return self.deployment.over_target(tpot_s, self._ttft_s(shape, layout, batch, tpot_s, per_token)[1]) > 0

        most = np.maximum(most, 1.0)
        return np.where(too_slow(most), bisect(too_slow, np.ones_like(most), most), most)

    def _load(
        self, shape: ModelShape, layout: Layout, room: Array, tok_s: Array, prefill_s: Array, per_token: Array
    ) -> tuple[Array, Array, Array]:
        """Whole replicas for the offered load (NaN when saturated) and the requests that run on each that decodes.

        The first are the workers that only prefill, when disaggregated, the second all others.
        """
        traffic = self.deployment.traffic
        if traffic.requests_per_s is None:
            return np.zeros(()), np.full(np.shape(tok_s), np.nan), room
        offered = traffic.requests_per_s * traffic.output_tokens
        if self.deployment.mode == "disaggregated":
            full_tok_s = room / self._decode_only_s(shape, layout, room)
            prefilling = np.ceil(traffic.requests_per_s * prefill_s / traffic.utilisation)
        else:
            full_tok_s, prefilling = tok_s, np.zeros(())
        decoding = self.deployment.replicas_for_load(full_tok_s)

        def too_many(batch: Array) -> Array:
            return batch / self._tpot_s(shape, layout, batch, per_token) > offered / decoding

        return prefilling, decoding, bisect(too_many, np.full_like(room, FEWEST_RUNNING), room)


def engine_limit(layout: Layout) -> Array:
    """Sequences that the engine runs at once on a replica, whatever its memory."""
    return MAX_SEQUENCES * np.asarray(layout.dp) * layout.pp


def bisect(above: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Where `above` turns true between `low` and `high`, by halves of the logarithm; arrays all at once."""
    for _ in range(BISECTIONS):
        middle = np.sqrt(low * high)
        too_high = above(middle)
        low, high = np.where(too_high, low, middle), np.where(too_high, middle, high)
    return low


def cheapest_of(options: Iterable[Served]) -> Served:
    """The cheapest of several answers, entry by entry; where none works, the one that lacks the least memory."""
    best: Served | None = None
    for option in options:
        if best is None:
            best = option
            continue
        better = (option.usd_per_token_output < best.usd_per_token_output) | (
            ~np.isfinite(best.usd_per_token_output)
            & ~np.isfinite(option.usd_per_token_output)
            & (option.bytes_missing < best.bytes_missing)
        )
        best = Served(
            **{
                field.name: np.where(better, getattr(option, field.name), getattr(best, field.name))
                for field in fields(Served)
            }
        )
    assert best is not None
    return best


def _divides(shape: ModelShape, layout: Layout) -> Array:
    """Whole query heads, experts and stages. A relaxed shape has none; expert parallelism needs experts."""
    heads = np.asarray(shape.attention.n_heads) % layout.tp == 0
    experts = (np.asarray(layout.ep) == 1) | (
        (np.asarray(shape.n_experts) > 1) & (np.asarray(shape.n_experts) % layout.ep == 0)
    )
    copies = (np.asarray(layout.dp) == 1) | (np.asarray(shape.n_experts) > 1)
    stages = np.asarray(layout.pp) <= np.asarray(shape.n_layers)
    return (shape.is_relaxed | heads) & experts & copies & stages
