"""Coefficients of kernels and links from their own timings (`ops_*.csv` tables)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import least_squares

from moeconomics.errors import BadInput
from moeconomics.hardware import Chip, get_chip
from moeconomics.serving.coefficients import KernelFit, LinkFit
from moeconomics.serving.kernels import RATE, bytes_each

Floats = NDArray[np.float64]

CHIPS = {
    "a100_sxm": "A100-SXM-80GB",
    "h100_sxm": "H100-SXM-80GB",
    "h200_sxm": "H200-SXM-141GB",
    "b200_sxm": "B200-SXM-180GB",
    "b300_sxm": "B300-SXM",
    "gb200": "GB200-NVL72",
    "gb300": "GB300-NVL72",
    "l40s": "L40S",
    "rtx_pro_6000_server": "RTX-PRO-6000-Server",
}
# The tables' kernels by the format that the weights are stored in. Where several serve one format, as block and tensor
# scales do fp8, the faster one is taken, as engines choose it.
PRECISIONS = {
    "bfloat16": "bf16",
    "fp8": "fp8",
    "fp8_block": "fp8",
    "nvfp4": "nvfp4",
    "int4_wo": "int4",
    "w4a16_mxfp4": "mxfp4",
    "w4a8_mxfp4_mxfp8": "mxfp4",
    "sq": "int8",
}
MOST_OF_PEAK = 1.05  # timings that imply more than this share of the chip's bandwidth are wrong, and dropped
ROBUST = 0.1  # natural log: residuals beyond this count linearly
BYTES_ACTIVATION = 2


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Timings of one kernel. Bytes and FLOPs on one GPU, `rows` of the product, seconds: arrays of one length."""

    operator: str
    chip: Chip
    engine: str
    precision: str
    kernel: str
    bytes_moved: Floats
    flops: Floats
    rows: Floats
    seconds: Floats

    def rates(self) -> tuple[float, float]:
        """Peak bytes/s and FLOP/s."""
        stored = "bf16" if "attention" in self.operator else self.precision
        return self.chip.bytes_per_s_memory, self.chip.flops(RATE[stored])


def fit_kernels(folder: Path) -> list[KernelFit]:
    """Every kernel of the tables in a folder; of several for one format the faster."""
    found: dict[tuple[str, str, str, str], tuple[float, KernelFit]] = {}
    for timings in [*_gemms(folder), *_experts(folder), *_attention(folder)]:
        fit = _fit(timings)
        key = (fit.operator, fit.chip, fit.engine, fit.precision)
        speed = float(np.exp(np.mean(np.log(timings.seconds / np.maximum(timings.bytes_moved, 1.0)))))
        if key not in found or speed < found[key][0]:
            found[key] = speed, fit
    return _paired([fit for _, fit in found.values()])


def _paired(fits: list[KernelFit]) -> list[KernelFit]:
    """Decoding shows how fast attention streams its cache, a prompt how fast it computes: each takes the other's.

    (A decode step of latent attention, MLA, may be bound by either.) One without the other can not be used.
    """
    attention: dict[tuple[str, str, str, str], KernelFit] = {
        (one.operator, one.chip, one.engine, one.precision): one for one in fits if "attention" in one.operator
    }
    paired = []
    others = {"attention": ("context_attention", "eta_compute"), "context_attention": ("attention", "eta_memory")}
    for one in fits:
        if one.operator in others:
            operator, taken = others[one.operator]
            other = attention.get((operator, one.chip, one.engine, one.precision))
            if other is None:
                continue
            one = one.model_copy(update={taken: getattr(other, taken)})
        paired.append(one)
    return paired


def _fit(timings: Timings) -> KernelFit:
    bytes_per_s, flops_per_s = timings.rates()
    possible = timings.bytes_moved / timings.seconds <= MOST_OF_PEAK * bytes_per_s
    memory_s, compute_s, rows, seconds = (
        values[possible]
        for values in (
            timings.bytes_moved / bytes_per_s,
            timings.flops / flops_per_s,
            timings.rows,
            timings.seconds,
        )
    )

    def log_error(log_parameters: Floats) -> Floats:
        t0_s, eta_memory, eta_compute, rows_half = np.exp(log_parameters)
        busy_s = np.maximum(memory_s / eta_memory, compute_s * (1 + rows_half / rows) / eta_compute)
        return np.asarray(np.log((t0_s + busy_s) / seconds))

    # The smallest rows_half is no effect of rows at all.
    low, high = np.log([1e-7, 0.01, 0.01, 0.01]), np.log([1e-2, MOST_OF_PEAK, MOST_OF_PEAK, 1e4])
    starts = [np.log([np.quantile(seconds, 0.05), 0.7, eta, half]) for eta in (0.3, 0.7) for half in (1.0, 100.0)]
    fits = [least_squares(log_error, x0, bounds=(low, high), loss="soft_l1", f_scale=ROBUST) for x0 in starts]
    best = min(fits, key=lambda fit: float(fit.cost))
    t0_s, eta_memory, eta_compute, rows_half = np.exp(best.x)
    error = np.abs(np.expm1(log_error(best.x)))
    return KernelFit.model_validate(
        {
            "operator": timings.operator,
            "chip": timings.chip.name,
            "generation": timings.chip.generation,
            "engine": timings.engine,
            "precision": timings.precision,
            "kernel": timings.kernel,
            "t0_us": rounded(t0_s * 1e6),
            "eta_memory": rounded(eta_memory),
            "eta_compute": rounded(eta_compute),
            "rows_half": rounded(rows_half),
            "rows": int(np.sum(possible)),
            "dropped": int(np.sum(~possible)),
            "error_median": rounded(float(np.median(error))),
            "error_p90": rounded(float(np.quantile(error, 0.9))),
        }
    )


def _gemms(folder: Path) -> Iterator[Timings]:
    names = ("m", "n", "k", "latency_ms")
    for (hardware, engine, kernel), rows in _groups(
        folder / "ops_gemm.csv", "hardware", "engine", "precision", columns=names
    ):
        m, n, k, latency_ms = (_floats(rows, name) for name in names)
        yield Timings(
            operator="gemm",
            chip=get_chip(CHIPS[hardware]),
            engine=engine,
            precision=PRECISIONS[kernel],
            kernel=kernel,
            bytes_moved=n * k * bytes_each(PRECISIONS[kernel]) + (m * k + m * n) * BYTES_ACTIVATION,
            flops=2 * m * n * k,
            rows=m,
            seconds=latency_ms / 1e3,
        )


def _experts(folder: Path) -> Iterator[Timings]:
    """Balanced routing, in which B tokens touch min(E, B·k) experts; skew is a matter of the model, not the kernel."""
    sizes = ("hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size", "moe_ep_size", "num_tokens")
    names = (*sizes, "latency_ms")
    for engine in ("vllm", "sglang", "trtllm"):
        for (hardware, kernel, distribution), rows in _groups(
            folder / f"ops_moe_{engine}.csv", "hardware", "precision", "distribution", columns=names
        ):
            if distribution != "balanced":
                continue
            d, width, k, experts, tp, ep, tokens, latency_ms = (_floats(rows, name) for name in names)
            touched = np.minimum(experts, tokens * k) / ep
            assigned = tokens * k / ep
            activations = assigned * (2 * d + 3 * width / tp) * BYTES_ACTIVATION
            yield Timings(
                operator="experts",
                chip=get_chip(CHIPS[hardware]),
                engine=engine,
                precision=PRECISIONS[kernel],
                kernel=kernel,
                bytes_moved=touched * 3 * d * width / tp * bytes_each(PRECISIONS[kernel]) + activations,
                flops=2 * assigned * 3 * d * width / tp,
                rows=assigned / touched,
                seconds=latency_ms / 1e3,
            )


def _attention(folder: Path) -> Iterator[Timings]:
    for operator, file in (
        ("attention", "ops_attention_generation.csv"),
        ("context_attention", "ops_attention_context.csv"),
    ):
        names = ("batch_size", "num_heads", "num_key_value_heads", "isl", "step", "latency_ms")
        for (hardware, engine, kernel), rows in _groups(
            folder / file, "hardware", "engine", "kv_cache_dtype", columns=names
        ):
            batch, heads, kv, isl, step, latency_ms = (_floats(rows, name) for name in names)
            kv = np.where(kv == 0, heads, kv)
            head_dim = 128  # of all rows of these tables
            decoding = operator == "attention"
            kv_bytes = batch * (isl + step) * 2 * kv * head_dim * bytes_each(PRECISIONS[kernel])
            seen = batch * (isl + step) if decoding else batch * isl * (isl / 2 + step)
            yield Timings(
                operator=operator,
                chip=get_chip(CHIPS[hardware]),
                engine=engine,
                precision=PRECISIONS[kernel],
                kernel=kernel,
                bytes_moved=kv_bytes if decoding else np.zeros_like(kv_bytes),
                flops=np.zeros_like(seen) if decoding else 4 * seen * heads * head_dim,
                rows=np.ones_like(isl) if decoding else isl,
                seconds=latency_ms / 1e3,
            )


def fit_links(folder: Path) -> list[LinkFit]:
    """All-reduce by engine and number of GPUs; dispatch and combine of DeepEP on one node."""
    found = []
    # As engines run them in CUDA graphs, not launched one by one.
    reduce = (pl.col("op") == "all_reduce_custom") & ~pl.col("variant").str.ends_with("_eager")
    for (hardware, engine, gpus), rows in _groups(
        folder / "ops_collectives.csv",
        *("hardware", "library", "num_gpus"),
        columns=("op", "variant", "bytes", "latency_us"),
        where=reduce,
    ):
        found.append(
            _link("all_reduce", CHIPS[hardware], engine, int(gpus), _floats(rows, "bytes"), _floats(rows, "latency_us"))
        )
    names = ("node_num", "num_token", "num_topk", "hidden_size", "dispatch_avg_t_us", "combine_avg_t_us")
    for (hardware,), rows in _groups(
        folder / "ops_deepep_ll.csv", "hardware", columns=names, where=pl.col("node_num") == 1
    ):
        sent = _floats(rows, "num_token") * _floats(rows, "num_topk") * _floats(rows, "hidden_size")
        bytes_sent = np.concatenate([sent, 2 * sent])  # dispatched as fp8, combined as bf16
        seconds = np.concatenate([_floats(rows, "dispatch_avg_t_us"), _floats(rows, "combine_avg_t_us")])
        found.append(_link("all_to_all", CHIPS[hardware], "sglang", 8, bytes_sent, seconds))
    return found


def _link(operation: str, name: str, engine: str, gpus: int, bytes_sent: Floats, microseconds: Floats) -> LinkFit:
    chip = get_chip(name)
    seconds = microseconds / 1e6

    def log_error(log_parameters: Floats) -> Floats:
        t0_s, share = np.exp(log_parameters)
        return np.asarray(np.log((t0_s + bytes_sent / (share * chip.bytes_per_s_link)) / seconds))

    fit = least_squares(log_error, np.log([5e-6, 0.5]), loss="soft_l1", f_scale=ROBUST)
    t0_s, share = np.exp(fit.x)
    return LinkFit.model_validate(
        {
            "operation": operation,
            "chip": name,
            "generation": chip.generation,
            "engine": engine,
            "gpus": gpus,
            "t0_us": rounded(t0_s * 1e6),
            "link_share": rounded(share),
            "rows": len(seconds),
            "error_median": rounded(float(np.median(np.abs(np.expm1(log_error(fit.x)))))),
        }
    )


def read_table(path: Path, columns: Iterable[str]) -> pl.DataFrame:
    """A CSV table that has `columns`. Errors: `BadInput` naming the file and what it lacks."""
    try:
        table = pl.read_csv(path, infer_schema_length=None)
    except OSError as error:
        raise BadInput(
            f"{path}: {error.strerror or error}; DATA is a folder of ops_*.csv and e2e_*.csv tables"
        ) from error
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{path} is no CSV table: {' '.join(str(error).split())[:200]}") from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise BadInput(f"{path} has no column {', '.join(missing)}")
    return table


def _groups(
    path: Path, *keys: str, columns: tuple[str, ...], where: pl.Expr | None = None
) -> Iterator[tuple[tuple[str, ...], pl.DataFrame]]:
    """Rows of a table by chips and kernels that are known here; int8 weights with bf16 products have no use for us."""
    table = read_table(path, (*keys, *columns))
    table = table.filter(pl.col("hardware").is_in(list(CHIPS)))
    if "precision" in table.columns:
        table = table.filter(pl.col("precision").is_in(list(PRECISIONS)))
    if where is not None:
        table = table.filter(where)
    for key, rows in table.group_by(keys, maintain_order=True):
        yield tuple(str(part) for part in key), rows


def _floats(rows: pl.DataFrame, name: str) -> Floats:
    return rows[name].cast(pl.Float64).to_numpy()


def rounded(value: float) -> float:
    """Four significant digits: more would be noise in the file."""
    return float(f"{value:.4g}")
