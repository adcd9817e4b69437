"""All coefficients of one machine from its measured profile (`moeconomics profile`), where no kernel was timed alone.

The operators are those of the shipped model; products, experts and attention get their coefficients, and the engine its
floor, host time and interference, in one robust regression on ln(predicted/measured) over all cells of the profile.
"""

import json
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import least_squares

from moeconomics.calibration.engine_fits import band
from moeconomics.errors import BadInput
from moeconomics.hardware import Chip, Traffic
from moeconomics.serving.coefficients import Calibration, EngineFit, KernelFit, LinkFit, TtftFit
from moeconomics.serving.deployment import Deployment
from moeconomics.serving.layout import Layout
from moeconomics.serving.steady import Steady
from moeconomics.shapes import ModelShape
from moeconomics.shapes.huggingface import from_hf

Floats = NDArray[np.float64]

FEWEST_SHAPES = 3
ROBUST = 0.1  # natural log: a cell that is off by more counts linearly
# Name, start, low and high end of each coefficient; the low end of an additive time stands for none.
COEFFICIENTS = {
    "gemm.t0_us": (10.0, 0.01, 1e4),
    "gemm.eta_memory": (0.5, 0.02, 3.0),  # above 1: weights come from the caches
    "gemm.eta_compute": (0.3, 0.005, 1.05),
    "experts.t0_us": (30.0, 0.01, 1e5),
    "experts.eta_memory": (0.5, 0.02, 3.0),
    "experts.eta_compute": (0.2, 0.002, 1.05),
    "experts.rows_half": (1.0, 0.01, 1e3),
    "attention.t0_us": (30.0, 0.01, 1e5),
    "attention.eta_memory": (0.3, 0.005, 3.0),
    "attention.eta_compute": (0.1, 0.002, 1.05),
    "host_us_per_step": (1000.0, 1.0, 1e5),
    "host_us_per_sequence": (50.0, 0.01, 1e4),
    "interference": (1.0, 0.3, 3.0),
}


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The measured cells of one shape."""

    shape: ModelShape
    prefill: pl.DataFrame
    decode: pl.DataFrame
    load: pl.DataFrame


def cells_of(profile: pl.DataFrame) -> list[Cells]:
    """A profile by shape. Errors: `BadInput` when a shape is unknown."""
    if profile["config"].null_count():
        raise BadInput("the profile has rows of a model of unknown shape; profile it with its config.json")
    found = []
    for (config,), part in profile.group_by(["config"], maintain_order=True):
        kinds = {kind: part.filter(pl.col("kind") == kind) for kind in ("prefill", "decode", "load")}
        found.append(Cells(shape=from_hf(json.loads(str(config))), **kinds))
    return found


def calibrate_machine(profile: pl.DataFrame, chip: Chip) -> Calibration:
    """Fit one machine. Its band is the error of throughput under load for models left out; none below six shapes.

    Errors: `BadInput` for fewer than three shapes.
    """
    made = _fitted(profile, chip)
    if any(part["config"].n_unique() < FEWEST_SHAPES for part in _halves(profile)):
        return made
    *_, load = left_out(profile, chip)
    [engine] = made.engines
    # Steps under load are those of a steady state: batch / (tokens/s), so predicted/measured tokens/s.
    return made.model_copy(update={"engines": (engine.model_copy(update={"tpot": band(load)}),)})


def left_out(profile: pl.DataFrame, chip: Chip) -> tuple[Floats, Floats, Floats]:
    """As `predicted_over_measured`, of all models, each predicted by the half of a chequerboard that it is not in."""
    halves = _halves(profile)
    found = []
    for seen, unseen in (halves, halves[::-1]):
        calibration = _fitted(seen, chip)
        found += [predicted_over_measured(one, calibration, chip) for one in cells_of(unseen)]
    prefill, decode, load = (np.concatenate(ratios) for ratios in zip(*found, strict=True))
    return prefill, decode, load


def _halves(profile: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every second model over sizes and experts, and the others."""
    rank = [pl.col(name).rank("dense") for name in ("d_model", "n_experts")]
    black = pl.sum_horizontal(rank) % 2 == 0
    return profile.filter(black), profile.filter(~black)


def _fitted(profile: pl.DataFrame, chip: Chip) -> Calibration:
    cells = cells_of(profile)
    if len(cells) < FEWEST_SHAPES:
        raise BadInput(
            f"the profile has {len(cells)} shapes: a fit of {len(COEFFICIENTS)} coefficients needs {FEWEST_SHAPES}"
        )
    names = list(COEFFICIENTS)
    start, low, high = np.log(np.array([COEFFICIENTS[name] for name in names])).T

    def errors(log_values: Floats) -> Floats:
        made = _calibration(dict(zip(names, np.exp(log_values), strict=True)), profile, chip)
        return np.concatenate([np.log(ratio) for one in cells for ratio in predicted_over_measured(one, made, chip)])

    fit = least_squares(
        errors, start, bounds=(low, high), loss="soft_l1", f_scale=ROBUST, diff_step=[1e-4] * len(names)
    )
    return _calibration(dict(zip(names, np.exp(fit.x), strict=True)), profile, chip)


def predicted_over_measured(cells: Cells, calibration: Calibration, chip: Chip) -> tuple[Floats, Floats, Floats]:
    """Ratios of prefill times, decode times and throughput under load."""

    def steady(input_len: float, output_len: float) -> Steady:
        deployment = Deployment(
            chip=chip,
            usd_per_gpu_hour=1.0,
            traffic=Traffic(name="cell", input_tokens=input_len, output_tokens=output_len, source="the profile"),
            precision="bf16",
            gpus=(1,),
        )
        return Steady.of(deployment, calibration)

    one = Layout(tp=np.ones(()))
    engine = calibration.engines[0]
    batch, length, measured_ms = (
        cells.prefill[name].cast(pl.Float64).to_numpy() for name in ("batch", "input_len", "prefill_ms")
    )
    passes = steady(1, 1).operators.prefill(cells.shape, one, batch * length, length)
    host_s = (engine.host_us_per_step + engine.host_us_per_sequence * batch) / 1e6
    prefill = (sum(passes.values()) + host_s) * 1e3 / measured_ms
    decode = []
    for context, batches, tpot_ms in cells.decode.select("context", "batch", "tpot_ms").iter_rows():
        # Requests of one token of output around `context` have that mean context and no prefill between.
        model = steady(max(context - 0.5, 1.0), 1.0)
        decode.append(float(model.tpot_s(cells.shape, one, np.asarray(float(batches)), np.zeros(()))) * 1e3 / tpot_ms)
    load = []
    for batches, p, n, tok_s in cells.load.select("batch", "input_len", "output_len", "output_tok_s").iter_rows():
        model = steady(p, n)
        per_token = model.prefill_s_per_token(cells.shape, one)
        load.append(batches / float(model.tpot_s(cells.shape, one, np.asarray(float(batches)), per_token)) / tok_s)
    return np.asarray(prefill), np.array(decode), np.array(load)


def _calibration(values: dict[str, float], profile: pl.DataFrame, chip: Chip) -> Calibration:
    def kernel(operator: str, source: str, rows_half: float) -> KernelFit:
        return KernelFit.model_validate(
            {
                "operator": operator,
                "chip": chip.name,
                "generation": chip.generation,
                "engine": "vllm",
                "precision": "bf16",
                "kernel": "fitted to a profile",
                **{name: values[f"{source}.{name}"] for name in ("t0_us", "eta_memory", "eta_compute")},
                "rows_half": rows_half,
                "rows": profile.height,
                "dropped": 0,
                "error_median": None,
                "error_p90": None,
            }
        )

    nothing = {"chip": chip.name, "generation": chip.generation, "engine": "vllm", "gpus": 1, "t0_us": 0.0}
    return Calibration(
        source=f"profile of {profile['hardware'][0]} with {profile['engine'][0]} {profile['engine_version'][0]}",
        date=date.today().isoformat(),
        kernels=(
            kernel("gemm", "gemm", 0.01),
            kernel("experts", "experts", values["experts.rows_half"]),
            kernel("attention", "attention", 0.01),
            kernel("context_attention", "attention", 0.01),
        ),
        links=tuple(
            LinkFit.model_validate({**nothing, "operation": name, "link_share": 1.0, "rows": 0, "error_median": None})
            for name in ("all_reduce", "all_to_all")
        ),
        engines=(
            EngineFit(
                generation=chip.generation or chip.name,
                engine="vllm",
                floor_us_per_layer=0.0,  # in the kernels' t0
                host_us_per_step=values["host_us_per_step"],
                host_us_per_sequence=values["host_us_per_sequence"],
                interference=values["interference"],
                residual=1.0,
                rows=profile.height,
                concurrency=float(profile["batch"].cast(pl.Float64).to_numpy().max()),
                families=tuple(profile["shape"].unique(maintain_order=True).to_list()),
                tpot=None,
                ttft=None,
            ),
        ),
        ttft=TtftFit(overhead_ms=0.0, prompt=1.0, burst=0.0, rows=0),
        scores={},
    )
