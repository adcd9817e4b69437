"""Tables of serving configurations, one a row, in the columns of measured data: grouped for vectorised estimates.

In: a table with the columns of `COLUMNS`. Out: groups of rows that share model, chip, engine, precision and lengths,
each with arrays of layouts and concurrencies, and for every other row the reason why it has no answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ValidationError

from moeconomics.errors import BadInput, MoeconomicsError, invalid
from moeconomics.hardware import Traffic, get_chip
from moeconomics.serving.coefficients import Calibration, ends, shipped
from moeconomics.serving.deployment import Deployment
from moeconomics.serving.layout import Layout
from moeconomics.serving.steady import Steady
from moeconomics.shapes import ModelShape, get_public_model
from moeconomics.shapes.huggingface import from_hf

SHARED = ("model", "hardware", "precision", "engine", "input_len", "output_len")
DEGREES = ("tp", "ep", "pp", "dp")
NUMBERS = ("input_len", "output_len", *DEGREES, "concurrency_or_batch")
COLUMNS = (*SHARED, "n_gpus", *DEGREES, "concurrency_or_batch")

Floats = NDArray[np.float64]
Model = tuple[ModelShape, str | None]  # and the precision its weights are published in, where that is below bf16


@dataclass(frozen=True, kw_only=True)
class RowGroup:
    """Rows `index` of the table: `layout` and `concurrency` are arrays over them."""

    index: NDArray[np.int64]
    shape: ModelShape
    steady: Steady
    layout: Layout
    concurrency: Floats


def check_columns(table: pl.DataFrame, where: str) -> None:
    """Errors: `BadInput` naming the columns that are missing."""
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise BadInput(f"{where} has no column {', '.join(missing)}; the columns are {', '.join(COLUMNS)}")


def groups(
    table: pl.DataFrame, model_of: Callable[[str], Model], calibration: Calibration
) -> tuple[list[RowGroup], dict[int, str]]:
    """Group a table's rows; the dictionary has the reason for each row (by number) that is in no group.

    `model_of` gives a model by name, or raises `MoeconomicsError`.
    """
    found: list[RowGroup] = []
    # Only what is read here: a table may have columns of any other name.
    known = table.select(*COLUMNS, *(["mode"] if "mode" in table.columns else []))
    numbers = known.with_columns(pl.col(NUMBERS).cast(pl.Float64, strict=False))
    reasons = dict(_no_numbers(known, numbers))
    answerable = numbers.with_row_index("row").filter(~pl.col("row").is_in(list(reasons)))
    for key, rows in answerable.group_by(SHARED, maintain_order=True):
        index = rows["row"].to_numpy().astype(np.int64)
        try:
            group = _group(index, rows, model_of, calibration, *key)
        except MoeconomicsError as error:
            reasons |= dict.fromkeys(index.tolist(), str(error))
            continue
        refused = dict(_refusals(group, rows))
        reasons |= {int(index[place]): reason for place, reason in refused.items()}
        kept = np.array([place for place in range(len(index)) if place not in refused], dtype=np.int64)
        if len(kept):
            layout = Layout(**{name: getattr(group.layout, name)[kept] for name in DEGREES})
            found.append(replace(group, index=index[kept], layout=layout, concurrency=group.concurrency[kept]))
    return found, reasons


def _no_numbers(given: pl.DataFrame, read: pl.DataFrame) -> Iterator[tuple[int, str]]:
    """Rows with words or negative numbers where counts belong. (A degree of 0 is some tables' word for none.)"""
    for name in NUMBERS:
        is_count = (read[name] >= 0).fill_null(value=False) & read[name].is_not_nan().fill_null(value=False)
        wrong = (given[name].is_not_null() & ~is_count).arg_true()
        for row in wrong.to_list():
            yield row, f"{name} {given[name][row]!r} is no number from 0 up"


def _group(
    index: NDArray[np.int64], rows: pl.DataFrame, model_of: Callable[[str], Model], calibration: Calibration, *key: Any
) -> RowGroup:
    model, hardware, precision, engine, input_len, output_len = key
    for name, value in zip(SHARED, key, strict=True):
        if value is None or not str(value).strip() or value == "unstated":
            raise BadInput(f"{name} is not given")
    shape, published = model_of(str(model))
    chip = get_chip(str(hardware))
    stored = str(precision).split()[0]  # what follows is a remark
    stored = {"fp16": "bf16"}.get(stored, stored)  # of one size and rate
    if stored == "fp4":  # the data's name for whichever 4-bit float the chip and the model's publisher use
        stored = "nvfp4" if "fp4" in chip.flops_per_s and published != "mxfp4" else "mxfp4"
    try:
        traffic = Traffic(name="row", input_tokens=input_len, output_tokens=output_len, source="the row")
    except ValidationError as error:
        raise invalid("the row", error) from error
    deployment = Deployment(
        chip=chip,
        usd_per_gpu_hour=1.0,
        traffic=traffic,
        precision=stored,
        gpus=(1,),
        engine=str(engine),
    )
    return RowGroup(
        index=index,
        shape=shape,
        steady=Steady.of(deployment, calibration),
        layout=_layout(rows, chip.link_domain),
        concurrency=rows["concurrency_or_batch"].to_numpy(),
    )


def _layout(rows: pl.DataFrame, link_domain: int) -> Layout:
    """The degrees of each row; an unstated tp takes the GPUs that the other degrees leave, all else unstated is 1.

    Some published rows give tp (or dp) as its product with ep, as if the GPUs of an expert-parallel group were new
    ones: tp 64 with ep 8 for 8 GPUs. They are read as what can exist: no tensor parallelism beyond a link domain, no
    more expert ranks than GPUs. (dp 16 with ep 16 is no such product: 16 ranks do not fit on one GPU.)
    """
    ep, pp, dp = (rows[name].fill_null(1.0).to_numpy().clip(min=1.0) for name in DEGREES[1:])
    left = rows["n_gpus"].cast(pl.Float64, strict=False).fill_null(1.0) / (pp * dp)
    tp = rows["tp"].fill_null(left).to_numpy().clip(min=1.0)
    doubled_tp = (tp > link_domain) & (tp / ep <= link_domain) & (tp / ep >= ep)
    tp = np.where(doubled_tp, tp / ep, tp)
    doubled_dp = (tp * dp > link_domain) & (tp * dp / ep <= link_domain) & (tp * dp / ep >= ep) & (dp >= ep)
    dp = np.where(doubled_dp, dp / ep, dp)
    both = (ep > 1) & (tp == dp) & (ep == tp * dp) & (tp * dp > link_domain)
    tp = np.where(both, 1.0, tp)
    ep = np.minimum(ep, tp * dp)
    return Layout(tp=tp, ep=ep, pp=pp, dp=dp)


def _refusals(group: RowGroup, rows: pl.DataFrame) -> Iterator[tuple[int, str]]:
    """Places in the group that have no answer, and why."""
    shape, layout = group.shape, group.layout
    free = group.steady.batch_by_memory(shape, layout)
    heads, experts = int(shape.attention.n_heads), int(shape.n_experts)
    degrees = np.stack([np.asarray(getattr(layout, name)) for name in DEGREES], axis=-1)
    disaggregated = rows["mode"].cast(pl.String).to_list() if "mode" in rows.columns else [None] * len(free)
    for place, (tp, ep, pp, dp) in enumerate(degrees.tolist()):
        concurrency = group.concurrency[place]
        if not np.isfinite(concurrency) or concurrency < 1:
            yield place, "concurrency_or_batch is not given"
        elif not all(float(degree).is_integer() for degree in (tp, ep, pp, dp)):
            yield place, f"tp {tp:g}, ep {ep:g}, pp {pp:g}, dp {dp:g} are not whole numbers of GPUs"
        elif heads % tp:
            yield place, f"{heads} attention heads can not be split over tp {tp:g}"
        elif pp > shape.n_layers:
            yield place, f"{shape.n_layers} layers can not be split over pp {pp:g}"
        elif experts > 1 and (experts % ep or tp * dp % ep):
            yield place, f"{experts} experts on {tp * dp:g} GPUs can not be split over ep {ep:g}"
        elif free[place] < 1:
            yield place, f"does not fit into {group.steady.deployment.chip.name} with this layout"
        elif disaggregated[place] == "disagg":
            yield place, "disaggregated rows do not state their workers' layouts"


def answer_rows(path: Path, model_dir: Path | None, calibration: Path | None) -> pl.DataFrame:
    """A table of configurations with pred_* columns: TPOT and its band, TTFT in ms, output tokens/s, and a status.

    `model_dir` holds folders MODEL/config.json for models outside the catalogue. Errors: `BadInput` for a file that is
    no such table; a row without an answer has its reason as `pred_status`.
    """
    try:
        table = pl.read_csv(path, infer_schema_length=None)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{path} is no CSV table: {' '.join(str(error).split())[:200]}") from error
    check_columns(table, str(path))

    def model_of(name: str) -> Model:
        own = None if model_dir is None else _config_in(model_dir, name)
        return named_model(name) if own is None else (from_hf(own), None)

    return answer_table(table, model_of, shipped() if calibration is None else Calibration.read(calibration))


def answer_table(table: pl.DataFrame, model_of: Callable[[str], Model], calibration: Calibration) -> pl.DataFrame:
    """The table with the columns of `answer_rows`."""
    found, reasons = groups(table, model_of, calibration)
    names = ("pred_tpot_ms", "pred_ttft_ms", "pred_output_tok_s", "pred_tpot_low", "pred_tpot_high")
    answers = {name: np.full(table.height, np.nan) for name in names}
    for group in found:
        steady, shape, layout = group.steady, group.shape, group.layout
        running = np.minimum(group.concurrency, steady.batch_by_memory(shape, layout))
        per_token = steady.prefill_s_per_token(shape, layout)
        tpot_s = steady.tpot_s(shape, layout, running, per_token)
        _, ttft_s, _ = steady.ttft_s(tpot_s, running, layout, per_token)
        output_len = steady.deployment.traffic.output_tokens
        low, high = ends(steady.operators.coefficients.engine.tpot)
        values = (
            tpot_s * 1e3,
            ttft_s * 1e3,
            running * output_len / (ttft_s + tpot_s * (output_len - 1)),
            tpot_s * 1e3 * low,
            tpot_s * 1e3 * high,
        )
        for name, value in zip(names, values, strict=True):
            answers[name][group.index] = value
    status = [reasons.get(row, "ok") for row in range(table.height)]
    columns = [pl.Series(name, values).fill_nan(None) for name, values in answers.items()]
    return table.with_columns(*columns, pl.Series("pred_status", status))


def named_model(name: str) -> Model:
    """A public model and the precision its weights are published in. Errors: `BadInput` with the nearest name."""
    found = get_public_model(name)
    return found.shape, found.config.get("quantization_config", {}).get("quant_method")


def _config_in(folder: Path, name: str) -> Path | None:
    """The config of a model in a folder of models, with or without its organisation."""
    for candidate in (folder / name / "config.json", folder / name.rpartition("/")[2] / "config.json"):
        if candidate.is_file():
            return candidate
    return None
