"""How far the operator model can be trusted: its errors on families of models that the fit had not seen, as a page."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moeconomics.calibration.engine_fits import Observed, left_out
from moeconomics.serving.coefficients import Calibration
from moeconomics.serving.operator_cost import engine_limit
from moeconomics.serving.rows import answer_table, groups, named_model

Floats = NDArray[np.float64]
Score = dict[str, float]

OTHERS = "e2e_misc_engines.csv"
SATURATED = 1e6  # requests: more than any replica holds
ENVELOPES = {  # tables of throughput at full load, tuned by the vendors
    "throughput_trtllm_docs.csv": "TensorRT-LLM's documentation, maximum load",
    "mlperf_llm_v41_v51.csv": "MLPerf inference v4.1 and v5.1",
}
# Other tools on the same measurements, as found in 2026-11 with AIConfigurator 0.12.0 (it answered 51 % of a sample).
PEERS = "NVIDIA AIConfigurator 0.12.0: TPOT median 20 %, mean 42 %; throughput median 23 %; TTFT median 57 %."


def scores(rows: Observed, tpot: Floats, ttft: Floats) -> dict[str, Score]:
    """Errors |predicted/measured − 1| of TPOT, output throughput and TTFT, predicted as `left_out` does."""
    tok_s = rows.running * rows.output_len / (ttft + tpot * (rows.output_len - 1))
    return {
        "tpot": _score(tpot / rows.tpot_s),
        "throughput": _score(tok_s / rows.output_tok_s),
        "ttft": _score(ttft / rows.ttft_s),
    }


def accuracy_page(calibration: Calibration, rows: Observed, dropped: dict[str, int], folder: Path) -> str:
    """The page docs/accuracy.md, all of it from the data."""
    tpot, ttft = left_out(rows)
    ratio = tpot / rows.tpot_s
    worst = _worst(rows, ratio)
    edges = np.array([0, 4, 16, 64, 256, np.inf])
    ranges = ["1 to 4", "5 to 16", "17 to 64", "65 to 256", "above 256"]
    load = np.array(ranges)[np.searchsorted(edges, rows.concurrency, side="left") - 1]
    kernels = calibration.kernels
    kind = np.where(rows.is_moe, "MoE", "dense")
    lines = [
        "# How accurate the serving model is",
        "",
        "<!-- Written by `moeconomics calibrate DATA --page docs/accuracy.md`; change the code, not this page. -->",
        "",
        f"Every figure here is an error on **{len(rows.tpot_s):,} measured runs whose family of models was left out**",
        "of the fit: all of DeepSeek's R1 and V3 at once, all of Llama-3.1-70B, and so on. Error is",
        "|predicted/measured − 1|; bias is the median of predicted/measured − 1. The runs are the aggregated rows of",
        "NVIDIA AIConfigurator 0.12.0's sample of the InferenceX database; what `moeconomics` ships are coefficients.",
        "",
        *_table("", _named(calibration.scores)),
        "",
        f"The same measurements, other tools: {PEERS}",
        "",
        "## Where not to trust it",
        "",
        *worst,
        "- TTFT of a benchmark is mostly the queue of a burst of requests; it is printed with a wide band and is no",
        "  basis for a latency target.",
        "- Chips, engines and precisions without timings borrow the nearest ones; an estimate names what it borrowed.",
        "- Speculative decoding, disaggregated layouts with workers of two kinds and CPU-bound hosts are not modelled.",
        "",
        "## TPOT by chip and engine",
        "",
        *_by(ratio, np.char.add(np.char.add(rows.chip, " "), rows.engine), "chip and engine"),
        "",
        "## TPOT by model",
        "",
        *_by(ratio, rows.model, "model left out with its family"),
        "",
        "## TPOT by kind and concurrency",
        "",
        *_by(ratio, np.char.add(np.char.add(kind, ", "), load), "kind, concurrent requests"),
        "",
        "## TTFT by concurrency",
        "",
        *_by(ttft / rows.ttft_s, load, "concurrent requests"),
        "",
        "## Runs of other sources",
        "",
        f"`{OTHERS}` has runs that no coefficient was fitted to, of other prompts, engine versions and chips; MI300X",
        "has no timing and no run in the fit.",
        "",
        *_others(calibration, folder),
        "",
        "## Upper envelopes",
        "",
        "Throughput that vendors reached with their own tuning, against the model at saturation with all families'",
        "coefficients. The ratio is measured over predicted: above 1 the vendor was faster.",
        "",
        *_envelopes(calibration, folder),
        "",
        "## What was fitted",
        "",
        "| generation, engine | floor, µs/layer | interference | residual | runs | TPOT band, 5 to 95 % |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one.generation} {one.engine} | {one.floor_us_per_layer:.1f} | {one.interference:.2f} | "
            f"{one.residual:.2f} | {one.rows} | {one.tpot.low:.2f} to {one.tpot.high:.2f} |"
            for one in calibration.engines
            if one.tpot
        ),
        "",
        f"{len(kernels)} kernels from {sum(one.rows for one in kernels):,} timings, median error",
        f"{np.median([one.error_median for one in kernels if one.error_median]):.0%};",
        f"{sum(one.dropped for one in kernels)} timings that imply more than 1.05 of the chip's bandwidth dropped.",
        "",
        "Runs left out: " + "; ".join(f"{count} ({reason})" for reason, count in dropped.items()) + ".",
        "",
    ]
    return "\n".join(lines)


def _score(ratio: Floats) -> Score:
    error = np.abs(ratio - 1)
    return {
        "median": round(float(np.median(error)), 4),
        "p90": round(float(np.quantile(error, 0.9)), 4),
        "mean": round(float(np.mean(error)), 4),
        "bias": round(float(np.median(ratio)) - 1, 4),
        "rows": len(ratio),
    }


def _named(total: dict[str, Score]) -> dict[str, Score]:
    names = {"tpot": "time per output token", "throughput": "output tokens/s", "ttft": "time to first token"}
    return {names[key]: score for key, score in total.items()}


def _table(first: str, rows: dict[str, Score]) -> Iterator[str]:
    yield f"| {first} | median error | 90 % | mean | bias | runs |"
    yield "|---|---|---|---|---|---|"
    for name, score in rows.items():
        yield (
            f"| {name} | {score['median']:.1%} | {score['p90']:.1%} | {score['mean']:.1%} | {score['bias']:+.1%} | "
            f"{score['rows']} |"
        )


def _by(ratio: Floats, words: NDArray[np.str_], first: str) -> Iterator[str]:
    yield from _table(first, {str(word): _score(ratio[words == word]) for word in sorted(np.unique(words), key=_order)})


def _order(word: str) -> tuple[str, int, str]:
    """Ranges by their numbers, all else by name."""
    kind, _, rest = word.rpartition(", ")
    numbers = re.findall(r"^(?:above )?(\d+)", rest)
    return kind, int(numbers[0]) if numbers else 0, rest


def _worst(rows: Observed, ratio: Floats) -> Iterator[str]:
    """Cells of at least ten runs with a median error above a quarter."""
    cells = np.char.add(np.char.add(np.char.add(rows.chip, " "), np.char.add(rows.engine, ", ")), rows.model)
    for cell in np.unique(cells):
        score = _score(ratio[cells == cell])
        if score["rows"] >= 10 and score["median"] > 0.25:
            yield f"- {cell}: median error {score['median']:.0%}, bias {score['bias']:+.0%} over {score['rows']} runs."


def _others(calibration: Calibration, folder: Path) -> Iterator[str]:
    table = pl.read_csv(folder / OTHERS, infer_schema_length=None)
    answered = answer_table(table, named_model, calibration).filter(
        (pl.col("pred_status") == "ok") & pl.col("tpot_ms").is_not_null()
    )
    words = answered.select(pl.format("{} {}, {}", "hardware", "engine", "model")).to_series().to_numpy()
    ratio = (answered["pred_tpot_ms"] / answered["tpot_ms"]).to_numpy()
    yield from _by(ratio, words.astype(str), "chip, engine, model")


def _envelopes(calibration: Calibration, folder: Path) -> Iterator[str]:
    yield "| table | answered | not answered | measured/predicted, median | 10 to 90 % |"
    yield "|---|---|---|---|---|"
    for file, name in ENVELOPES.items():
        ratio, refused = saturated_ratio(folder / file, calibration)
        spread = "n/a: lengths of prompts are not stated | n/a"
        if len(ratio):
            spread = f"{np.median(ratio):.2f} | {np.quantile(ratio, 0.1):.2f} to {np.quantile(ratio, 0.9):.2f}"
        yield f"| {name} | {len(ratio)} | {refused} | {spread} |"


def saturated_ratio(path: Path, calibration: Calibration) -> tuple[Floats, int]:
    """Measured over predicted output tokens/s at full load for the rows that state their layout; others are counted."""
    table = pl.read_csv(path, infer_schema_length=None)
    tp = pl.coalesce(pl.col("tp").cast(pl.Float64), pl.col("n_gpus").cast(pl.Float64))
    table = table.with_columns(
        tp=tp,
        concurrency_or_batch=pl.lit(SATURATED),
        engine=pl.col("engine").str.slice(0, 6),
        hardware=pl.col("hardware").replace({"L40S-48GB": "L40S", "RTX-PRO-6000": "RTX-PRO-6000-Server"}),
    )
    found, refused = groups(table, named_model, calibration)
    ratios: list[Floats] = []
    measured = table["output_tok_s_total"].cast(pl.Float64).to_numpy()
    for group in found:
        steady = group.steady
        batch = np.minimum(steady.batch_by_memory(group.shape, group.layout), engine_limit(group.layout))
        per_token = steady.prefill_s_per_token(group.shape, group.layout)
        tok_s = batch / steady.tpot_s(group.shape, group.layout, batch, per_token)
        ratios.append(measured[group.index] / tok_s)
    joined = np.concatenate(ratios) if ratios else np.empty(0)
    return joined[np.isfinite(joined)], len(refused)
