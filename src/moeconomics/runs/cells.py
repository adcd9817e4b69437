"""From the cells of a raw table to typed columns: what can not be of its column's kind is a problem with a place."""

import polars as pl

from moeconomics.runs.columns import COLUMNS, Column
from moeconomics.runs.problems import Problems
from moeconomics.runs.tables import RawTable

_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_EXACT = 2.0**53  # above it a float does not hold every whole number


def typed_frame(raw: RawTable, problems: Problems, required: tuple[str, ...]) -> pl.DataFrame:
    """All columns of the schema in its order, null where the file has none, then the file's further columns.

    Further columns keep their names; text that is numbers throughout becomes numbers. An empty cell of a `required`
    column is a problem; but a run that failed has no loss, and `flags` say why.
    """
    made = []
    for name, column in COLUMNS.items():
        if name in raw.frame.columns:
            made.append(typed(raw.frame[name], column, problems))
        else:
            made.append(pl.Series(name, [None] * raw.frame.height, dtype=column.dtype))
    further = [_inferred(cells) for cells in raw.frame.get_columns() if cells.name not in COLUMNS]
    frame = pl.DataFrame(made + further)
    for name in required:
        empty = raw.frame[name].is_null()
        if raw.frame[name].dtype == pl.String:
            empty |= raw.frame[name] == ""
        reason = "every row needs it"
        if name == "loss":
            empty &= frame["flags"].is_null()
            reason = "every row needs it, or flags that say why the run has none"
        for row in empty.arg_true():
            problems.add(row, name, f"is empty; {reason}")
    return frame


def typed(cells: pl.Series, column: Column, problems: Problems) -> pl.Series:
    """The cells of one column as its kind; an empty text is unknown. Cells that can not be are noted and null."""
    if cells.dtype == pl.String:
        cells = cells.set(cells == "", None)
    if column.kind == "text":
        values = _text(cells)
    elif column.kind == "flag":
        values = _flag(cells)
    else:
        values = number(cells)
        fraction = values.is_null() if column.kind == "positive" else values != values.floor()
        low = {"positive": values <= 0, "count": values < 1, "whole": values < 0}[column.kind]
        values = values.set((low | ~values.is_finite() | fraction).fill_null(False), None)
        if column.kind != "positive":
            values = _whole(cells, values)
    if column.choices:
        values = values.set(~values.is_in(column.choices), None)
    for row in (cells.is_not_null() & values.is_null()).arg_true():
        problems.add(row, cells.name, f"{_shown(cells[row])} is not {column.allowed}{_zero_hint(cells[row])}")
    return values


def number(cells: pl.Series) -> pl.Series:
    """Cells as 64-bit floats, null where they are no number."""
    if cells.dtype == pl.String:
        return cells.str.strip_chars().cast(pl.Float64, strict=False)
    if cells.dtype.is_numeric() or cells.dtype == pl.Null:
        return cells.cast(pl.Float64, strict=False)
    return pl.Series(cells.name, [None] * len(cells), dtype=pl.Float64)


def _whole(cells: pl.Series, values: pl.Series) -> pl.Series:
    """Whole numbers of the valid `values`: by way of 64-bit integers, which hold every seed."""
    exact = cells if cells.dtype.is_integer() else cells.cast(pl.String, strict=False).str.strip_chars()
    integers = exact.cast(pl.Int64, strict=False)
    rounded = values.set((values > _EXACT).fill_null(False), None).cast(pl.Int64, strict=False)
    return integers.set(values.is_null(), None).zip_with(integers.is_not_null() | values.is_null(), rounded)


def _flag(cells: pl.Series) -> pl.Series:
    if cells.dtype == pl.Boolean:
        return cells
    if cells.dtype != pl.String and not cells.dtype.is_numeric():
        return pl.Series(cells.name, [None] * len(cells), dtype=pl.Boolean)
    words = cells.cast(pl.String).str.strip_chars().str.to_lowercase()
    return pl.Series(cells.name, [_FLAGS.get(word or "") for word in words], dtype=pl.Boolean)


def _text(cells: pl.Series) -> pl.Series:
    if cells.dtype == pl.String or cells.dtype.is_numeric() or cells.dtype == pl.Null:
        return cells.cast(pl.String)
    return pl.Series(cells.name, [None] * len(cells), dtype=pl.String)


def _inferred(cells: pl.Series) -> pl.Series:
    if cells.dtype != pl.String or cells.null_count() == len(cells):
        return cells
    for dtype in (pl.Int64, pl.Float64):
        numbers = cells.cast(dtype, strict=False)
        if numbers.null_count() == cells.null_count():
            return numbers
    return cells


def _shown(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _zero_hint(value: object) -> str:
    return " (leave an unknown value empty)" if str(value).strip() in {"0", "0.0", "-0.0"} else ""
