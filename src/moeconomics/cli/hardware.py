"""`moeconomics hardware`."""

from typing import Annotated

import typer

from moeconomics.cli import options
from moeconomics.cli.output import print_json, say, table
from moeconomics.errors import BadInput
from moeconomics.hardware import Chip, get_chip, load_chips
from moeconomics.units import BYTES_PER_ELEMENT


def hardware(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE.yaml]", help="One chip with its sources.", show_default=False)
    ] = None,
    json: options.Json = False,
) -> None:
    """List the chips of the catalogue, or show one with the source and date of each figure.

    Example: `moeconomics hardware H100-SXM-80GB`
    """
    chips = [get_chip(name)] if name is not None else list(load_chips().values())
    if json:
        answer = [chip.model_dump(mode="json") for chip in chips]
        print_json(answer[0] if name is not None else answer)
        return
    rows = [
        [
            chip.name,
            *(_shown(chip, f"flops_per_s.{dtype}", _rate(chip, dtype), 1e12) for dtype in BYTES_PER_ELEMENT),
            _shown(chip, "bytes_memory", chip.bytes_memory, 1e9),
            _shown(chip, "bytes_per_s_memory", chip.bytes_per_s_memory, 1e9),
            _shown(chip, "bytes_per_s_link", chip.bytes_per_s_link, 1e9),
            _shown(chip, "link_domain", chip.link_domain, 1),
            _shown(chip, "watts_tdp", chip.watts_tdp, 1),
            _price(chip),
        ]
        for chip in chips
    ]
    columns = [
        "chip", *(f"{dtype} TFLOP/s" for dtype in BYTES_PER_ELEMENT),
        "GB", "GB/s", "link GB/s", "GPUs/link", "W", "USD/h",
    ]  # fmt: skip
    table("Chips (dense peaks; link per GPU, one direction; first price there is)", columns, rows)
    say(
        "? unverified; n/a not known. Prices: rental, else cost of ownership. Give your own: --usd-per-gpu-hour.",
        "dim",
    )
    if name is not None:
        _print_sources(chips[0])


def _rate(chip: Chip, dtype: str) -> float | None:
    return next((rate for known, rate in chip.flops_per_s.items() if known == dtype), None)


def _shown(chip: Chip, path: str, value: float | None, scale: float) -> str:
    if value is None:
        return "n/a"
    return f"{value / scale:g}" + (" ?" if chip.is_unverified(path) else "")


def _price(chip: Chip) -> str:
    try:
        price = chip.price()
    except BadInput:
        return "n/a"
    text = f"{price.low:g}" if price.low == price.high else f"{price.low:g}-{price.high:g}"
    return text + ("" if price.verified else " ?")


def _print_sources(chip: Chip) -> None:
    say(f"\nSpecifications: {chip.source_spec.text} ({chip.source_spec.date})")
    for kind in chip.usd_per_hour:
        price = chip.price(kind)
        mark = "" if price.verified else ", unverified"
        say(f"Price {kind}: {price.low:g} to {price.high:g} USD per GPU-hour{mark}: {price.source}")
    if chip.unverified:
        say(f"Unverified: {', '.join(chip.unverified)}")
