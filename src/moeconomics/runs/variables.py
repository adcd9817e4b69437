"""`variables_for`: the variables of loss laws for each row of a runs table.

A row's counts come from its `shape` where that is known, else from its count columns. What a law needs and the
table can not give is refused; what had to be assumed is a note. A dense model (n_experts 1) has 1 expert of
granularity 1, and all its parameters are active.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moeconomics.errors import BadInput, unknown_name
from moeconomics.runs.architecture import shape_from_json
from moeconomics.shapes import ModelShape, counts, n_dense

Values = NDArray[np.float64]
_Rows = Mapping[str, Values]
_COLUMNS = (
    "n_params", "n_active", "n_total", "n_experts", "top_k", "granularity", "n_shared_experts",
    "tokens", "unique_tokens", "train_flops", "loss",
)  # fmt: skip


@dataclass(frozen=True)
class RunVariables:
    """Values by variable, one a row in the table's order, and what was assumed to get them, in sentences."""

    values: dict[str, Values]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Rule:
    """How a variable follows from the known numbers of rows (NaN is unknown), and which column would give it.

    `embeddings`: whether the variable counts the embedding tables; None where it counts no parameters.
    """

    of: Callable[[_Rows], Values]
    needs: str
    embeddings: bool | None = None


def _full_width(r: _Rows) -> Values:
    """E in units of the dense FFN's width; experts of unknown granularity count as wide as it."""
    return r["n_experts"] / np.where(np.isnan(r["granularity"]), 1.0, r["granularity"])


def _activated(r: _Rows) -> Values:
    return r["top_k"] + r["n_shared_experts"]


_RULES: dict[str, _Rule] = {
    "n_dense": _Rule(lambda r: r["n_params"], "n_params", embeddings=True),
    "n_dense_non_embedding": _Rule(lambda r: r["n_params_non_embedding"], "n_params", embeddings=False),
    "n_active": _Rule(lambda r: r["n_active"], "n_active", embeddings=True),
    "n_total": _Rule(lambda r: r["n_total"], "n_total", embeddings=True),
    "n_total_non_embedding": _Rule(lambda r: r["n_total_non_embedding"], "n_total", embeddings=False),
    "experts": _Rule(_full_width, "n_experts"),
    "expert_share": _Rule(lambda r: r["top_k"] / r["n_experts"], "top_k and n_experts"),
    "granularity": _Rule(lambda r: r["granularity"], "granularity"),
    "activated_experts": _Rule(_activated, "top_k and n_shared_experts"),
    "shared_share": _Rule(lambda r: 1 - r["top_k"] / _activated(r), "top_k and n_shared_experts"),
    "activation_ratio": _Rule(
        lambda r: _activated(r) / (r["n_experts"] + r["n_shared_experts"]), "n_experts, top_k and n_shared_experts"
    ),
    "ling_granularity": _Rule(lambda r: r["ling_granularity"], "shape"),
    "train_flops_non_embedding": _Rule(
        lambda r: 6 * r["n_active_non_embedding"] * r["tokens"], "n_active", embeddings=False
    ),
    # The table has no column for pruned weights: its rows are runs whose weights are all used.
    "n_nonzero": _Rule(lambda r: r["n_total"], "n_total", embeddings=True),
    "weight_sparsity": _Rule(lambda r: np.zeros_like(r["tokens"]), "tokens"),
    "tokens": _Rule(lambda r: r["tokens"], "tokens"),
    "tokens_per_active": _Rule(lambda r: r["tokens"] / r["n_active"], "n_active", embeddings=True),
    "unique_tokens": _Rule(lambda r: r["unique_tokens"], "unique_tokens"),
}


def variables_for(frame: pl.DataFrame, names: tuple[str, ...]) -> RunVariables:
    """The variables `names` (those of `moeconomics.laws.variables.VARIABLES`) for each row of a runs table.

    From count columns: n_dense and n_dense_non_embedding are `n_params`. Unknown `n_active` of a dense model is its
    `n_total`, else `n_params`; with top-1 routing it is `n_params`, the dense model evaluated per token. Unknown
    `n_total` of a dense model is its `n_active`. Unknown `unique_tokens` are all tokens. Counts are taken with
    the table's embedding convention; where that is not the variable's, or not known, a note says so.

    Errors: `BadInput` for an unknown name, or naming the variable, the number of rows and the column that would
    give it.
    """
    rows = _with_conclusions(known_numbers(frame))
    from_counts = frame["shape"].is_null().to_numpy()
    values, notes = {}, []
    for name in names:
        if name not in _RULES:
            raise unknown_name("variable", name, _RULES)
        rule = _RULES[name]
        values[name] = rule.of(rows)
        unknown = np.isnan(values[name])
        if unknown.any():
            first = frame["run_id"][int(unknown.argmax())]
            raise BadInput(
                f"the runs do not give {name} for {unknown.sum()} of {frame.height} rows (first: {first}); "
                f"fill the column {rule.needs}" + ("" if rule.needs == "shape" else ", or shape")
            )
        if rule.embeddings is not None:
            notes += _embedding_notes(name, rule.embeddings, frame.filter(pl.Series(from_counts)))
    if "experts" in names:
        assumed = int((from_counts & np.isnan(rows["granularity"])).sum())
        if assumed:
            notes.append(f"experts: granularity is unknown for {assumed} rows; taken as wide as the dense FFN")
    return RunVariables(values, tuple(notes))


def _embedding_notes(name: str, wanted: bool, rows: pl.DataFrame) -> list[str]:
    words = {True: "with", False: "without"}
    counted = rows["embeddings_counted"]
    other, unknown = int((counted != wanted).sum()), counted.null_count()
    notes = []
    if other:
        notes.append(
            f"{name} is meant {words[wanted]} embeddings; {other} rows count {words[not wanted]}, taken as they are"
        )
    if unknown:
        notes.append(
            f"{name} is meant {words[wanted]} embeddings; {unknown} rows do not say whether their counts include them"
        )
    return notes


def known_numbers(frame: pl.DataFrame) -> dict[str, Values]:
    """The numbers of each row by name, from its shape where that is known, else from its columns; NaN is unknown."""
    rows = {name: frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy().copy() for name in _COLUMNS}
    for name in ("n_params", "n_active", "n_total"):
        rows[f"{name}_non_embedding"] = rows[name].copy()
    rows["ling_granularity"] = np.full(frame.height, np.nan)
    for (text,), same in frame.with_row_index("row").filter(pl.col("shape").is_not_null()).group_by("shape"):
        for name, value in _numbers_of(shape_from_json(text)).items():
            rows[name][same["row"].to_numpy()] = value
    return rows


def _with_conclusions(rows: _Rows) -> _Rows:
    """The same with what follows for dense models, for top-1 routing and for data that is not repeated."""
    made = dict(rows)
    dense, top_1 = made["n_experts"] == 1, made["top_k"] == 1

    def conclude(name: str, where: NDArray[np.bool_] | bool, value: Values | float) -> None:
        made[name] = np.where(np.isnan(made[name]) & where, value, made[name])

    for kind in ("", "_non_embedding"):
        conclude(f"n_active{kind}", dense, made[f"n_total{kind}"])
        conclude(f"n_active{kind}", dense | top_1, made[f"n_params{kind}"])
        conclude(f"n_total{kind}", dense, made[f"n_active{kind}"])
    conclude("top_k", dense, 1.0)
    conclude("granularity", dense, 1.0)
    conclude("n_shared_experts", dense, 0.0)
    conclude("unique_tokens", True, made["tokens"])
    return made


def _numbers_of(shape: ModelShape) -> dict[str, Any]:
    """The same numbers of a known model."""
    group, base = counts(shape), counts(shape.dense_counterpart())
    routed = shape.n_experts > 1
    return {
        "n_params": n_dense(shape),
        "n_params_non_embedding": base.n_total_non_embedding,
        "n_active": group.n_active,
        "n_active_non_embedding": group.n_active_non_embedding,
        "n_total": group.n_total,
        "n_total_non_embedding": group.n_total_non_embedding - group.router,
        "n_experts": shape.n_experts,
        "top_k": shape.top_k,
        "granularity": shape.d_ff / shape.d_expert if routed else 1.0,
        "n_shared_experts": shape.n_shared_experts if routed else 0,
        "ling_granularity": 2 * shape.d_model / (shape.d_expert if routed else shape.d_ff),
    }
