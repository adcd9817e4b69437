"""Public sets by name: from a local folder of tidy files, or fetched from their authors' repositories.

A tidy file's sha256 is checked. An original is fetched (pooch, extra `data`) only where it can be converted without
guessing; it is pinned by its commit, and its sha256 is checked where it is known, which it is for none yet.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl

from moeconomics.errors import BadInput, unknown_name
from moeconomics.runs.facts import PublicSource, catalogue, public_sets
from moeconomics.runs.files import checked, read_runs
from moeconomics.runs.tables import RawTable, read_table

FOLDER = "MOECONOMICS_DATA"  # environment variable: the folder with the tidy files


def load_runs(name: str) -> pl.DataFrame:
    """Read a runs file, or the public set of that name.

    Errors: `BadInput` as `read_runs` and `load_public`, or with the nearest public name.
    """
    if name in public_sets():
        return load_public(name)
    if not Path(name).suffix and not Path(name).exists():
        raise unknown_name("public set (and no file)", name, public_sets())
    return read_runs(Path(name))


def load_public(name: str) -> pl.DataFrame:
    """The runs of a public set, from the folder in `MOECONOMICS_DATA` when that is set, else from the network.

    Errors: `BadInput` for an unknown name, a file that is missing or is not the known one, an original that can
    not be converted, a missing pooch, or a network that fails.
    """
    if name not in public_sets():
        raise unknown_name("public set", name, public_sets())
    found = public_sets()[name]
    folder = os.environ.get(FOLDER)
    if folder:
        path = Path(folder) / found.file
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror}; {FOLDER} is the folder with {found.file}") from error
        if digest != found.sha256_tidy:
            raise BadInput(f"{path} is not the known {name}: sha256 {digest}, not {found.sha256_tidy}")
        return read_runs(path)
    source = catalogue().sources[found.source]
    if name not in _CONVERTERS:
        raise BadInput(
            f"{name} can not be made from {source.path} of {source.repository} here: "
            f"set {FOLDER} to the folder with {found.file}"
        )
    original = read_table(_fetched(source))
    frame = checked(RawTable(original.name, _CONVERTERS[name](original, found.source), original.places))
    if frame.height != found.rows:
        raise BadInput(f"{original.name}: {frame.height} rows, {name} has {found.rows}")
    return frame


def address(source: PublicSource) -> str:
    """Where the file of a source is downloaded."""
    return f"{source.repository.replace('github.com', 'raw.githubusercontent.com')}/{source.commit}/{source.path}"


def _fetched(source: PublicSource) -> Path:
    """The original in pooch's cache."""
    try:
        import pooch
    except ImportError as error:
        raise BadInput(
            f"fetching needs pooch: pip install 'moeconomics[data]'; or set {FOLDER} to a folder of tidy files"
        ) from error
    url = address(source)
    folder = Path(os.environ.get("MOECONOMICS_CACHE", pooch.os_cache("moeconomics")))
    try:
        pooch.get_logger().setLevel("WARNING")
        known = f"sha256:{source.sha256}" if source.sha256 else None
        return Path(
            pooch.retrieve(url, known_hash=known, path=folder, fname=f"{source.commit[:12]}-{Path(source.path).name}")
        )
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; ValueError: another sha256
        raise BadInput(f"can not fetch {url}: {error}; set {FOLDER} to a folder of tidy files") from error


def _dense(source: str, law_family: str) -> list[pl.Expr]:
    """The columns that all rows of a dense set share."""
    return [
        pl.col("n_params").alias("n_active"),
        pl.col("n_params").alias("n_total"),
        pl.lit(1).alias("n_experts"),
        pl.lit(1).alias("top_k"),
        pl.lit(source).alias("source"),
        pl.lit(law_family).alias("law_family"),
    ]


def _numbers(original: RawTable, columns: dict[str, str]) -> pl.DataFrame:
    missing = sorted(set(columns.values()) - set(original.frame.columns))
    if missing:
        raise BadInput(f"{original.name} has no column {', '.join(missing)}: it is not the known original")
    return original.frame.select(
        pl.col(theirs).cast(pl.Float64, strict=False).alias(ours) for ours, theirs in columns.items()
    )


def _chinchilla(original: RawTable, source: str) -> pl.DataFrame:
    """D = FLOP/(6N), as Besiroglu et al. compute it; they leave out the five highest losses."""
    frame = _numbers(original, {"n_params": "Model Size", "flops": "Training FLOP", "loss": "loss"})
    return frame.with_columns(
        pl.format("chinchilla-{}", pl.int_range(pl.len())).alias("run_id"),
        (pl.col("flops") / (6 * pl.col("n_params"))).alias("tokens"),
        (pl.col("loss").rank("ordinal", descending=True) <= 5).cast(pl.Int64).alias("excluded_by_besiroglu"),
        *_dense(source, "dense-chinchilla"),
    )


def _muennighoff(original: RawTable, source: str) -> pl.DataFrame:
    """The original has tokens and unique tokens swapped: its unique ones exceed the tokens in 153 rows."""
    frame = _numbers(
        original, {"n_params": "params", "tokens": "unique_tokens", "unique_tokens": "tokens", "loss": "loss"}
    )
    names = original.frame["id"]
    return frame.with_columns(
        names.alias("run_id"),
        # One loss is absent from the authors' own notebook and one differs there by 0.005.
        (~names.is_in(["8b7178b13b", "7m100m100m"])).cast(pl.Int64).alias("matches_authors_notebook"),
        *_dense(source, "dense-data-constrained"),
    )


_CONVERTERS: dict[str, Callable[[RawTable, str], pl.DataFrame]] = {
    "chinchilla_epoch": _chinchilla,
    "muennighoff2023_data_constrained": _muennighoff,
}
