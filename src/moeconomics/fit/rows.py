"""`Rows`: what a fit sees of a runs table: the law's variables, the loss, and which rows belong together."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moeconomics.errors import BadInput
from moeconomics.laws import Law
from moeconomics.runs import variables_for

Values = NDArray[np.float64]
SIZES = ("n_active", "n_dense", "n_dense_non_embedding", "n_total", "n_total_non_embedding", "n_nonzero")


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Measured losses with a law's variables; arrays of one value a row.

    `group`: rows of one training trunk share a number, and are drawn together by the bootstrap. `compute`: the
    table's training FLOPs, else 6·N·D with the law's own N; NaN where the law has no tokens.
    """

    law: Law
    names: tuple[str, ...]
    variables: dict[str, Values]
    loss: Values
    group: NDArray[np.int64]
    compute: Values
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return self.loss.size

    def select(self, mask: NDArray[np.bool_]) -> Self:
        """The rows where `mask` is true."""
        return replace(
            self,
            names=tuple(name for name, kept in zip(self.names, mask, strict=True) if kept),
            variables={name: values[mask] for name, values in self.variables.items()},
            loss=self.loss[mask],
            group=self.group[mask],
            compute=self.compute[mask],
        )

    def size(self) -> Values | None:
        """The law's own N, or None for a law without one."""
        return next((self.variables[name] for name in SIZES if name in self.variables), None)


def rows_of(frame: pl.DataFrame, law: Law) -> Rows:
    """Take what `law` needs from a runs table; rows without a loss are left out and said so.

    Errors: `BadInput` for a law that can not be fitted, variables the table can not give, or fewer rows than
    coefficients.
    """
    if not law.parameters:
        raise BadInput(f"{law.name} can not be fitted: it says nothing of its coefficients' bounds and starts")
    known = frame.filter(pl.col("loss").is_not_null())
    found = variables_for(known, law.variables)
    notes = [*found.notes, *_unheard(known, law)]
    if known.height < frame.height:
        notes.append(f"{frame.height - known.height} rows without a loss are left out")
    if known.height <= len(law.parameters):
        raise BadInput(
            f"{known.height} runs with a loss can not determine the {len(law.parameters)} coefficients of {law.name}"
        )
    trunk = known["trunk"].fill_null(known["run_id"]) if "trunk" in known.columns else known["run_id"]
    rows = Rows(
        law=law,
        names=tuple(known["run_id"].to_list()),
        variables=found.values,
        loss=known["loss"].to_numpy().astype(float),
        group=np.unique(trunk.to_numpy(), return_inverse=True)[1],
        compute=np.full(known.height, np.nan),
        notes=tuple(notes),
    )
    return replace(rows, compute=_compute(rows, known))


def _unheard(frame: pl.DataFrame, law: Law) -> list[str]:
    """Say so where the law has no variable for experts and rows differ in them."""
    if "experts" not in law.fixed:
        return []
    other = int((frame["n_experts"] != law.fixed["experts"]).sum())
    if not other:
        return []
    return [f"{law.name} has no variable for experts: {other} rows count as of {law.fixed['experts']:g}, and are not"]


def _compute(rows: Rows, frame: pl.DataFrame) -> Values:
    size, tokens = rows.size(), rows.variables.get("tokens")
    counted = 6 * size * tokens if size is not None and tokens is not None else np.full(len(rows), np.nan)
    if "train_flops" not in frame.columns:
        return counted
    given = frame["train_flops"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return np.where(np.isfinite(given), given, counted)
