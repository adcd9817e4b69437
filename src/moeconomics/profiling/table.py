"""From lines of measurements to rows of the table, and from the table to what is still to be measured."""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from moeconomics.errors import BadInput
from moeconomics.profiling.grid import Grid, Model
from moeconomics.serving.profile_table import COLUMNS, read_profile, write_profile

Report = Callable[[float, float, str], None]  # cells done, of, words
MEASURES = ("batches", "contexts", "steps", "input_len", "output_len", "repeats")  # the fields of a grid that decide
ROUNDS = 3  # under load this many times as many requests as run at once


def asked_hash(model: Model | None, grid: Grid, engine: str) -> str:
    """What names a measurement: the model, the cells and the engine, as far as they are known before it."""
    text = json.dumps([model and model.config, grid.model_dump(include=set(MEASURES)), engine], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def spread(name: str, values: Sequence[float]) -> dict[str, float]:
    """A number's columns: the median of its repeats, the lowest and the highest."""
    return {name: float(np.median(values)), f"{name}_low": min(values), f"{name}_high": max(values)}


def finished(path: Path) -> pl.DataFrame:
    """What an earlier command has measured: no rows where there is no file. Errors: `BadInput` for another file."""
    if path.suffix != ".parquet":
        raise BadInput(f"{path}: a profile is written to a file named .parquet")
    if not path.parent.is_dir():
        raise BadInput(f"can not write {path}: there is no folder {path.parent}")
    return read_profile(path) if path.exists() else pl.DataFrame(schema=COLUMNS)


def add_rows(path: Path, rows: list[dict[str, Any]], common: dict[str, Any]) -> pl.DataFrame:
    """Write what the file holds by now with new rows, whole. Errors: `BadInput`, as for rows of another chip."""
    told = {
        **common,
        "dtype": "bf16",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": f"moeconomics {version('moeconomics')}",
    }
    frame = pl.concat(
        [finished(path), pl.DataFrame([dict.fromkeys(COLUMNS) | told | row for row in rows], schema=COLUMNS)]
    )
    write_profile(frame, path)
    return frame


def refuse_other_grid(done: pl.DataFrame, models: list[Model], asked: set[str], path: Path) -> None:
    """Errors: `BadInput` where a model was measured on another grid, whose rows would stand beside its new ones."""
    configs = [model.columns()["config"] for model in models]
    other = done.filter(pl.col("config").is_in(configs) & ~pl.col("asked").is_in(asked))
    if other.height:
        raise BadInput(
            f"{path} holds {other['shape'][0]} measured on another grid or engine: give another file with -o, or "
            f"remove {path}"
        )
