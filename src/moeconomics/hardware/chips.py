"""`Chip`: peak rates, memory, links and prices of one accelerator, each with its source."""

from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from moeconomics.boundary import Strict, is_yaml, read_yaml, within
from moeconomics.errors import BadInput, invalid, unknown_name
from moeconomics.plugins import installed

Dtype = Literal["bf16", "fp8", "int8", "fp4"]
PriceKind = Literal["rental", "tco_neocloud", "tco_hyperscaler"]


def _as_band(value: Any) -> Any:
    return (value, value) if isinstance(value, int | float | str) else value


def _rising(band: tuple[float, float]) -> tuple[float, float]:
    if band[0] > band[1]:
        raise ValueError("must be [low, high]")
    return band


def _as_text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


# The ranges of this room catch slips of unit, such as gigabytes given for bytes.
Flops = Annotated[float, within(1e9, 1e18, "FLOP/s")]  # from one core of a CPU
BytesPerS = Annotated[float, within(1e9, 1e14, "bytes/s")]
Usd = Annotated[float, within(0.001, 1000, "USD per GPU-hour")]
Band = Annotated[tuple[Usd, Usd], BeforeValidator(_as_band), AfterValidator(_rising)]


class Source(Strict):
    """Where figures were read, and when."""

    text: str
    date: Annotated[str, BeforeValidator(_as_text)]


class Price(Strict):
    """USD of one GPU for one hour: the middle of the source's band `low` to `high`, which are equal for one figure."""

    usd_per_gpu_hour: float
    low: float
    high: float
    kind: str
    source: str
    date: str
    verified: bool


class Chip(Strict):
    """One accelerator in SI units: dense peak FLOP/s by format, bytes, bytes/s, watts, USD per hour.

    `bytes_per_s_link`: per GPU, one direction, inside a domain of `link_domain` GPUs; `bytes_per_s_scaleout`: between
    domains. Chips of one `generation` are taken to run kernels alike where only one was measured. A price is one
    figure or [low, high]. `unverified` lists the fields whose source could not be confirmed, as dotted paths such as
    usd_per_hour.rental.
    """

    name: str
    generation: str | None = None
    flops_per_s: Annotated[dict[Dtype, Flops], Field(min_length=1)]
    bytes_memory: Annotated[float, within(1e9, 1e13, "bytes")]
    bytes_per_s_memory: BytesPerS
    bytes_per_s_link: BytesPerS
    link: str
    link_domain: Annotated[int, within(1, 100_000, "GPUs")]
    bytes_per_s_scaleout: BytesPerS | None = None
    watts_tdp: Annotated[float, within(10, 1e5, "W")] | None = None
    usd_per_hour: dict[PriceKind, Band] = Field(default_factory=dict)
    source_spec: Source
    source_price: Source | None = None
    unverified: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        figures = set()
        for name, value in self:
            if isinstance(value, dict):
                figures |= {f"{name}.{key}" for key in value}
            elif isinstance(value, int | float):
                figures.add(name)
        for path in self.unverified:
            if path not in figures:
                raise unknown_name("field in unverified", path, figures)
        if self.usd_per_hour and self.source_price is None:
            raise ValueError("usd_per_hour needs source_price: say where the price is from")
        return self

    def flops(self, dtype: str) -> float:
        """Peak dense FLOP/s in a format. Errors: `BadInput` when none is known; it is never scaled from another."""
        for known, rate in self.flops_per_s.items():
            if known == dtype:
                return rate
        raise BadInput(f"{self.name} has no {dtype} rate; precision may be {', '.join(self.flops_per_s)}")

    def price(self, kind: str | None = None) -> Price:
        """Price of one kind, or the first there is of rental, tco_neocloud, tco_hyperscaler.

        Errors: `BadInput` when the catalogue has no such price.
        """
        bands: dict[str, tuple[float, float]] = dict(self.usd_per_hour.items())
        order = ("rental", "tco_neocloud", "tco_hyperscaler") if kind is None else (kind,)
        name = next((name for name in order if name in bands), None)
        if name is None or self.source_price is None:
            wanted = "price" if kind is None else f"{kind} price"
            there_are = f" (there are: {', '.join(bands)})" if bands else ""
            raise BadInput(f"no {wanted} for {self.name}{there_are}; give --usd-per-gpu-hour")
        low, high = bands[name]
        return Price(
            usd_per_gpu_hour=(low + high) / 2,
            low=low,
            high=high,
            kind=name,
            source=f"{self.source_price.text} ({self.source_price.date})",
            date=self.source_price.date,
            verified=not self.is_unverified(f"usd_per_hour.{name}"),
        )

    def is_unverified(self, path: str) -> bool:
        """Whether the figure at a dotted path could not be confirmed."""
        return path in self.unverified


@cache
def catalogue() -> dict[str, Chip]:
    """The chips of this package by name."""
    raw = read_yaml(Path(str(files(__package__) / "chips.yaml")))
    return {name: Chip(name=name, **entry) for name, entry in raw.items()}


def load_chips() -> dict[str, Chip]:
    """The catalogue, then chips that installed packages add under the entry point `moeconomics.chips`."""
    return catalogue() | installed("moeconomics.chips", Chip, taken=catalogue())


def get_chip(name: str) -> Chip:
    """Find a chip by name (any case), or read one's own from a .yaml file.

    Errors: `BadInput` with the nearest known name, or with the file, field and range.
    """
    if is_yaml(name):
        raw = read_yaml(Path(name))
        if not isinstance(raw, dict):
            raise BadInput(f"{name}: a chip file holds `field: value` lines, as `moeconomics hardware NAME` shows")
        try:
            return Chip.model_validate({"name": Path(name).stem, **raw})
        except ValidationError as error:
            raise invalid(f"chip file {name}", error, Chip.model_fields) from error
    # One's own package may build its chip from one of ours while it is being loaded, so ours come first.
    for chips in (catalogue, load_chips):
        for known, chip in chips().items():
            if known.casefold() == name.casefold():
                return chip
    raise unknown_name("chip", name, load_chips())
