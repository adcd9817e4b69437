"""`moeconomics cost`."""

from pathlib import Path
from typing import Annotated, Any

import polars as pl

from moeconomics.cli import options
from moeconomics.cli.output import print_json, say, table, write_files
from moeconomics.errors import BadInput
from moeconomics.serving import DEFAULT_COST_MODEL, Estimate, Frontier, ServingInputs, answer_rows, frontier
from moeconomics.serving import cost as estimate_cost
from moeconomics.units import bytes_text

_ENERGY, _ROWS = "Energy", "Many rows"


_FIXED = "Fixed configuration"
Degree = Annotated[
    int | None, options.option("N", "Fixed degree; any of them fixes the layout.", _FIXED, default="searched")
]


def cost(
    model: options.OptionalModel = None,
    gpu: options.Gpu = "H100-SXM-80GB",
    gpus: Annotated[
        str, options.option("N|auto", "GPUs of one replica; auto takes the cheapest.", options.HARDWARE)
    ] = "auto",
    max_gpus: options.MaxGpus = 8,
    usd_per_gpu_hour: options.UsdPerGpuHour = None,
    price: options.Price = None,
    precision: options.Precision = "bf16",
    kv_precision: options.KvPrecision = "bf16",
    engine: options.Engine = "vllm",
    mode: options.Mode = "aggregated",
    router_skew: options.RouterSkew = 0.0,
    cost_model: options.CostModelName = DEFAULT_COST_MODEL,
    calibration: options.CalibrationFile = None,
    tp: Degree = None,
    ep: Degree = None,
    pp: Degree = None,
    dp: Degree = None,
    concurrency: Annotated[
        float | None, options.option("C", "Requests that run at once.", _FIXED, default="as many as fit")
    ] = None,
    traffic: options.TrafficName = "sharegpt",
    input_len: options.InputLen = None,
    output_len: options.OutputLen = None,
    rps: options.Rps = None,
    ttft_ms: options.TtftMs = None,
    tpot_ms: options.TpotMs = None,
    prefix_hit: options.PrefixHit = 0.0,
    utilisation: options.Utilisation = None,
    pue: Annotated[float, options.option("RATIO", "Power of the site over that of its machines.", _ENERGY)] = 1.2,
    grid_kg_per_kwh: Annotated[
        float | None, options.option("KG", "CO2 of the grid, kg per kWh.", _ENERGY, default="unknown: no CO2")
    ] = None,
    batch_file: Annotated[
        Path | None, options.option("ROWS.csv", "Answer every row of a table in place of MODEL.", _ROWS, default="none")
    ] = None,
    model_dir: Annotated[
        Path | None,
        options.option("DIR", "Folders MODEL/config.json of other models.", _ROWS, default="none"),
    ] = None,
    output: Annotated[
        Path | None, options.option("FILE.csv", "Where the rows go.", _ROWS, "-o", "--output", default="none")
    ] = None,
    report: Annotated[
        Path | None,
        options.option(
            "FILE",
            "Report with tokens/s per GPU against tokens/s per user: .html; .png or .svg.",
            options.OUTPUT,
            default="no",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Price serving a given model: USD per million tokens, batch, latency, each with its error band.

    Examples: `moeconomics cost mixtral-8x7b --gpu H100-SXM-80GB --input-len 1024 --output-len 512`

    `moeconomics cost deepseek-v3 --gpu H200-SXM-141GB --precision fp8 --tp 8 --concurrency 64`

    `moeconomics cost --batch-file rows.csv -o out.csv`
    """
    if batch_file is not None:
        if model is not None or output is None:
            raise BadInput("--batch-file takes its models from the table and needs -o FILE.csv for the answers")
        answered = answer_rows(batch_file, model_dir, calibration)
        write_files(output.parent, {output.name: answered.write_csv()})
        ok = answered.filter(pl.col("pred_status") == "ok").height
        say(f"Answered {ok} of {answered.height} rows in {output}; pred_status says why the others have no answer.")
        return
    if output is not None or model_dir is not None:
        raise BadInput("-o and --model-dir belong to --batch-file; a page of one model is --report FILE.html")
    if model is None:
        raise BadInput("give MODEL (a config.json, its folder or a public model) or --batch-file ROWS.csv")
    shape = options.load_model(model)
    serving: dict[str, Any] = {
        "gpu": gpu,
        "max_gpus": max_gpus,
        "usd_per_gpu_hour": usd_per_gpu_hour,
        "price": price,
        "precision": precision,
        "kv_precision": kv_precision,
        "engine": engine,
        "router_skew": router_skew,
        "calibration": calibration,
        "traffic": traffic,
        "input_len": input_len,
        "output_len": output_len,
        "rps": rps,
        "ttft_ms": ttft_ms,
        "tpot_ms": tpot_ms,
        "prefix_hit": prefix_hit,
        "utilisation": utilisation,
    }
    found = estimate_cost(
        shape,
        **serving,
        cost_model=cost_model,
        mode=mode,
        gpus=_gpus(gpus),
        tp=tp,
        ep=ep,
        pp=pp,
        dp=dp,
        concurrency=concurrency,
        pue=pue,
        grid_kg_per_kwh=grid_kg_per_kwh,
    )
    if report is not None:
        _report(
            report,
            found,
            frontier(shape, ServingInputs(**serving).deployment()),
            model,
            f"{gpu}, {precision}, {engine}",
        )
    if json:
        print_json(found.as_json())
    else:
        _print(found, gpu)


def _report(path: Path, found: Estimate, points: Frontier, model: str, where: str) -> None:
    """A page for .html, the picture of its chart for .png and .svg."""
    from moeconomics.reports import cost_page, drawn, html  # Plotly takes a while to load

    page = cost_page(found, points, model, where)
    content = html(page) if path.suffix == ".html" else drawn(page.charts[0].figure, path)
    write_files(path.parent, {path.name: content})


def _gpus(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise BadInput(f"gpus {text!r}: give a whole number or auto") from None


def _print(found: Estimate, gpu: str) -> None:
    def row(words: str, name: str, digits: str = ".4g") -> list[str]:
        value = getattr(found, name)
        low, high = found.band_low.get(name), found.band_high.get(name)
        band = "" if low is None or high is None else f"{low:.3g} to {high:.3g}"
        return [words, "n/a" if value is None else f"{value:{digits}}", band]

    rows = [
        row("USD per million output tokens, prompts included", "usd_per_mtok_output"),
        row("  of which prompts, USD per million input tokens", "usd_per_mtok_input"),
        row("USD per million tokens, in and out", "usd_per_mtok_total"),
        row("output tokens/s per GPU", "output_tok_s_per_gpu"),
        row("time per output token (TPOT), ms", "tpot_ms"),
        row("time to first token (TTFT), ms", "ttft_ms"),
        [
            f"GPUs of a replica, {found.mode}",
            f"{found.gpus} (tp {found.tp}, ep {found.ep}, pp {found.pp}, dp {found.dp})",
            "",
        ],
        ["replicas for the offered load", "n/a: saturated" if found.replicas is None else str(found.replicas), ""],
        [f"batch, limited by {found.limited_by}", str(found.batch), ""],
        row("requests running on a replica, mean", "running"),
        row("prefill workers to one decode worker", "prefill_workers_per_decode_worker"),
        ["weights", bytes_text(found.weights_gb * 1e9), ""],
        row("memory used of a GPU, GB", "memory_gb"),
        ["KV cache per token", bytes_text(found.kv_bytes_per_token), ""],
        row("energy, Wh per million output tokens", "energy_wh_per_mtok_output"),
        row("CO2, kg per million output tokens", "kg_co2_per_mtok_output"),
    ]
    table(f"Serving on {gpu}", ["", "estimate", "band"], rows)
    for warning in found.warnings:
        say(f"Note: {warning}", "yellow")
    for kind, source in found.provenance.items():
        say(f"  {kind}: {source}", "dim")
    say(
        f"A replica of {found.gpus} GPU{'s' if found.gpus > 1 else ''} serves {found.batch} requests at once; it costs "
        f"{found.usd_per_mtok_output:.3g} USD per million output tokens."
    )
