"""What end-to-end rows add to the kernels: floor a layer, interference of prefill and a residual factor.

They are fitted for each (chip generation, engine) in one robust regression on ln(predicted/measured), in which the
values of the groups scatter about common ones: a group that has seen one family of models is pulled towards the
others, and one that has seen none gets the common values. Each family weighs as the square root of its rows.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import least_squares

from moeconomics.calibration.kernel_fits import read_table, rounded
from moeconomics.errors import BadInput
from moeconomics.serving.coefficients import Band, Calibration, EngineFit, TtftFit
from moeconomics.serving.rows import check_columns, groups, named_model
from moeconomics.shapes import counts

Floats = NDArray[np.float64]
Words = NDArray[np.str_]

ROBUST = 0.2  # natural log: a row that is off by more counts linearly
# Natural-log scatter of the groups about the common values, and of those about what is expected without any data.
SCATTER = {"residual": 0.1, "floor": 0.3, "interference": 0.3}
EXPECTED = {"residual": 1.0, "floor": 30e-6, "interference": 1.0}
EXPECTED_SCATTER = {"residual": 0.2, "floor": 1.0, "interference": 0.5}
PRIOR_ROWS = 4.0  # the weight of those beliefs against one row of mean weight


@dataclass(frozen=True, kw_only=True)
class Observed:
    """End-to-end rows next to the parts that the kernels predict: arrays over rows, seconds.

    `source_row` is the row's number in its table. `decode_s` and `inserted_s` are kernel seconds of a decode step and
    of the prefill between two of them.
    """

    source_row: NDArray[np.int64]
    decode_s: Floats
    inserted_s: Floats
    prompt_s: Floats
    layers: Floats
    running: Floats
    servers: Floats
    input_len: Floats
    output_len: Floats
    concurrency: Floats
    tpot_s: Floats
    ttft_s: Floats
    output_tok_s: Floats
    is_moe: NDArray[np.bool_]
    chip: Words
    generation: Words
    engine: Words
    family: Words
    model: Words

    def where(self, chosen: NDArray[np.bool_]) -> "Observed":
        """The rows of a mask."""
        return Observed(**{name: values[chosen] for name, values in vars(self).items()})

    @property
    def group(self) -> Words:
        """(generation, engine) of each row as one word."""
        return np.char.add(np.char.add(self.generation, " "), self.engine)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Coefficients by group; `common` are for a group without rows."""

    groups: dict[str, dict[str, float]]
    common: dict[str, float]

    def of(self, group: str) -> dict[str, float]:
        """The coefficients of a group."""
        return self.groups.get(group, self.common)

    def tpot_s(self, rows: Observed) -> Floats:
        """Predicted TPOT of rows."""
        residual, floor, interference = (
            np.array([self.of(group)[name] for group in rows.group]) for name in ("residual", "floor", "interference")
        )
        return residual * (rows.decode_s + floor * rows.layers + interference * rows.inserted_s)


def observe(path: Path, calibration: Calibration) -> tuple[Observed, dict[str, int]]:
    """Read aggregated end-to-end rows; the dictionary counts the rows left out by reason."""
    measurements = ("tpot_ms", "ttft_ms", "derived_output_tok_s")
    table = read_table(path, measurements).with_columns(pl.col(measurements).cast(pl.Float64, strict=False))
    check_columns(table, str(path))
    measured = pl.all_horizontal((pl.col(measurements) > 0).fill_null(value=False))
    found, reasons = groups(table, named_model, calibration)
    dropped: dict[str, int] = {}
    for reason in reasons.values():
        short = "attention heads can not be split so" if "attention heads" in reason else reason
        dropped[short] = dropped.get(short, 0) + 1
    complete = table.select(measured).to_series().to_numpy()
    columns: dict[str, list[Floats]] = {}
    words: dict[str, list[Words]] = {}
    for group in found:
        steady, shape, layout = group.steady, group.shape, group.layout
        running = np.minimum(group.concurrency, np.maximum(steady.batch_by_memory(shape, layout), 1.0))
        traffic = steady.deployment.traffic
        per_token = steady.prefill_s_per_token(shape, layout)
        rows = table[group.index.tolist()]
        size = len(group.index)
        numbers = {
            "source_row": group.index.astype(float),
            "decode_s": steady.decode_s(shape, layout, running),
            "inserted_s": running / traffic.output_tokens * traffic.input_tokens * per_token,
            "prompt_s": traffic.input_tokens * per_token * layout.dp * layout.pp,
            "layers": np.full(size, float(shape.n_layers)),
            "running": running,
            "servers": layout.dp * np.asarray(layout.pp),
            "input_len": np.full(size, traffic.input_tokens),
            "output_len": np.full(size, traffic.output_tokens),
            "concurrency": group.concurrency,
            "tpot_s": rows["tpot_ms"].to_numpy() / 1e3,
            "ttft_s": rows["ttft_ms"].to_numpy() / 1e3,
            "output_tok_s": rows["derived_output_tok_s"].to_numpy(),
            "is_moe": np.full(size, float(shape.n_experts > 1)),
        }
        chip = steady.operators.chip
        texts = {
            "chip": chip.name,
            "generation": str(chip.generation),
            "engine": steady.deployment.engine,
            # Models of one size and depth are one family, whatever they are called: DeepSeek-R1 and V3 are.
            "family": f"{shape.n_layers}x{shape.d_model}, {counts(shape).n_total / 1e9:.0f}B",
            "model": str(rows["model"][0]),
        }
        for name, values in numbers.items():
            columns.setdefault(name, []).append(np.broadcast_to(values, size))
        for name, text in texts.items():
            words.setdefault(name, []).append(np.full(size, text))
    if not columns:
        raise BadInput(f"{path} has no row that the model can answer: {', '.join(dropped) or 'it is empty'}")
    parts: dict[str, list[Any]] = {**columns, **words}
    joined: dict[str, Any] = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    source_row = joined.pop("source_row").astype(np.int64)
    observed = Observed(source_row=source_row, is_moe=joined.pop("is_moe").astype(bool), **joined)
    kept = complete[source_row]
    dropped |= {"TTFT or TPOT not measured": int(np.sum(~kept))} if not np.all(kept) else {}
    observed = observed.where(kept)
    if len(np.unique(observed.family)) < 2:
        raise BadInput(f"{path} has runs of fewer than two families of models: no error of an unseen one can be known")
    return observed, dropped


def fit(rows: Observed) -> Fitted:
    """Residual, floor and interference of every group."""
    names, place = np.unique(rows.group, return_inverse=True)
    _, family, sizes = np.unique(rows.family, return_inverse=True, return_counts=True)
    weight = sizes[family] ** -0.5
    weight = weight / np.mean(weight)
    kinds = list(SCATTER)
    expected = np.log([EXPECTED[kind] for kind in kinds])
    scatter = np.array([SCATTER[kind] for kind in kinds])
    expected_scatter = np.array([EXPECTED_SCATTER[kind] for kind in kinds])

    def errors(flat: Floats) -> Floats:
        common, of_group = flat[: len(kinds)], flat[len(kinds) :].reshape(len(names), len(kinds))
        residual, floor, interference = np.exp(of_group[place]).T
        predicted = residual * (rows.decode_s + floor * rows.layers + interference * rows.inserted_s)
        off = np.log(predicted / rows.tpot_s)
        # Huber's loss as a residual: quadratic to ROBUST, linear beyond.
        size = np.abs(off)
        off = np.where(size <= ROBUST, off, np.sign(off) * np.sqrt(np.maximum(2 * ROBUST * size - ROBUST**2, 0.0)))
        prior = [(of_group - common) / scatter, ((common - expected) / expected_scatter)[None]]
        beliefs = ROBUST * np.sqrt(PRIOR_ROWS) * np.concatenate(prior).ravel()
        return np.concatenate([weight * off, beliefs])

    start = np.tile(expected, len(names) + 1)
    found = np.exp(least_squares(errors, start).x.reshape(-1, len(kinds)))
    common, *of_group = (dict(zip(kinds, map(float, row), strict=True)) for row in found)
    return Fitted(groups=dict(zip(map(str, names), of_group, strict=True)), common=common)


def fit_ttft(rows: Observed) -> TtftFit:
    """Overhead of a request, and shares of its own prompt's and of a whole burst's kernel seconds; for all engines."""

    def log_error(log_parameters: Floats) -> Floats:
        return np.asarray(np.log(ttft_s(rows, np.exp(log_parameters), rows.tpot_s) / rows.ttft_s))

    overhead_s, prompt, burst = np.exp(least_squares(log_error, np.log([0.05, 2.0, 0.3]), loss="soft_l1").x)
    return TtftFit(
        overhead_ms=rounded(overhead_s * 1e3), prompt=rounded(prompt), burst=rounded(burst), rows=len(rows.ttft_s)
    )


def ttft_s(rows: Observed, parameters: Floats, tpot_s: Floats) -> Floats:
    """The middle estimate of a saturated replica, as `Steady.ttft_s`."""
    overhead_s, prompt, burst = parameters
    ahead = rows.running / rows.servers / 2
    return np.asarray(overhead_s + rows.prompt_s * (prompt + burst * ahead) + tpot_s / 2)


def left_out(rows: Observed) -> tuple[Floats, Floats]:
    """TPOT and TTFT of every row as predicted by fits that have seen none of its family."""
    tpot, ttft = np.empty(len(rows.tpot_s)), np.empty(len(rows.tpot_s))
    for family in np.unique(rows.family):
        held = rows.family == family
        seen = rows.where(~held)
        tpot[held] = fit(seen).tpot_s(rows.where(held))
        found = fit_ttft(seen)
        parameters = np.array([found.overhead_ms / 1e3, found.prompt, found.burst])
        ttft[held] = ttft_s(rows.where(held), parameters, tpot[held])
    return tpot, ttft


def engine_fits(rows: Observed, tpot: Floats, ttft: Floats) -> tuple[EngineFit, ...]:
    """The coefficients of every (generation, engine); `tpot` and `ttft` as `left_out` gives them make the bands."""
    fitted = fit(rows)
    found = []
    for name, values in fitted.groups.items():
        mine = rows.group == name
        generation, engine = name.split(" ")
        found.append(
            EngineFit(
                generation=generation,
                engine=engine,
                floor_us_per_layer=rounded(values["floor"] * 1e6),
                host_us_per_step=0.0,  # neither can be told from the floor: depth and batch vary with the model and TP
                host_us_per_sequence=0.0,
                interference=rounded(values["interference"]),
                residual=rounded(values["residual"]),
                rows=int(np.sum(mine)),
                concurrency=float(np.quantile(rows.concurrency[mine], 0.95, method="higher")),
                families=tuple(sorted(set(rows.model[mine].tolist()))),
                tpot=band(rows.tpot_s[mine] / tpot[mine]),
                ttft=band(rows.ttft_s[mine] / ttft[mine]),
            )
        )
    return tuple(found)


def band(ratio: Floats) -> Band:
    """Quantiles of measured/predicted."""
    low, middle, high = np.quantile(ratio, [0.05, 0.5, 0.95])
    return Band(low=rounded(float(low)), middle=rounded(float(middle)), high=rounded(float(high)), rows=len(ratio))
