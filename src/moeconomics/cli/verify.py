"""`moeconomics verify`. PyTorch is loaded when it runs, not at every start."""

from pathlib import Path
from typing import Annotated

import typer

from moeconomics.cli import options
from moeconomics.cli.output import needs_extra, needs_vllm, print_json, progress_bar, say, table, write_files
from moeconomics.units import count_text


def verify(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="plan.json of `plan -o DIR`, or its folder.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DIR", help="Folder to write, or to go on with.", show_default=False),
    ],
    training: Annotated[
        Path | None,
        options.option(
            "FILE.yaml",
            "How to train: data, recipe, batch_tokens, ... as in a SPEC of `train`; the plan decides the models.",
            "Training",
            default="the built-in corpus and recipe",
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Trainings of each model; the first is served.", rich_help_panel="Training"
        ),
    ] = 1,
    vllm: options.Vllm = options.VLLM,
    json: options.Json = False,
) -> None:
    """Train and serve a plan's models for real, and compare loss and cost with what the plan predicted.

    The predictions are written first. Tested are the recommended model, the loss-optimal model of the plan's base
    experts and the loss-optimal dense one. Killed and started again, it goes on. Serving is timed: leave the machine
    alone then. Example: `moeconomics verify plan/ --training train.yaml -o verified`
    """
    with needs_extra("train", "verifying"):
        from moeconomics.verification import read_plan
        from moeconomics.verification import verify as test_plan
    needs_vllm(vllm)
    asked = read_plan(plan, training)
    with progress_bar("verifying", counted=False) as advance:
        outcome = test_plan(asked, output, python=vllm, seeds=seeds, report=advance)
    from moeconomics.reports import html
    from moeconomics.reports.pictures import pictures
    from moeconomics.reports.verification_page import verification_figures, verification_page

    drawn, missing = pictures(verification_figures(outcome))
    write_files(output, {"report.html": html(verification_page(outcome)), **drawn})
    if json:
        print_json(outcome.as_json())
        return
    half = outcome.loss_half_width
    give_or_take = "" if half is None else f" ± {half:.4f}"
    rows = []
    for found in outcome.as_json()["models"]:
        rows.append(
            [
                found["role"],
                str(found["experts"]),
                count_text(found["n_active"]),
                count_text(found["tokens"]),
                f"{found['tokens'] / found['unique_tokens']:.2f}",
                f"{found['loss_predicted']:.4f}",
                _span(found["loss_low"], found["loss_high"], ".4f"),
                f"{found['loss_measured']:.4f}{give_or_take}",
                f"{found['usd_per_mtok_output_predicted']:.3g}",
                _span(found["usd_per_mtok_output_low"], found["usd_per_mtok_output_high"], ".3g"),
                f"{found['usd_per_mtok_output_measured']:.3g}",
            ]
        )
    table(
        "Predicted and measured: loss in nats/token, cost in USD per million output tokens",
        ["model", "E", "active", "tokens", "epochs", "loss", "interval", "measured", "cost", "band", "measured"],
        rows,
        can_drop=["epochs", "tokens"],
    )
    claims = [[one.claim, one.claimed, f"{one.measured:.4g}", one.verdict, one.why] for one in outcome.claims()]
    table("Claims", ["claim", "claimed", "measured", "verdict", "why"], claims, text_columns=5)
    for reason in outcome.reasons():
        say(reason)
    say(f"\nReport: {output / 'report.html'}")
    if missing is None:
        say("Figures: loss and cost, as PNG and SVG")
    else:
        say(missing, "yellow")


def _span(low: float | None, high: float | None, form: str) -> str:
    return "n/a" if low is None or high is None else f"{low:{form}} to {high:{form}}"
