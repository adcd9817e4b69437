"""The table of measured latencies: what `profile` writes and the cost model `profile:FILE` reads.

A row is one cell of the grid that was measured on one model. Its `kind` says which numbers it has:

- prefill: `batch` prompts of `input_len` tokens sent at once; `prefill_ms` until all have their first token
- decode: `tpot_ms`, one step that decodes one token of each of `batch` requests with `context` cached tokens each
- load: `batch` requests running and more waiting, of `input_len` and `output_len`; `output_tok_s` in all

Each number is the median of `repeats`, with the lowest and highest as `_low` and `_high`.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from moeconomics.errors import BadInput

KINDS = {"prefill": "prefill_ms", "decode": "tpot_ms", "load": "output_tok_s"}
_MEASURED = ("prefill_ms", "ttft_ms", "tpot_ms", "output_tok_s")

COLUMNS: dict[str, Any] = {
    "shape": pl.String,  # its name; the other columns of the shape are null where it is unknown, as of an endpoint
    "config": pl.String,  # its Hugging Face config.json
    "d_model": pl.Int64,
    "n_layers": pl.Int64,
    "n_experts": pl.Int64,
    "top_k": pl.Int64,
    "vocab_size": pl.Int64,
    "n_active": pl.Int64,
    "n_total": pl.Int64,
    "kind": pl.String,
    "batch": pl.Int64,
    "context": pl.Float64,  # mean cached tokens of a request
    "input_len": pl.Int64,
    "output_len": pl.Int64,
    **{f"{name}{end}": pl.Float64 for name in _MEASURED for end in ("", "_low", "_high")},
    "repeats": pl.Int64,
    "kv_tokens": pl.Int64,  # room of the KV cache
    "max_num_seqs": pl.Int64,  # most requests that the engine runs at once
    "engine": pl.String,
    "engine_version": pl.String,
    "hardware": pl.String,
    "dtype": pl.String,
    "measured_at": pl.String,  # ISO 8601, UTC
    "code_version": pl.String,
    "asked": pl.String,  # hash of model, grid and engine: what a command that was stopped need not measure again
}
_SAME = ("engine", "engine_version", "hardware", "dtype")


def read_profile(path: Path) -> pl.DataFrame:
    """Read a profile, columns in order.

    Errors: `BadInput` for a file that is none, for times that are no positive numbers, or rows of several engines,
    chips or formats.
    """
    try:
        frame = pl.read_parquet(path.read_bytes())
    except OSError as error:
        raise BadInput(f"profile {path}: {error.strerror}; `moeconomics profile` writes one") from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise BadInput(f"profile {path} is no parquet file: {str(error).splitlines()[0]}") from error
    wrong = [name for name, kind in COLUMNS.items() if frame.schema.get(name) != kind]
    if wrong:
        raise BadInput(f"{path} is no profile, such as `moeconomics profile` writes: see its column {wrong[0]}")
    checked(frame, path)
    return frame.select(list(COLUMNS))


def write_profile(frame: pl.DataFrame, path: Path) -> None:
    """Write a profile whole: under a temporary name first, then renamed over the old one. Errors: `BadInput`."""
    checked(frame, path)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        half = Path(name)
        try:
            frame.write_parquet(half)
            half.chmod(0o644)
            half.replace(path)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(f"can not write {path}: {error.strerror or error}") from error


def checked(frame: pl.DataFrame, path: Path) -> None:
    """What a schema can not say. Errors: `BadInput`."""
    if not frame.height:
        raise BadInput(f"profile {path} has no rows")
    for name in _SAME:
        values = frame[name].unique().to_list()
        if len(values) > 1:
            raise BadInput(
                f"profile {path} mixes {name} {' and '.join(sorted(map(str, values)))}, which can not be compared: "
                f"measure each into a file of its own"
            )
    for kind, column in KINDS.items():
        rows = frame.filter(pl.col("kind") == kind)
        for cell in (column, f"{column}_low", f"{column}_high"):
            numbers = rows[cell].fill_null(float("nan"))
            if not ((numbers > 0) & numbers.is_finite()).all():
                raise BadInput(f"profile {path}: a {kind} row has a {cell} that is no positive number")
