"""Throughput against interactivity: tokens/s of a GPU against tokens/s of a user, over layouts, batches and modes."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moeconomics.errors import BadInput
from moeconomics.serving.deployment import MODES, Deployment
from moeconomics.serving.operator_cost import LAYOUTS, OperatorCost
from moeconomics.shapes import ModelShape

Floats = NDArray[np.float64]

BATCHES = 40  # of each layout, from one request to as many as fit


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """Operating points, arrays over all of them; `best` marks those that no other beats on both axes."""

    mode: NDArray[np.str_]
    layout: NDArray[np.str_]
    gpus: NDArray[np.int64]
    batch: Floats
    tok_s_per_user: Floats
    tok_s_per_gpu: Floats
    usd_per_mtok_output: Floats
    best: NDArray[np.bool_]


def frontier(shape: ModelShape, deployment: Deployment) -> Frontier:
    """All operating points of one model that meet the targets, and the best. Errors: `BadInput` when there is none."""
    columns: dict[str, list[NDArray[np.generic]]] = {}
    for mode in MODES:
        model = OperatorCost.of(replace(deployment, mode=mode))
        for gpus in deployment.gpus:
            for name, make in LAYOUTS.items():
                layout = make(np.asarray(gpus))
                most = float(model.most(shape, layout))
                if most < 1 or (gpus == 1 and name != "tensor"):  # all layouts are one on one GPU
                    continue
                batch = np.unique(np.floor(np.geomspace(1, most, BATCHES)))
                served = model.at_batch(shape, layout, batch)
                possible = np.isfinite(served.usd_per_token_output)
                size = int(np.sum(possible))
                points = {
                    "mode": np.full(size, mode),
                    "layout": np.full(size, name),
                    "gpus": np.full(size, gpus),
                    "batch": batch[possible],
                    "tok_s_per_user": 1 / served.tpot_s[possible],
                    "tok_s_per_gpu": served.output_tok_s[possible] / gpus,
                    "usd_per_mtok_output": served.usd_per_token_output[possible] * 1e6,
                }
                for key, values in points.items():
                    columns.setdefault(key, []).append(values)
    joined = {key: np.concatenate(parts) for key, parts in columns.items()}
    if not joined or not len(joined["batch"]):
        raise BadInput(f"the model can not be served on up to {max(deployment.gpus)} x {deployment.chip.name} in time")
    order = np.lexsort((-joined["tok_s_per_gpu"], -joined["tok_s_per_user"]))
    gains = joined["tok_s_per_gpu"][order]
    best = np.zeros(len(order), dtype=bool)
    best[order] = gains > np.concatenate([[-np.inf], np.maximum.accumulate(gains)[:-1]])
    return Frontier(**joined, best=best)
