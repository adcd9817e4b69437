"""What is known of the public sources as a whole, and how it fills the rows that come from them."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field

from moeconomics.boundary import Strict, read_yaml
from moeconomics.runs.columns import COLUMNS

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PublicSource(Strict):
    """A public repository of measurements: address, commit, file, licence, and what holds for all its rows.

    `sha256` is of the original file, null where that was not at hand. `annealed_from_step`: rows from this step on
    are at the end of their schedule. `trunk_from`: the column that numbers the training runs.
    `dense_top_k_repeats`: the column that a dense row's top_k repeats, though nothing is routed there.
    """

    title: str
    repository: str
    commit: str
    path: str
    sha256: Sha256 | None
    licence: str
    facts: dict[str, str | bool]
    annealed_from_step: int | None = None
    trunk_from: str | None = None
    dense_top_k_repeats: str | None = None


class PublicSet(Strict):
    """A tidy table made from a source: its file, number of rows and sha256."""

    source: str
    what: str
    file: str
    rows: int
    sha256_tidy: Sha256


class _Catalogue(Strict):
    sources: dict[str, PublicSource]
    sets: dict[str, PublicSet]


@cache
def catalogue() -> _Catalogue:
    """The public sources by the text in `source`, and the sets by name."""
    return _Catalogue.model_validate(read_yaml(Path(str(files(__package__) / "public.yaml"))))


def public_sets() -> dict[str, PublicSet]:
    """The named public sets."""
    return catalogue().sets


def complete(frame: pl.DataFrame) -> pl.DataFrame:
    """Fill what rows of a public source leave unknown and is known of the whole source; nothing known is changed.

    The one correction: a dense row whose top_k repeats `dense_top_k_repeats` gets top_k 1 and a flag of that name.
    """
    for name, source in catalogue().sources.items():
        theirs = (pl.col("source") == name).fill_null(False)
        if frame.filter(theirs).height:
            frame = _completed(frame, theirs, source)
    return frame


def _completed(frame: pl.DataFrame, theirs: pl.Expr, source: PublicSource) -> pl.DataFrame:
    known: dict[str, pl.Expr] = {
        key: pl.lit(value) for key, value in {**source.facts, "licence": source.licence}.items()
    }
    if source.annealed_from_step is not None:
        known["annealed"] = pl.col("step") >= source.annealed_from_step
    if source.trunk_from in frame.columns:
        known["trunk"] = pl.lit(f"{source.trunk_from}-") + pl.col(str(source.trunk_from)).cast(pl.String)
    frame = frame.with_columns(
        pl.when(theirs & pl.col(key).is_null()).then(value.cast(COLUMNS[key].dtype)).otherwise(pl.col(key)).alias(key)
        for key, value in known.items()
    )
    repeated = source.dense_top_k_repeats
    if repeated not in frame.columns:
        return frame
    widened = theirs & (pl.col("n_experts") == 1) & (pl.col("top_k") > 1) & (pl.col("top_k") == pl.col(str(repeated)))
    return frame.with_columns(
        top_k=pl.when(widened).then(1).otherwise(pl.col("top_k")),
        flags=pl.when(widened).then(pl.concat_str("flags", pl.lit(repeated), separator=";", ignore_nulls=True))
        .otherwise(pl.col("flags")),
    )  # fmt: skip
