"""Rows that contradict themselves or each other: each is a problem with its line and column."""

import polars as pl

from moeconomics.errors import BadInput
from moeconomics.runs.architecture import shape_from_json
from moeconomics.runs.problems import Problems

_SMALL = 1e-9  # relative: a number that was rounded when it was written is no contradiction

# (column to name, the smaller or equal one, the larger one)
_AT_MOST = (
    ("n_active", "n_active", "n_total"),
    ("top_k", "top_k", "n_experts"),
    ("unique_tokens", "unique_tokens", "tokens"),
)


def find_contradictions(frame: pl.DataFrame, problems: Problems) -> None:
    """Note the rows of a typed frame that can not be true."""
    _dense_with_top_k(frame, problems)
    for column, small, large in _AT_MOST:
        bad = (frame[small] > frame[large] * (1 + _SMALL)).fill_null(False)
        for row in bad.arg_true():
            problems.add(row, column, f"{small} {frame[small][row]:.10g} exceeds {large} {frame[large][row]:.10g}")
    _shapes(frame, problems)
    _keys(frame, problems)


def _dense_with_top_k(frame: pl.DataFrame, problems: Problems) -> None:
    for row in ((frame["n_experts"] == 1) & (frame["top_k"] >= 2)).fill_null(False).arg_true():
        problems.add(row, "top_k", f"n_experts is 1, a dense model, and top_k is {frame['top_k'][row]}")


def _shapes(frame: pl.DataFrame, problems: Problems) -> None:
    for row in frame["shape"].is_not_null().arg_true():
        try:
            shape = shape_from_json(frame["shape"][row])
        except BadInput as error:
            problems.add(row, "shape", str(error))
            continue
        for name in ("n_experts", "top_k", "n_shared_experts"):
            given = frame[name][row]
            if given is not None and given != getattr(shape, name):
                problems.add(row, name, f"{given} where the shape has {getattr(shape, name)}")


def _keys(frame: pl.DataFrame, problems: Problems) -> None:
    first: dict[tuple[str, int | None], int] = {}
    for row, key in enumerate(zip(frame["run_id"], frame["step"], strict=True)):
        if key[0] is None:
            continue
        before = first.setdefault(key, row)
        if before != row:
            step = "" if key[1] is None else f" at step {key[1]}"
            problems.add(row, "run_id", f"{key[0]!r}{step} is already on {problems.place(before)}")
