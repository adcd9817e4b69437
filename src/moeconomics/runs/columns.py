"""`COLUMNS`: the frozen schema of the runs table. Null is unknown in every column."""

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

Kind = Literal["text", "flag", "positive", "count", "whole"]

_DTYPES: dict[str, Any] = {
    "text": pl.String,
    "flag": pl.Boolean,
    "positive": pl.Float64,
    "count": pl.Int64,
    "whole": pl.Int64,
}
_ALLOWED = {
    "text": "text",
    "flag": "true or false",
    "positive": "a finite number above 0",
    "count": "a whole number of at least 1",
    "whole": "a whole number of at least 0",
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """What a column holds: its kind, its meaning with unit, and the only texts it may hold, if they are few.

    Kinds: "positive" is finite and above 0, so that a 0 can not stand for unknown; "count" whole and at least 1;
    "whole" at least 0; "flag" true or false.
    """

    kind: Kind
    meaning: str
    choices: tuple[str, ...] = ()
    required: bool = False

    @property
    def dtype(self) -> Any:
        """The polars type."""
        return _DTYPES[self.kind]

    @property
    def allowed(self) -> str:
        """What a cell may hold, in words."""
        return " or ".join(self.choices) if self.choices else _ALLOWED[self.kind]


COLUMNS: dict[str, Column] = {
    "run_id": Column(kind="text", meaning="name of the run; with `step` the key of a row", required=True),
    "shape": Column(kind="text", meaning="architecture: JSON of the ModelShape fields"),
    "n_params": Column(kind="positive", meaning="parameters of the corresponding dense model"),
    "n_active": Column(kind="positive", meaning="parameters that take part in one token"),
    "n_total": Column(kind="positive", meaning="all parameters, every expert counted"),
    "embeddings_counted": Column(kind="flag", meaning="whether the three counts include the embedding tables"),
    "n_experts": Column(kind="count", meaning="routed experts of an MoE layer; 1 is a dense model"),
    "top_k": Column(kind="count", meaning="routed experts that a token uses"),
    "moe_every": Column(kind="count", meaning="an MoE layer every so many layers"),
    "granularity": Column(kind="positive", meaning="width of the dense FFN / width of an expert"),
    "n_shared_experts": Column(kind="whole", meaning="experts that every token uses, besides the routed ones"),
    "tokens": Column(kind="positive", meaning="D: training tokens seen, repeats counted", required=True),
    "unique_tokens": Column(kind="positive", meaning="different tokens among them"),
    "train_flops": Column(kind="positive", meaning="FLOPs of the training up to this row"),
    "flops_convention": Column(kind="text", meaning="how they were counted: 6nd, 6nd-active, matmul, exact, or words"),
    "loss": Column(kind="positive", meaning="nats per token", required=True),
    "loss_kind": Column(kind="text", meaning="text the loss was taken on", choices=("validation", "training")),
    "loss_unit": Column(kind="text", meaning="unit of the loss", choices=("nats/token",)),
    "loss_dataset": Column(kind="text", meaning="data set the loss was taken on"),
    "loss_se": Column(kind="positive", meaning="standard error of the loss, nats per token"),
    "annealed": Column(kind="flag", meaning="true at the end of its learning-rate schedule, false mid-run"),
    "trunk": Column(kind="text", meaning="rows of one training run, or of runs branched from one, share it"),
    "step": Column(kind="whole", meaning="optimiser step"),
    "lr": Column(kind="positive", meaning="peak learning rate"),
    "batch_tokens": Column(kind="positive", meaning="tokens of one optimiser step"),
    "schedule": Column(kind="text", meaning="learning-rate schedule"),
    "optimiser": Column(kind="text", meaning="optimiser"),
    "seed": Column(kind="whole", meaning="random seed"),
    "hardware": Column(kind="text", meaning="chips it was trained on"),
    "code_version": Column(kind="text", meaning="commit or release of the training code"),
    "source": Column(kind="text", meaning="where the row is from"),
    "licence": Column(kind="text", meaning="licence of the data"),
    "flags": Column(kind="text", meaning="quality flags, separated by ';'"),
}

SCHEMA: dict[str, Any] = {name: column.dtype for name, column in COLUMNS.items()}
REQUIRED = tuple(name for name, column in COLUMNS.items() if column.required)
