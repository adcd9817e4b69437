"""`moeconomics plan`."""

from typing import Annotated

from moeconomics.cli import options
from moeconomics.cli.options import option
from moeconomics.cli.output import json_text, print_json, say, table, write_files
from moeconomics.errors import BadInput
from moeconomics.planning import ALL_LAWS, Candidate, Plan, Variation
from moeconomics.planning import plan as make_plan
from moeconomics.shapes.huggingface import to_hf
from moeconomics.units import count_text

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
    cost_model: options.CostModelName = "paper",
    traffic: options.TrafficName = "sharegpt",
    input_len: options.InputLen = None,
    output_len: options.OutputLen = None,
    rps: options.Rps = None,
    ttft_ms: options.TtftMs = None,
    tpot_ms: options.TpotMs = None,
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
        cost_model=cost_model,
        traffic=traffic,
        input_len=input_len,
        output_len=output_len,
        rps=rps,
        ttft_ms=ttft_ms,
        tpot_ms=tpot_ms,
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
        write_files(
            output,
            {
                "config.json": json_text(to_hf(made.recommended.shape)) + "\n",
                "plan.json": json_text(made.as_json()) + "\n",
                "candidates.csv": made.to_frame().write_csv(),
                "pareto.csv": made.pareto.write_csv(),
            },
        )
    if json:
        print_json(made.as_json())
    else:
        _print(made)
        if output is not None:
            say(f"\nWritten to {output}: config.json, plan.json, candidates.csv, pareto.csv")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise BadInput(f"experts {text!r}: give whole numbers with commas between them, as 1,4,8,16,32") from None


def _print(made: Plan) -> None:
    problem = made.problem
    deployment, traffic = problem.deployment, problem.deployment.traffic
    load = "saturated" if traffic.requests_per_s is None else f"{traffic.requests_per_s:g} requests/s"
    say(
        f"Budget {problem.train_flops:.3g} training FLOPs (counted as {problem.flop_count}); law {problem.law.name}; "
        f"architecture {problem.architecture.name}.\n"
        f"Served on up to {max(deployment.gpus)} x {deployment.chip.name} at {deployment.usd_per_gpu_hour:.4g} USD per "
        f"GPU-hour in {deployment.precision}; traffic {traffic.name}: {traffic.input_tokens:g} tokens in, "
        f"{traffic.output_tokens:g} out, {load}.\n"
    )
    rows = [_row(one, one == made.recommended) for one in made.candidates]
    columns = [
        "", "E", "rule", "base", "active", "total", "tokens", "loss",
        "USD/Mtok", "low-high", "GPUs", "batch", "TPOT ms",
    ]  # fmt: skip
    table(
        "Candidates: E experts per MoE layer; parameters with embeddings; USD per million output tokens",
        columns,
        rows,
        text_columns=4,
        can_drop=("low-high", "batch", "TPOT ms"),
    )
    say(
        "* outside the law's data: extrapolated. The low and high prices span the cost model's own assumptions.\n",
        "dim",
    )
    advice = made.advice
    say(advice.sentence, "bold")
    say("\n".join([advice.reason, *advice.comparisons, f"What binds: {'; '.join(advice.binds)}."]) + "\n")
    able = [one for one in made.laws if one.note is None]
    _print_variations("If something else changes", [*made.sensitivity, *able])
    if made.inputs.law == ALL_LAWS:
        _print_laws(made, able)
    for warning in made.warnings:
        say(f"Note: {warning}", "yellow")
    say("\nWhere the numbers are from:", "bold")
    for kind, source in made.provenance.items():
        say(f"  {kind}: {source}", "dim")


def _row(one: Candidate, best: bool) -> list[str]:
    band = (
        "n/a"
        if one.usd_per_mtok_output_low is None
        else f"{one.usd_per_mtok_output_low:.3g}-{one.usd_per_mtok_output_high:.3g}"
    )
    return [
        ">" if best else "",
        "dense" if one.experts == 1 else str(one.experts),
        one.rule.replace("_", "-"),
        "" if one.base_experts is None else "dense" if one.base_experts == 1 else str(one.base_experts),
        count_text(one.n_active),
        count_text(one.n_total),
        count_text(one.tokens),
        f"{one.loss:.4f}" + {True: "*", None: "?", False: " "}[one.extrapolated],
        f"{one.usd_per_mtok_output:.3g}",
        band,
        str(one.gpus),
        str(one.batch),
        f"{one.tpot_ms:.3g}",
    ]


def _print_laws(made: Plan, able: list[Variation]) -> None:
    same = sum(bool(one.same_experts) for one in able)
    say(f"The choice of {made.recommended.experts} experts stands in {same} of the {len(able)} laws that can answer.")
    for one in made.laws:
        if one.note is not None:
            say(f"  no answer: {one.note}", "dim")
    say("")


def _print_variations(title: str, variations: list[Variation]) -> None:
    rows = [
        [
            one.what,
            one.value,
            "n/a" if one.same_experts is None else "same" if one.same_experts else "CHANGES",
            "n/a" if one.experts is None else "dense" if one.experts == 1 else str(one.experts),
            *("n/a" if count is None else count_text(count) for count in (one.n_dense, one.tokens)),
            "n/a" if one.usd_per_mtok_output is None else f"{one.usd_per_mtok_output:.3g}",
        ]
        for one in variations
    ]
    columns = ["what", "to", "choice", "experts", "dense size", "tokens", "USD/Mtok out"]
    table(title, columns, rows, text_columns=3)
    for one in variations:
        if one.note is not None:
            say(f"{one.what} {one.value}: {one.note}", "yellow")
    say("")
