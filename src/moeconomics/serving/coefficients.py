"""The calibration as data: coefficients of kernels, links and engines, each with its count of rows and its error.

`moeconomics calibrate` writes this file and the package ships one. A chip, engine or precision that was never measured
takes the nearest that was, and says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ValidationError

from moeconomics.boundary import Strict, read_yaml
from moeconomics.errors import BadInput, invalid
from moeconomics.hardware import Chip
from moeconomics.serving.kernels import Format, Kernel

Operator = Literal["gemm", "experts", "attention", "context_attention"]
ENGINES = ("vllm", "sglang", "trtllm")

# Where a precision was never measured, the one whose kernels are nearest; the chip's own rate is never replaced.
_LIKE = {
    "bf16": ("bf16",),
    "fp8": ("fp8", "bf16"),
    "int8": ("int8", "fp8", "bf16"),
    "int4": ("int4", "mxfp4", "bf16"),
    "mxfp4": ("mxfp4", "int4", "bf16"),
    "nvfp4": ("nvfp4", "fp8", "bf16"),
}


class KernelFit(Strict):
    """One kernel of one chip and engine. Errors are |predicted/measured − 1| over `rows` timings."""

    operator: Operator
    chip: str
    generation: str | None
    engine: str
    precision: str
    kernel: str
    t0_us: float
    eta_memory: float
    eta_compute: float
    rows_half: float
    rows: int
    dropped: int
    error_median: float | None
    error_p90: float | None


class LinkFit(Strict):
    """All-reduce among `gpus` of one chip, or all-to-all (dispatch or combine): t0 + bytes / (share·link)."""

    operation: Literal["all_reduce", "all_to_all"]
    chip: str
    generation: str | None
    engine: str
    gpus: int
    t0_us: float
    link_share: float
    rows: int
    error_median: float | None


class Band(Strict):
    """Quantiles of measured/predicted for families that the fit had not seen: 5 %, 50 % and 95 %."""

    low: float
    middle: float
    high: float
    rows: int


def ends(band: Band | None) -> tuple[float, float]:
    """Low and high end as factors; NaN where no error is known."""
    return (math.nan, math.nan) if band is None else (band.low, band.high)


class EngineFit(Strict):
    """What end-to-end rows add to the kernels: a floor a layer, prefill's interference and one residual factor.

    The host's time of a step and of each sequence in it are 0 where the runs can not tell them from the floor.
    """

    generation: str
    engine: str
    floor_us_per_layer: float
    host_us_per_step: float
    host_us_per_sequence: float
    interference: float
    residual: float
    rows: int
    concurrency: float  # of 95 % of the rows at most
    families: tuple[str, ...]
    tpot: Band | None
    ttft: Band | None


class TtftFit(Strict):
    """Time to first token in a benchmark's closed loop: overhead + (prompt + burst·B/2)·(a prompt's kernel seconds)."""

    overhead_ms: float
    prompt: float
    burst: float
    rows: int


class Calibration(Strict):
    """Everything that was fitted, and from what. `scores` are errors on what was left out of the fit."""

    source: str
    date: str
    kernels: tuple[KernelFit, ...]
    links: tuple[LinkFit, ...]
    engines: tuple[EngineFit, ...]
    ttft: TtftFit
    scores: dict[str, dict[str, float]]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file that `moeconomics calibrate` wrote. Errors: `BadInput` naming the file and field."""
        raw = read_yaml(path)
        if not isinstance(raw, dict):
            raise BadInput(f"{path} is no calibration: write one with `moeconomics calibrate DATA -o {path.name}`")
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise invalid(f"calibration {path}", error, cls.model_fields) from error


@cache
def shipped() -> Calibration:
    """The package's own calibration."""
    return Calibration.read(Path(str(files(__package__) / "calibration.yaml")))


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """What one chip, engine and format use. `borrowed` says which of them were measured elsewhere.

    `is_timed` says whether any kernel was timed on this chip.
    """

    kernels: dict[tuple[str, str], Kernel]
    links: dict[str, dict[int, tuple[float, float]]]
    engine: EngineFit
    ttft: TtftFit
    borrowed: tuple[str, ...]
    is_timed: bool

    @classmethod
    def of(cls, calibration: Calibration, chip: Chip, engine: str, stored: Format) -> Self:
        """Find the coefficients. Errors: `BadInput` for an unknown engine or a format without a rate."""
        if engine not in ENGINES:
            raise BadInput(f"unknown engine {engine!r}; it may be {', '.join(ENGINES)}")
        stored.check(chip)
        borrowed: list[str] = []
        is_timed = False
        wanted = [
            *(("gemm", name) for name in dict.fromkeys((stored.dense, "bf16"))),
            ("experts", stored.experts),
            ("attention", stored.kv),
            ("context_attention", stored.kv),
        ]
        kernels = {}
        for operator, precision in wanted:
            found = _kernel(calibration, operator, precision, chip, engine)
            kernels[operator, precision] = Kernel(
                t0_s=found.t0_us / 1e6,
                eta_memory=found.eta_memory,
                eta_compute=found.eta_compute,
                rows_half=found.rows_half,
            )
            is_timed |= found.chip == chip.name
            if (found.chip, found.engine, found.precision) != (chip.name, engine, precision):
                borrowed.append(f"{operator} {precision} from {found.chip} {found.engine} {found.precision}")
        links: dict[str, dict[int, tuple[float, float]]] = {}
        for operation in ("all_reduce", "all_to_all"):
            nearest = _nearest([one for one in calibration.links if one.operation == operation], chip, engine)
            if not nearest:
                raise BadInput(f"the calibration has no {operation}: calibrate with data that has one")
            links[operation] = {one.gpus: (one.t0_us / 1e6, one.link_share * chip.bytes_per_s_link) for one in nearest}
            # Engines call the same library for all-to-alls; each has all-reduces of its own.
            if nearest[0].chip != chip.name or (operation == "all_reduce" and nearest[0].engine != engine):
                borrowed.append(f"{operation} from {nearest[0].chip} {nearest[0].engine}")
        fitted = _engine(calibration, chip, engine)
        if (fitted.generation, fitted.engine) != (chip.generation or chip.name, engine):
            borrowed.append(f"floor, interference and error band from {fitted.generation} {fitted.engine}")
        return cls(
            kernels=kernels,
            links=links,
            engine=fitted,
            ttft=calibration.ttft,
            borrowed=tuple(borrowed),
            is_timed=is_timed,
        )


def _kernel(calibration: Calibration, operator: str, precision: str, chip: Chip, engine: str) -> KernelFit:
    for name in _LIKE[precision]:
        fits = [one for one in calibration.kernels if (one.operator, one.precision) == (operator, name)]
        if fits:
            found: KernelFit = _nearest(fits, chip, engine)[0]
            return found
    raise BadInput(f"the calibration has no {operator} kernel for {precision}: calibrate with data that has one")


def _nearest(fits: Sequence[Any], chip: Chip, engine: str) -> Sequence[Any]:
    """The fits of the nearest chip and engine: this chip, its generation, then Hopper, the best measured."""

    def distance(one: Any) -> tuple[int, int]:
        same = 0 if one.chip == chip.name else 1 if one.generation == chip.generation else 2
        return same + (same == 2 and one.generation != "hopper"), int(one.engine != engine)

    least = min(map(distance, fits), default=None)
    first = next((one for one in fits if distance(one) == least), None)
    return [one for one in fits if first is not None and (one.chip, one.engine) == (first.chip, first.engine)]


def _engine(calibration: Calibration, chip: Chip, engine: str) -> EngineFit:
    def distance(one: EngineFit) -> tuple[int, int]:
        same = 0 if one.generation == (chip.generation or chip.name) else 1 if one.generation == "hopper" else 2
        return same, int(one.engine != engine)

    if not calibration.engines:
        raise BadInput("the calibration has no engines: calibrate with data that has end-to-end runs")
    return min(calibration.engines, key=distance)
