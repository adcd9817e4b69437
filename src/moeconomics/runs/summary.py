"""What a runs table holds, in a few numbers."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from moeconomics.runs.columns import COLUMNS
from moeconomics.runs.variables import known_numbers

_RANGES = ("n_params", "n_active", "n_total", "n_experts", "top_k", "tokens", "unique_tokens", "train_flops", "loss")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Rows, filled cells by column, further columns, ranges (low, high), loss by number of experts, flags.

    `loss_by_experts`: number of experts (None unknown) → rows, lowest and highest loss.
    """

    rows: int
    trunks: int | None
    filled: dict[str, int]
    further: dict[str, int]
    ranges: dict[str, tuple[float, float]]
    loss_by_experts: list[dict[str, float | int | None]]
    flags: dict[str, int]
    sources: list[str]
    licences: list[str]


def summarise(frame: pl.DataFrame) -> Summary:
    """Summarise a runs table; counts of rows with a known `shape` are those of the shape."""
    numbers = pl.DataFrame(known_numbers(frame)).fill_nan(None)
    filled = {name: frame.height - frame[name].null_count() for name in frame.columns}
    by_experts = (
        numbers.group_by("n_experts")
        .agg(pl.len().alias("rows"), pl.min("loss").alias("loss_low"), pl.max("loss").alias("loss_high"))
        .sort("n_experts", nulls_last=True)
    )
    flags = frame["flags"].drop_nulls().str.split(";").explode().str.strip_chars().value_counts(sort=True)
    return Summary(
        rows=frame.height,
        trunks=frame["trunk"].drop_nulls().n_unique() or None,
        filled={name: count for name, count in filled.items() if count and name in COLUMNS},
        further={name: count for name, count in filled.items() if name not in COLUMNS},
        ranges={
            name: (float(np.nanmin(values)), float(np.nanmax(values)))
            for name in _RANGES
            for values in [numbers[name].to_numpy()]
            if not np.isnan(values).all()
        },
        loss_by_experts=by_experts.cast({"n_experts": pl.Int64}).rename({"n_experts": "experts"}).to_dicts(),
        flags=dict(flags.iter_rows()),
        sources=frame["source"].drop_nulls().unique(maintain_order=True).to_list(),
        licences=frame["licence"].drop_nulls().unique(maintain_order=True).to_list(),
    )
