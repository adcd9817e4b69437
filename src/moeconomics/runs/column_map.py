"""A column map says how somebody else's table becomes ours; every importer ends here.

YAML, one line a column of ours:

    run_id: name                                # their column
    n_params: {column: params_m, factor: 1e6}   # their column times a unit factor
    loss_kind: = validation                     # a constant for all rows

Without a map their columns are taken that have the names of ours, and further ones are kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from pydantic import ValidationError

from moeconomics.boundary import Strict, read_yaml, within
from moeconomics.errors import BadInput, invalid, unknown_name
from moeconomics.runs.cells import number
from moeconomics.runs.columns import COLUMNS
from moeconomics.runs.files import checked
from moeconomics.runs.problems import Problems
from moeconomics.runs.tables import RawTable, read_table


class FromColumn(Strict):
    """One of their columns, times a factor that brings it to our unit."""

    column: str
    factor: Annotated[float, within(1e-30, 1e30, "(ours = theirs times this)")] | None = None


@dataclass(frozen=True)
class ColumnMap:
    """Our column → their column, or the text of a constant."""

    entries: Mapping[str, FromColumn | str]


@dataclass(frozen=True)
class Imported:
    """The runs, and the places and names of rows that were left out because they have no finite loss."""

    frame: pl.DataFrame
    left_out: tuple[str, ...]


def load_map(path: Path) -> ColumnMap:
    """Read a column map. Errors: `BadInput` with file and entry, and the nearest name of an unknown column."""
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise BadInput(f"{path}: a column map holds lines such as `tokens: their_column`")
    entries = {}
    for ours, theirs in raw.items():
        if ours not in COLUMNS:
            raise BadInput(f"{path}: {unknown_name('column', str(ours), COLUMNS)}")
        entries[ours] = _entry(f"{path}: {ours}", theirs)
    return ColumnMap(entries)


def _entry(where: str, theirs: Any) -> FromColumn | str:
    if isinstance(theirs, str) and theirs.startswith("="):
        return theirs.removeprefix("=").strip()
    try:
        return FromColumn.model_validate(theirs if isinstance(theirs, dict) else {"column": theirs})
    except ValidationError as error:
        raise invalid(where, error, FromColumn.model_fields) from error


def import_file(path: Path, columns: ColumnMap | None = None) -> Imported:
    """Read somebody's .csv, .jsonl or .parquet as runs. Errors: `BadInput` as `read_runs`, or for a missing column."""
    return mapped(read_table(path), columns)


def mapped(raw: RawTable, columns: ColumnMap | None) -> Imported:
    """A raw table as runs; rows without a finite loss, as of crashed runs, are left out and named.

    Errors: `BadInput` as `read_runs`, or for a column that the map names and the table does not have.
    """
    frame = raw.frame
    if columns is not None:
        problems = Problems(raw.name, raw.places)
        frame = pl.DataFrame([_column(raw, ours, theirs, problems) for ours, theirs in columns.entries.items()])
        problems.refuse()
    if "loss" not in frame.columns:
        return Imported(checked(RawTable(raw.name, frame, raw.places)), ())
    ended = (number(frame["loss"]).is_finite().fill_null(True) & frame["loss"].is_not_null()).to_numpy()
    if not ended.any():
        raise BadInput(f"{raw.name}: no row has a finite loss")
    names = frame["run_id"].to_list() if "run_id" in frame.columns else raw.places
    kept = RawTable(raw.name, frame.filter(ended), [place for place, has in zip(raw.places, ended, strict=True) if has])
    left_out = (f"{name} ({place})" for name, place, has in zip(names, raw.places, ended, strict=True) if not has)
    return Imported(checked(kept), tuple(left_out))


def _column(raw: RawTable, ours: str, theirs: FromColumn | str, problems: Problems) -> pl.Series:
    if isinstance(theirs, str):
        return pl.Series(ours, [theirs] * raw.frame.height, dtype=pl.String)
    if theirs.column not in raw.frame.columns:
        raise BadInput(f"{raw.name}: {unknown_name('column', theirs.column, raw.frame.columns)}")
    cells = raw.frame[theirs.column].alias(ours)
    if theirs.factor is None:
        return cells
    numbers = number(cells)
    for row in (cells.is_not_null() & numbers.is_null()).arg_true():
        problems.add(row, theirs.column, f"{cells[row]!r} is not a number")
    return numbers * theirs.factor
