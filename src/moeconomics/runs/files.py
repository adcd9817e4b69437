"""`read_runs` and `write_runs`: the runs table at the door."""

from difflib import get_close_matches
from pathlib import Path

import polars as pl

from moeconomics.errors import BadInput
from moeconomics.runs.cells import typed_frame
from moeconomics.runs.columns import REQUIRED
from moeconomics.runs.contradictions import find_contradictions
from moeconomics.runs.facts import complete
from moeconomics.runs.problems import Problems
from moeconomics.runs.tables import RawTable, read_table, write_table


def read_runs(path: Path) -> pl.DataFrame:
    """Read a .csv, .jsonl or .parquet file of runs: all of `COLUMNS` in order, then the file's further columns.

    Cells that are empty, and columns that the file does not have, are null. Rows whose `source` is one of the
    public sources get what is known of that source as a whole.

    Errors: `BadInput` with file, line and column for a cell that is not of its column's kind or a row that
    contradicts itself or another, ten at most and the number of further ones.
    """
    return checked(read_table(path))


def write_runs(frame: pl.DataFrame, path: Path) -> None:
    """Write runs to a .csv, .jsonl or .parquet file, whole or not at all.

    Errors: `BadInput` for a table that `read_runs` would refuse, or a path that can not be written.
    """
    places = [f"row {number}" for number in range(1, frame.height + 1)]
    write_table(checked(RawTable(f"the table for {path}", frame, places)), path)


def read_points(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Points to predict losses at: the file as it stands, and the same as runs, of which nothing need be known.

    A point without a `run_id` is called by its place in the file. Errors: `BadInput` as `read_runs`.
    """
    raw = read_table(path)
    names = pl.Series("run_id", raw.places)
    if "run_id" in raw.frame.columns:
        names = raw.frame["run_id"].cast(pl.String).fill_null(names)
    return raw.frame, checked(RawTable(raw.name, raw.frame.with_columns(names), raw.places), required=())


def checked(raw: RawTable, required: tuple[str, ...] = REQUIRED) -> pl.DataFrame:
    """A raw table as runs; `required` columns must be filled. Errors: `BadInput` as `read_runs`."""
    missing = [name for name in required if name not in raw.frame.columns]
    if missing:
        there = ", ".join(raw.frame.columns[:40])
        near = [match for name in missing for match in get_close_matches(name, raw.frame.columns, n=1)]
        hint = f" Rename {', '.join(near)}, or import" if near else " Import"
        raise BadInput(
            f"{raw.name} has no column {', '.join(missing)}; it has {there}."
            f"{hint} it with a column map: moeconomics runs import FILE --map map.yaml"
        )
    problems = Problems(raw.name, raw.places)
    frame = complete(typed_frame(raw, problems, required))
    find_contradictions(frame, problems)
    problems.refuse()
    return frame
