"""SI units, storage formats and how numbers are written for people.

Prefixes are decimal everywhere (GB = 1e9 bytes). `Array` marks a number or an array of any array-API
library; the formulas of this package are written once for all of them.
"""

from typing import Any

import numpy as np
from array_api_compat import array_namespace

Array = Any

# Bytes per stored element; the 4-bit floats with their block scales (a byte for 16 elements, for 32 in mxfp4).
BYTES_PER_ELEMENT = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5, "nvfp4": 0.5 + 1 / 16, "mxfp4": 0.5 + 1 / 32}

SECONDS_PER_HOUR = 3600.0

_PREFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def count_text(value: float, digits: int = 3) -> str:
    """Write a count of parameters or tokens as people say it: 3.36B, 105B, 1.2T."""
    for scale, letter in _PREFIXES:
        if abs(value) >= scale * (1 - 0.5 * 10**-digits):
            return f"{value / scale:.{digits}g}{letter}"
    return f"{value:.{digits}g}"


def bytes_text(value: float) -> str:
    """Write bytes with a decimal prefix: 6.72 GB."""
    for scale, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if abs(value) >= scale:
            return f"{value / scale:.3g} {name}"
    return f"{value:.0f} B"


def namespace(*arrays: Array) -> Any:
    """Give the array-API functions for `arrays` (NumPy when they are plain numbers)."""
    if all(isinstance(array, int | float) for array in arrays):
        return np
    return array_namespace(*arrays)


def power(base: Array, exponent: Array) -> Array:
    """x^y of positive x as exp(y·ln x): compiled fits spend five times as long in `**` (XLA's pow on the CPU)."""
    scaled = exponent * namespace(base).log(base)
    return namespace(scaled).exp(scaled)
