"""`Kernel`: how near to the chip's peak rates one kind of operator comes, and `Format`: what a precision stores.

A kernel takes    t = t0 + max(bytes / (η_m·W), flops·(1 + m½/m) / (η_c·F))

with W and F the chip's peak bytes/s and FLOP/s and m the rows of the product. That is an efficiency which saturates:
η(x) = η_max·x/(x + x0) in bytes, x0 = t0·η_m·W, and η_c·m/(m + m½) in rows.
"""

from dataclasses import dataclass

import numpy as np

from moeconomics.errors import unknown_name
from moeconomics.hardware import Chip
from moeconomics.units import BYTES_PER_ELEMENT, Array

# The arithmetic that products of weights stored in a format run in; weight-only formats are unpacked to bf16.
RATE = {"bf16": "bf16", "fp8": "fp8", "int8": "int8", "int4": "bf16", "nvfp4": "fp4", "mxfp4": "bf16"}


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """Coefficients of one operator: `t0_s` seconds, shares of the peaks, `rows_half` rows at half of η_compute."""

    t0_s: float
    eta_memory: float
    eta_compute: float
    rows_half: float

    def seconds(self, bytes_moved: Array, flops: Array, rows: Array, chip_rates: tuple[float, float]) -> Array:
        """Time of one launch; `chip_rates` are (bytes/s, FLOP/s)."""
        bytes_per_s, flops_per_s = chip_rates
        memory_s = bytes_moved / (self.eta_memory * bytes_per_s)
        return self.t0_s + np.maximum(memory_s, flops * (1 + self.rows_half / rows) / (self.eta_compute * flops_per_s))


@dataclass(frozen=True, kw_only=True)
class Format:
    """The stored formats of a precision: `dense` for matrices that all tokens use, `experts` for routed experts."""

    dense: str
    experts: str
    kv: str

    @classmethod
    def of(cls, precision: str, kv: str) -> "Format":
        """mxfp4 is what gpt-oss does: experts in 4 bits, all else in bf16. Errors: `BadInput` with the nearest name."""
        for name in (precision, kv):
            if name not in RATE:
                raise unknown_name("precision", name, RATE)
        return cls(dense="bf16" if precision == "mxfp4" else precision, experts=precision, kv=kv)

    def check(self, chip: Chip) -> None:
        """Errors: `BadInput` when the chip has no rate for one of the formats."""
        for name in (self.dense, self.experts):
            chip.flops(RATE[name])

    def rates(self, chip: Chip, stored: str) -> tuple[float, float]:
        """(bytes/s, FLOP/s) of a product whose weights are stored so."""
        return chip.bytes_per_s_memory, chip.flops(RATE[stored])


def bytes_each(stored: str) -> float:
    """Bytes of one element, block scales included."""
    return BYTES_PER_ELEMENT[stored]
