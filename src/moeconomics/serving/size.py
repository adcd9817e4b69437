"""The abstract cost model of the paper's Fig. 2: cost proportional to the total number of parameters.

Anchored in dollars as streaming every weight from memory once per token, at batch 1 and with nothing else
taking time: usd = C0·W/bandwidth. The ratios between models are its point, not the level.
"""

from dataclasses import dataclass

import numpy as np

from moeconomics.serving.deployment import Deployment
from moeconomics.serving.served import Served
from moeconomics.shapes import ModelShape, bytes_weights
from moeconomics.units import Array


@dataclass(frozen=True, kw_only=True)
class SizeCost:
    """USD per token = C0 · weight bytes / memory bandwidth, on any number of GPUs that holds the weights."""

    deployment: Deployment

    @classmethod
    def of(cls, deployment: Deployment) -> "SizeCost":
        """The model for one deployment."""
        return cls(deployment=deployment)

    def serve(self, shape: ModelShape, gpus: Array) -> Served:
        """Serve at batch 1; latency targets and load do not enter."""
        weights = bytes_weights(shape, self.deployment.precision)
        missing = np.maximum(weights - gpus * self.deployment.bytes_usable, 0.0)
        stream_s = weights / self.deployment.chip.bytes_per_s_memory
        fits = missing == 0
        step_s = np.where(fits, stream_s / gpus, np.nan)
        return Served(
            gpus=gpus,
            batch=np.where(fits, 1.0, np.nan),
            usd_per_token_output=np.where(fits, stream_s * self.deployment.usd_per_gpu_second, np.inf),
            usd_low=np.nan,
            usd_high=np.nan,
            output_tok_s=1 / step_s,
            tpot_s=step_s,
            ttft_s=np.nan,
            replicas=np.nan,
            bytes_missing=missing,
            limited_by="memory",
        )
