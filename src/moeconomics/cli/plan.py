"""`moeconomics plan`."""

from typing import Annotated

from moeconomics.cli import options
from moeconomics.cli.options import option
from moeconomics.cli.output import json_text, print_json, say, write_files
from moeconomics.cli.plan_text import print_plan
from moeconomics.errors import BadInput
from moeconomics.planning import plan as make_plan
from moeconomics.serving import DEFAULT_COST_MODEL
from moeconomics.shapes.huggingface import to_hf

BUDGET, MODEL = "Training budget (exactly one)", "Model and law"


def plan(
    train_flops: Annotated[float | None, option("C", "Training FLOPs, as 5.15e21.", BUDGET, default="")] = None,
    train_gpu_hours: Annotated[float | None, option("H", "GPU-hours of training at --mfu.", BUDGET, default="")] = None,
    train_usd: Annotated[float | None, option("USD", "Money for training at --mfu.", BUDGET, default="")] = None,
    train_gpu: Annotated[
        str | None, option("NAME|FILE.yaml", "Chip that trains, in bf16.", BUDGET, default="--gpu")
    ] = None,
    mfu: Annotated[float, option("SHARE", "Model FLOPs utilisation of training.", BUDGET)] = 0.4,
    gpu: options.Gpu = "A100-SXM-40GB",
    max_gpus: options.MaxGpus = 8,
    usd_per_gpu_hour: options.UsdPerGpuHour = None,
    price: options.Price = None,
    precision: options.Precision = "bf16",
    kv_precision: options.KvPrecision = "bf16",
    engine: options.Engine = "vllm",
    router_skew: options.RouterSkew = 0.0,
    cost_model: options.CostModelName = DEFAULT_COST_MODEL,
    calibration: options.CalibrationFile = None,
    traffic: options.TrafficName = "sharegpt",
    input_len: options.InputLen = None,
    output_len: options.OutputLen = None,
    rps: options.Rps = None,
    ttft_ms: options.TtftMs = None,
    tpot_ms: options.TpotMs = None,
    prefix_hit: options.PrefixHit = 0.0,
    utilisation: options.Utilisation = None,
    lifetime_tokens: Annotated[
        float | None,
        option(
            "T",
            "Output tokens served in all; advises the lowest training + serving cost.",
            options.TRAFFIC,
            default="not counted",
        ),
    ] = None,
    experts: Annotated[
        str, option("E,E,...", "Routed experts per MoE layer to consider; 1 is dense.", MODEL)
    ] = "1,4,8,16,32",
    base_experts: Annotated[
        int | None,
        option("E", "Keep the quality of the loss-optimal model of E experts.", MODEL, default="the fewest above 1"),
    ] = None,
    architecture: Annotated[
        str, option("NAME", "yun2024, joint2025, mixtral or deepseek (fine-grained).", MODEL)
    ] = "yun2024",
    law: Annotated[
        str,
        option("NAME|FILE.json|all", "Loss law; see `moeconomics laws`. all: what would other laws choose?", MODEL),
    ] = "joint2025",
    flop_count: Annotated[
        str, option("NAME", "Training FLOPs: 6nd (dense size), 6nd-active, matmul or exact.", MODEL)
    ] = "6nd-active",
    unique_tokens: Annotated[
        float | None, option("TOKENS", "Tokens there are; more are repeats, at a penalty.", MODEL, default="no limit")
    ] = None,
    vocab_size: Annotated[int, option("V", "Vocabulary of the planned models.", MODEL)] = 50_304,
    seq_len: Annotated[int, option("TOKENS", "Training sequence length (for exact FLOPs).", MODEL)] = 2048,
    json: options.Json = False,
    output: options.Folder = None,
) -> None:
    """Choose the MoE to train: from a training budget and a traffic profile to size, tokens and experts.

    Example: `moeconomics plan --train-flops 5.15e21 --gpu A100-SXM-40GB --max-gpus 8 --experts 1,4,8,16,32`
    """
    made = make_plan(
        train_flops=train_flops,
        train_gpu_hours=train_gpu_hours,
        train_usd=train_usd,
        train_gpu=train_gpu,
        mfu=mfu,
        gpu=gpu,
        max_gpus=max_gpus,
        usd_per_gpu_hour=usd_per_gpu_hour,
        price=price,
        precision=precision,
        kv_precision=kv_precision,
        engine=engine,
        router_skew=router_skew,
        cost_model=cost_model,
        calibration=calibration,
        traffic=traffic,
        input_len=input_len,
        output_len=output_len,
        rps=rps,
        ttft_ms=ttft_ms,
        tpot_ms=tpot_ms,
        prefix_hit=prefix_hit,
        utilisation=utilisation,
        lifetime_tokens=lifetime_tokens,
        experts=_numbers(experts),
        base_experts=base_experts,
        architecture=architecture,
        law=law,
        flop_count=flop_count,
        unique_tokens=unique_tokens,
        vocab_size=vocab_size,
        seq_len=seq_len,
    )
    if output is not None:
        # Plotly takes a while to load.
        from moeconomics.reports import html, loss_cost_figure, plan_page, trilemma_figure
        from moeconomics.reports.pictures import pictures

        write_files(
            output,
            {
                "report.html": html(plan_page(made)),
                "config.json": json_text(to_hf(made.recommended.shape)) + "\n",
                "plan.json": json_text(made.as_json()) + "\n",
                "candidates.csv": made.to_frame().write_csv(),
                "pareto.csv": made.pareto.write_csv(),
            },
        )
        drawn, missing = pictures({"trilemma": trilemma_figure(made), "loss-cost": loss_cost_figure(made)})
        write_files(output, drawn)
    if json:
        print_json(made.as_json())
    else:
        print_plan(made)
        if output is not None:
            say(f"\nWritten to {output}: config.json, plan.json, candidates.csv, pareto.csv")
            say(f"Report: {output / 'report.html'}")
            if missing is None:
                say("Figures: trilemma and loss-cost, as PNG and SVG")
            else:
                say(missing, "yellow")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise BadInput(f"experts {text!r}: give whole numbers with commas between them, as 1,4,8,16,32") from None
