"""CSV, JSON-lines and parquet files as columns with the place of each row, and back; no meaning is known here."""

import csv
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from moeconomics.errors import BadInput


@dataclass(frozen=True)
class RawTable:
    """A file as it stands: its columns, and where each row is ("line 3" or "row 3")."""

    name: str
    frame: pl.DataFrame
    places: list[str]


def read_table(path: Path) -> RawTable:
    """Read a .csv, .jsonl or .parquet file. Cells of a CSV are text, or null when empty.

    Errors: `BadInput` with the path, and the line where there is one. A parquet file with damaged bytes inside may
    abort polars' reader, which can not be caught; one that was cut short is refused.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise BadInput(f"{path}: runs are in a file named {', '.join(_READERS)}")
    with readable(path):
        table = reader(path)
    if not table.frame.height:
        raise BadInput(f"{path} has no rows")
    return table


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what goes wrong when `path` is read into `BadInput`."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from error
    except UnicodeError as error:
        raise BadInput(f"{path} is not UTF-8 text: {error}") from error


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a file whole: under a temporary name first, then renamed over the old one.

    Errors: `BadInput` for an unknown suffix, or with the path when it can not be written.
    """
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise BadInput(f"{path}: runs are written to a file named {', '.join(_WRITERS)}")
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            writer(frame, Path(temporary))
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(f"can not write {path}: {error.strerror or error}") from error


def table_of(name: str, records: Sequence[Mapping[str, Any]], places: list[str]) -> RawTable:
    """A table from records that may lack keys. Values of several kinds in one column become text."""
    columns = dict.fromkeys(key for record in records for key in record)
    return RawTable(
        name, pl.DataFrame([_series(key, [record.get(key) for record in records]) for key in columns]), places
    )


def _read_csv(path: Path) -> RawTable:
    rows, places = [], []
    # utf-8-sig: spreadsheets put a byte-order mark first.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            begins = reader.line_num + 1
            for row in reader:
                if row and len(row) != len(header):
                    raise BadInput(f"{path} line {begins}: {len(row)} cells, the header has {len(header)}")
                if row:
                    rows.append(row)
                    places.append(f"line {begins}")
                begins = reader.line_num + 1
        except csv.Error as error:
            raise BadInput(f"{path} line {reader.line_num}: {error}") from error
    _check_header(path, header)
    cells = {name: [row[number] or None for row in rows] for number, name in enumerate(header)}
    return RawTable(str(path), pl.DataFrame(cells, schema=dict.fromkeys(header, pl.String)), places)


def _check_header(path: Path, header: list[str]) -> None:
    if not any(header):
        raise BadInput(f"{path} has no header line")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise BadInput(f"{path} has the column {', '.join(map(repr, twice))} more than once")
    if len(header) == 1:
        for separator in (";", "\t", "|"):
            if separator in header[0]:
                raise BadInput(f"{path} is separated by {separator!r}; save it with commas")


def read_records(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The objects of a JSON-lines file and the place of each. Errors: `BadInput` with the line."""
    records, places = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, object_pairs_hook=_no_duplicates)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path} line {number} is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise BadInput(f'{path} line {number}: each line is a JSON object such as {{"run_id": "a"}}')
        records.append(record)
        places.append(f"line {number}")
    return records, places


def _read_jsonl(path: Path) -> RawTable:
    records, places = read_records(path)
    return table_of(str(path), records, places)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key is given twice")
    return made


def _series(name: str, values: list[Any]) -> pl.Series:
    kinds = frozenset(type(value) for value in values if value is not None)
    for dtype in _DTYPES.get(kinds, ()):
        try:
            return pl.Series(name, values, dtype=dtype)
        except (TypeError, OverflowError):  # an integer beyond 64 bits
            continue
    texts = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False, default=str) for v in values]
    return pl.Series(name, texts, dtype=pl.String)


_DTYPES: dict[frozenset[type], tuple[Any, ...]] = {
    frozenset({bool}): (pl.Boolean,),
    frozenset({int}): (pl.Int64, pl.Float64),
    frozenset({float}): (pl.Float64,),
    frozenset({int, float}): (pl.Float64,),
}


def _read_parquet(path: Path) -> RawTable:
    try:
        frame = pl.read_parquet(path.read_bytes())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise BadInput(f"{path} is no parquet file: {str(error).splitlines()[0]}") from error
    return RawTable(str(path), frame, [f"row {number}" for number in range(1, frame.height + 1)])


def _write_jsonl(frame: pl.DataFrame, path: Path) -> None:
    """Unknown keys are left out of a line, which reads back as null."""
    with path.open("w", encoding="utf-8") as file:
        for row in frame.iter_rows(named=True):
            known = {key: value for key, value in row.items() if value is not None}
            file.write(json.dumps(known, ensure_ascii=False, default=str) + "\n")


_READERS: dict[str, Callable[[Path], RawTable]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": lambda frame, path: frame.write_csv(path),
    ".jsonl": _write_jsonl,
    ".parquet": lambda frame, path: frame.write_parquet(path),
}
