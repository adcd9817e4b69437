"""`moeconomics cost`."""

from typing import Annotated

from moeconomics.cli import options
from moeconomics.cli.output import print_json, say, table
from moeconomics.errors import BadInput
from moeconomics.serving import Estimate
from moeconomics.serving import cost as estimate_cost
from moeconomics.units import bytes_text


def cost(
    model: options.Model,
    gpu: options.Gpu = "H100-SXM-80GB",
    gpus: Annotated[
        str, options.option("N|auto", "GPUs of one replica; auto takes the cheapest.", options.HARDWARE)
    ] = "auto",
    max_gpus: options.MaxGpus = 8,
    usd_per_gpu_hour: options.UsdPerGpuHour = None,
    price: options.Price = None,
    precision: options.Precision = "bf16",
    cost_model: options.CostModelName = "paper",
    traffic: options.TrafficName = "sharegpt",
    input_len: options.InputLen = None,
    output_len: options.OutputLen = None,
    rps: options.Rps = None,
    ttft_ms: options.TtftMs = None,
    tpot_ms: options.TpotMs = None,
    utilisation: options.Utilisation = None,
    json: options.Json = False,
) -> None:
    """Price serving a given model: USD per million tokens, batch, latency.

    Example: `moeconomics cost ./Mixtral-8x7B/config.json --gpu H100-SXM-80GB --input-len 1024 --output-len 512`
    """
    found = estimate_cost(
        options.load_model(model),
        gpu=gpu,
        gpus=_gpus(gpus),
        max_gpus=max_gpus,
        usd_per_gpu_hour=usd_per_gpu_hour,
        price=price,
        precision=precision,
        cost_model=cost_model,
        traffic=traffic,
        input_len=input_len,
        output_len=output_len,
        rps=rps,
        ttft_ms=ttft_ms,
        tpot_ms=tpot_ms,
        utilisation=utilisation,
    )
    if json:
        print_json(found.as_json())
    else:
        _print(found, gpu)


def _gpus(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise BadInput(f"gpus {text!r}: give a whole number or auto") from None


def _print(found: Estimate, gpu: str) -> None:
    band = (
        ""
        if found.usd_per_mtok_output_low is None
        else f"{found.usd_per_mtok_output_low:.3g} to {found.usd_per_mtok_output_high:.3g}"
    )
    rows = [
        ["USD per million output tokens", f"{found.usd_per_mtok_output:.4g}", band],
        ["USD per million tokens, in and out", f"{found.usd_per_mtok_total:.4g}", ""],
        ["output tokens/s per GPU", f"{found.output_tok_s_per_gpu:.4g}", ""],
        ["time per output token (TPOT), ms", f"{found.tpot_ms:.4g}", ""],
        ["time to first token without queueing, ms", "n/a" if found.ttft_ms is None else f"{found.ttft_ms:.4g}", ""],
        ["GPUs, tensor-parallel", str(found.gpus), ""],
        ["replicas for the offered load", "n/a: saturated" if found.replicas is None else str(found.replicas), ""],
        [f"batch, limited by {found.limited_by}", str(found.batch), ""],
        ["weights", bytes_text(found.weights_gb * 1e9), ""],
        ["KV cache per token", bytes_text(found.kv_bytes_per_token), ""],
    ]
    table(f"Serving on {gpu} (modelled)", ["", "estimate", "low to high"], rows)
    for warning in found.warnings:
        say(f"Note: {warning}", "yellow")
    for kind, source in found.provenance.items():
        say(f"  {kind}: {source}", "dim")
    say(
        f"A replica of {found.gpus} GPU{'s' if found.gpus > 1 else ''} serves {found.batch} requests at once; it costs "
        f"{found.usd_per_mtok_output:.3g} USD per million output tokens."
    )
