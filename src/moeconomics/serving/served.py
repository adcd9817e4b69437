"""`Served`, the answer of a cost model; `CostModel`, what one must offer; and the cheapest number of GPUs."""

from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import numpy as np

from moeconomics.serving.deployment import Deployment
from moeconomics.shapes import ModelShape, map_dimensions
from moeconomics.units import Array


@dataclass(frozen=True, kw_only=True)
class Served:
    """Steady serving of one shape or many: all fields broadcast to arrays of one shape.

    `usd_per_token_output` carries the whole cost (prompts too) on the output tokens; where serving is impossible it is
    infinite. `usd_low` and `usd_high` bound it by the model's own assumptions; NaN where it makes none. `limited_by`
    names what keeps the batch from growing or, where serving is impossible, what forbids it; `bytes_missing` is the
    memory that falls short. `replicas` carry the offered load; NaN when saturated, as one replica is as good as many.
    What follows `limited_by` is NaN where a model does not know it: degrees of parallelism, `running` requests of a
    `batch` of room, bounds of the latencies, the share of GPU time that prompts take, prefill workers to one decode
    worker when disaggregated, and `utilisation`, the memory's ideal share of a step.
    """

    gpus: Array
    batch: Array
    usd_per_token_output: Array
    usd_low: Array
    usd_high: Array
    output_tok_s: Array
    tpot_s: Array
    ttft_s: Array
    replicas: Array
    bytes_missing: Array
    limited_by: Array
    tp: Array = np.nan
    ep: Array = np.nan
    pp: Array = np.nan
    dp: Array = np.nan
    running: Array = np.nan
    tpot_low_s: Array = np.nan
    tpot_high_s: Array = np.nan
    ttft_low_s: Array = np.nan
    ttft_high_s: Array = np.nan
    prefill_share: Array = np.nan
    prefill_workers: Array = np.nan
    utilisation: Array = np.nan

    def __post_init__(self) -> None:
        names = [field.name for field in fields(self)]
        for name, values in zip(names, np.broadcast_arrays(*(getattr(self, name) for name in names)), strict=True):
            object.__setattr__(self, name, values)

    def at(self, index: int) -> "Served":
        """One entry of a 1-d answer."""
        return Served(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


class CostModel(Protocol):
    """Anything that prices serving; made for one `Deployment` by a `CostModelMaker`."""

    def serve(self, shape: ModelShape, gpus: Array) -> Served:
        """Serve `shape` on replicas of `gpus` GPUs at the best batch; dimensions and `gpus` broadcast."""
        ...


@runtime_checkable
class CostModelMaker(Protocol):
    """Makes a cost model for one deployment; what an entry point in `moeconomics.cost_models` gives."""

    def __call__(self, deployment: Deployment) -> CostModel:
        """Make the model."""
        ...


def cheapest(model: CostModel, shape: ModelShape, gpu_options: tuple[int, ...]) -> Served:
    """C(m) = min over G of G·C0/T_m(G) for each shape of a 1-d array of shapes, or one shape (Eq. 5).

    Where no option works, the one that lacks the least memory is given.
    """
    served = model.serve(map_dimensions(shape, lambda values: values[..., None]), np.asarray(gpu_options))
    best = np.argmin(served.usd_per_token_output, axis=-1, keepdims=True)
    nearest = np.argmin(served.bytes_missing, axis=-1, keepdims=True)
    possible = np.isfinite(np.take_along_axis(served.usd_per_token_output, best, axis=-1))
    chosen = np.where(possible, best, nearest)
    return Served(
        **{
            field.name: np.take_along_axis(getattr(served, field.name), chosen, axis=-1)[..., 0]
            for field in fields(Served)
        }
    )
