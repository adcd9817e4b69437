"""Write README.md and the figure from profile.parquet and cpu.yaml: python studies/cpu-vllm-profile/report.py"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from moeconomics import from_hf
from moeconomics.calibration import left_out
from moeconomics.hardware import Chip, get_chip
from moeconomics.reports import drawn
from moeconomics.reports.theme import label_of, line_of, log_axis, styled, symbol_of
from moeconomics.serving import Served, ServingInputs, cheapest, make_cost_model
from moeconomics.serving.profile_table import read_profile
from moeconomics.shapes import n_dense
from moeconomics.units import count_text

HERE = Path(__file__).parent
PROFILE, CHIP = HERE / "profile.parquet", HERE / "cpu.yaml"
USD_PER_HOUR = 0.1  # assumed: about what clouds ask for two virtual CPUs
INTRODUCTION = """# Latencies of vLLM on a CPU over size and experts

Written by `report.py` from `profile.parquet`. Real times of a real engine, at the scale of a laptop: they say how the
cost of a token depends on size, experts and batch there, and nothing of a GPU.

{models} models of the paper's architecture (an MoE in every second layer, top-2), dummy weights in bf16.

- engine: {engine} {engine_version}
- hardware: {hardware}; measured peak {flops:.3g} FLOP/s (bf16), {bytes_per_s:.3g} bytes/s (`cpu.yaml`)
- measured {first} to {last} by {code_version}; each number is the median of {repeats}
- again: `.venv-vllm/bin/python studies/cpu-vllm-profile/measure_chip.py studies/cpu-vllm-profile/cpu.yaml`, then
  `moeconomics profile studies/cpu-vllm-profile/shapes.yaml --engine vllm -o studies/cpu-vllm-profile/profile.parquet`

"""
COST = """## Cost per token against size

![USD per million output tokens against size, a line for each number of experts](cost.svg)

The paper's Figure 2 from these latencies: `--cost-model profile:profile.parquet`, prompts of {input_len} and answers of
{output_len} tokens, {usd:g} USD per hour (assumed; it scales every price alike). Bars: the fastest and slowest repeats.

"""
CHECK = """## Does it predict throughput?

The price comes from prefill and decode latencies alone. The last two columns compare its tokens/s with what vLLM
reached under load, with three times as many requests as it runs at once.

"""

KINDS = ("prefill latency", "decode latency", "throughput under load")
OPERATORS = """## Does the operator model predict the other half?

All coefficients of this machine were fitted to every second model, a chequerboard over sizes and experts (as
`moeconomics calibrate profile.parquet --gpu cpu.yaml` does to all), and predicted the other half; then the other way
round. Error is |predicted/measured − 1|.

| of the models that the fit had not seen | median error | largest | bias | cells |
|---|---|---|---|---|
{rows}
Target: 15 % at the median for decode latency and for throughput under load.

"""


def priced(config: dict[str, Any], load: dict[str, Any]) -> Served:
    """One CPU under requests of the lengths that were measured under load."""
    asked = ServingInputs(
        gpu=str(CHIP),
        max_gpus=1,
        usd_per_gpu_hour=USD_PER_HOUR,
        input_len=load["input_len"],
        output_len=load["output_len"],
    )
    return cheapest(make_cost_model(f"profile:{PROFILE}", asked.deployment()), from_hf(config), (1,))


def rows_of(profile: pl.DataFrame) -> list[dict[str, Any]]:
    """What is told of each model: counts, latencies at the ends of the grid, price and throughput."""
    found = []
    for (text,), part in profile.group_by(["config"], maintain_order=True):
        config = json.loads(str(text))
        [load] = part.filter(pl.col("kind") == "load").rows(named=True)
        prefill, decode = (
            part.filter(pl.col("kind") == kind).sort("context", "batch") for kind in ("prefill", "decode")
        )
        alone = prefill.filter(pl.col("batch") == 1)["prefill_ms"]
        found.append(
            {
                **{name: load[name] for name in ("n_experts", "n_active", "n_total")},
                "n_dense": float(n_dense(from_hf(config))),
                "prefill_ms": alone[-1],
                "tpot_one_ms": decode["tpot_ms"][0],
                "tpot_ms": decode["tpot_ms"][-1],
                "load_tok_s": load["output_tok_s"],
                "price": priced(config, load),
            }
        )
    return sorted(found, key=lambda row: (row["n_experts"], row["n_dense"]))


def table(rows: list[dict[str, Any]], profile: pl.DataFrame) -> str:
    decode = profile.filter(pl.col("kind") == "decode")
    length, context, batch = profile["input_len"].max(), decode["context"].max(), decode["batch"].max()
    columns = [
        *("N", "E", "N active", "N total", f"prefill of {length} tokens, ms"),
        f"decode, batch 1, {decode['context'].min():g} cached, ms",
        f"decode, batch {batch}, {context:g} cached, ms",
        *("USD/Mtok output", "low to high", "batch", "tokens/s predicted", "tokens/s under load"),
    ]
    lines = [columns, ["---"] * len(columns)]
    for row in rows:
        price = row["price"]
        lines.append(
            [
                count_text(row["n_dense"]),
                str(row["n_experts"]),
                count_text(row["n_active"]),
                count_text(row["n_total"]),
                *(f"{row[name]:.3g}" for name in ("prefill_ms", "tpot_one_ms", "tpot_ms")),
                f"{1e6 * price.usd_per_token_output:.3g}",
                f"{1e6 * price.usd_low:.3g} to {1e6 * price.usd_high:.3g}",
                f"{price.batch:.0f}",
                f"{price.output_tok_s:.3g}",
                f"{row['load_tok_s']:.3g}",
            ]
        )
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def figure(rows: list[dict[str, Any]]) -> go.Figure:
    """Cost per token against the size of the corresponding dense model, a line for each number of experts."""
    made = go.Figure()
    for experts in sorted({row["n_experts"] for row in rows}):
        own = [row for row in rows if row["n_experts"] == experts]
        low, usd, high = (
            1e6 * np.array([float(getattr(row["price"], name)) for row in own])
            for name in ("usd_low", "usd_per_token_output", "usd_high")
        )
        made.add_scatter(
            x=[row["n_dense"] for row in own],
            y=usd,
            error_y={"array": high - usd, "arrayminus": usd - low},
            name=label_of(experts),
            mode="lines+markers",
            line=line_of(experts),
            marker={"symbol": symbol_of(experts)},
        )
    sizes, prices = [row["n_dense"] for row in rows], [1e6 * float(row["price"].usd_per_token_output) for row in rows]
    made.update_xaxes(title="N, parameters of the corresponding dense model (log)", **log_axis(sizes))
    made.update_yaxes(title="USD per million output tokens (log)", **log_axis(prices))
    return styled(
        made,
        "Serving cost against size",
        f"vLLM on this CPU, {USD_PER_HOUR:g} USD per hour (assumed); bars: fastest and slowest repeats",
        width=760,
        height=420,
    )


def operators(profile: pl.DataFrame, chip: Chip) -> str:
    """Errors of the operator model, for each half of the models as fitted to the other."""
    lines = []
    for name, ratio in zip(KINDS, left_out(profile, chip), strict=True):
        error = np.abs(ratio - 1)
        lines.append(
            f"| {name} | {np.median(error):.1%} | {error.max():.0%} | {np.median(ratio) - 1:+.1%} | {len(ratio)} |\n"
        )
    return OPERATORS.format(rows="".join(lines))


def main() -> None:
    """Rewrite the page and the figure."""
    profile, chip = read_profile(PROFILE), get_chip(str(CHIP))
    rows = rows_of(profile)
    first = profile.row(0, named=True)
    [load] = profile.filter(pl.col("kind") == "load").select("input_len", "output_len").unique().rows(named=True)
    page = [
        INTRODUCTION.format(
            models=len(rows),
            flops=chip.flops("bf16"),
            bytes_per_s=chip.bytes_per_s_memory,
            first=profile["measured_at"].min(),
            last=profile["measured_at"].max(),
            **{name: first[name] for name in ("engine", "engine_version", "hardware", "code_version", "repeats")},
        ),
        COST.format(**load, usd=USD_PER_HOUR),
        CHECK,
        table(rows, profile),
        "\n",
        operators(profile, chip),
    ]
    (HERE / "README.md").write_text("".join(page), encoding="utf-8")
    picture = HERE / "cost.svg"
    picture.write_bytes(drawn(figure(rows), picture))


if __name__ == "__main__":
    main()
