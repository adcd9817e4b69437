"""`Layout`: how a model is split over the GPUs of one replica."""

from dataclasses import dataclass

import numpy as np

from moeconomics.units import Array


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Degrees of tensor, expert, pipeline and attention-data parallelism; arrays broadcast.

    A replica has tp·dp·pp GPUs. Attention is split over tp and copied dp times; the routed experts are spread over all
    tp·dp GPUs of a stage, in ep groups of whole experts, each of which splits its experts over tp·dp/ep GPUs.
    """

    tp: Array = 1
    ep: Array = 1
    pp: Array = 1
    dp: Array = 1

    @property
    def gpus(self) -> Array:
        """GPUs of one replica."""
        return np.asarray(self.tp) * self.pp * self.dp

    @property
    def gpus_of_stage(self) -> Array:
        """GPUs that one layer is spread over."""
        return np.asarray(self.tp) * self.dp
