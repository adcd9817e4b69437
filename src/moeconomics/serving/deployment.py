"""`Deployment`: the chip, its price, the traffic and the precision that a model is served with."""

from dataclasses import dataclass

from moeconomics.errors import BadInput, unknown_name
from moeconomics.hardware import Chip, Traffic
from moeconomics.units import BYTES_PER_ELEMENT, SECONDS_PER_HOUR

MEMORY_SHARE = 0.9  # of a GPU's memory for weights and KV cache: vLLM's default gpu_memory_utilization


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One kind of replica: `gpus` options of one chip, tensor-parallel, for one traffic profile.

    `precision` is the storage and arithmetic format of weights and KV cache.
    Errors: `BadInput` for a precision the chip has no rate for.
    """

    chip: Chip
    usd_per_gpu_hour: float
    traffic: Traffic
    precision: str
    gpus: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.precision not in BYTES_PER_ELEMENT:
            raise unknown_name("precision", self.precision, BYTES_PER_ELEMENT)
        self.chip.flops(self.precision)

    @property
    def usd_per_gpu_second(self) -> float:
        """The paper's C0."""
        return self.usd_per_gpu_hour / SECONDS_PER_HOUR

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
