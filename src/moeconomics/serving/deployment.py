"""`Deployment`: the chip, its price, the traffic and the precision that a model is served with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from moeconomics.errors import BadInput
from moeconomics.hardware import Chip, Traffic
from moeconomics.serving.kernels import RATE, Format
from moeconomics.units import SECONDS_PER_HOUR, Array

Mode = Literal["aggregated", "disaggregated"]
MODES: tuple[Mode, ...] = get_args(Mode)
MEMORY_SHARE = 0.9  # of a GPU's memory for weights and KV cache: vLLM's default gpu_memory_utilization


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One kind of replica: `gpus` options of one chip, tensor-parallel, for one traffic profile.

    `precision` is the stored format of the weights, which decides the arithmetic (see `RATE`); `kv_precision` that of
    the KV cache. `prefix_hit` is the share of prompt tokens found in the prefix cache; `skew` the router's (see
    `distinct_experts`). `mode` is "aggregated" (each replica prefills and decodes) or "disaggregated" (pools of
    workers for each). `calibration` is a file in place of the shipped one. Errors: `BadInput` for a precision the chip
    has no rate for.
    """

    chip: Chip
    usd_per_gpu_hour: float
    traffic: Traffic
    precision: str
    gpus: tuple[int, ...]
    kv_precision: str = "bf16"
    engine: str = "vllm"
    prefix_hit: float = 0.0
    skew: float = 0.0
    mode: Mode = "aggregated"
    calibration: Path | None = None

    def __post_init__(self) -> None:
        self.stored.check(self.chip)

    @property
    def stored(self) -> Format:
        """The formats of weights and KV cache. Errors: `BadInput` with the nearest name."""
        return Format.of(self.precision, self.kv_precision)

    @property
    def flops_per_s(self) -> float:
        """Peak FLOP/s in the arithmetic of the weights' precision."""
        return self.chip.flops(RATE[self.precision])

    @property
    def usd_per_gpu_second(self) -> float:
        """The paper's C0."""
        return self.usd_per_gpu_hour / SECONDS_PER_HOUR

    def over_target(self, tpot_s: Array, ttft_s: Array) -> Array:
        """Natural log of latency over target, the worse of the two; negative when both are met."""
        limits = ((tpot_s, self.traffic.tpot_ms), (ttft_s, self.traffic.ttft_ms))
        over = [np.log(seconds * 1e3 / limit) for seconds, limit in limits if limit is not None]
        return np.max(np.broadcast_arrays(*over), axis=0) if over else np.full(np.shape(tpot_s), -np.inf)

    def replicas_for_load(self, tok_s: Array) -> Array:
        """Whole replicas of an output throughput that the offered load needs; NaN when saturated."""
        traffic = self.traffic
        if traffic.requests_per_s is None:
            return np.full(np.shape(tok_s), np.nan)
        return np.ceil(traffic.requests_per_s * traffic.output_tokens / (tok_s * traffic.utilisation))

    def usd_per_token(self, gpus: Array, tok_s: Array, replicas: Array) -> Array:
        """G·C0/T when saturated; whole replicas at the offered load when there is one."""
        traffic = self.traffic
        usd_per_s = gpus * self.usd_per_gpu_second
        if traffic.requests_per_s is None:
            return usd_per_s / (tok_s * traffic.utilisation)
        return usd_per_s * replicas / (traffic.requests_per_s * traffic.output_tokens)

    @property
    def bytes_usable(self) -> float:
        """Memory of one GPU for weights and KV cache."""
        return MEMORY_SHARE * self.chip.bytes_memory


def gpu_options(chip: Chip, max_gpus: int) -> tuple[int, ...]:
    """Tensor-parallel degrees to try: powers of two up to `max_gpus`.

    Errors: `BadInput` when `max_gpus` is not from 1 to the chip's link domain (beyond it tensor parallelism
    crosses the slow network, which this model has no term for).
    """
    if not 1 <= max_gpus <= chip.link_domain:
        raise BadInput(
            f"max_gpus {max_gpus} is outside 1 to {chip.link_domain}, the GPUs that one link domain of "
            f"{chip.name} joins"
        )
    return tuple(2**power for power in range(max_gpus.bit_length()))
