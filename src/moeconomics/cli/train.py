"""`moeconomics train` and `moeconomics recipes`. PyTorch is loaded when they run, not at every start."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from moeconomics.cli import options
from moeconomics.cli.output import needs_extra, print_json, progress_bar, say, table

RUN = "Run"

Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of runs and corpora.", show_default=False)
]
Tracker = Annotated[
    Literal["wandb", "mlflow", "tensorboard", "trackio"] | None,
    options.option("NAME", "wandb, mlflow, tensorboard or trackio, through Accelerate.", RUN, default="none"),
]


def train(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="Specification of one run, YAML.", show_default=False)],
    output: Output,
    tracker: Tracker = None,
    json: options.Json = False,
) -> None:
    """Train one model from a specification; killed and started again, it goes on exactly where it was.

    Example: `moeconomics train run.yaml -o runs`. Under `torchrun` or `accelerate launch` it trains on all processes.
    """
    with needs_extra("train", "training"):
        from moeconomics.training import Progress, read_spec
        from moeconomics.training import train as train_run
    wanted = read_spec(spec)
    with progress_bar("training") as advance:

        def report(progress: Progress) -> None:
            words = f"loss {progress.loss:.3f}, {progress.tokens_per_s:,.0f} tokens/s"
            advance(progress.step, progress.steps, words)

        rows = train_run(wanted, output, report=report, tracker=tracker)
    if os.environ.get("RANK", "0") != "0":  # torchrun's other processes
        return
    if json:
        print_json({"run_id": wanted.run_id, "rows": rows})
        return
    table(
        f"Run {wanted.run_id}", ["tokens", "loss", "±", "bits/byte", "load max", "entropy"], [_row(row) for row in rows]
    )
    for row in rows:
        if row["flags"]:
            say(f"{row['tokens']:.3g} tokens: {row['flags']}", "yellow")
    say(f"Checkpoints are in {output / wanted.run_id / 'models'}; the paper's terms are in docs/glossary.md.", "dim")


def recipes(json: options.Json = False) -> None:
    """List the training recipes with every number they set.

    Example: `moeconomics recipes`
    """
    with needs_extra("train", "training"):
        from moeconomics.training import RECIPES
    found = [recipe.as_json() for recipe in RECIPES.values()]
    if json:
        print_json({"recipes": found})
        return
    for recipe in found:
        say(f"{recipe.pop('name')}: {recipe.pop('about')}", "bold")
        for name, value in recipe.items():
            say(f"  {name}: {value}")


def _row(row: dict[str, Any]) -> list[str]:
    names = ("loss", "loss_se", "bits_per_byte", "expert_load_max", "router_entropy")
    return [f"{row['tokens']:.4g}", *("n/a" if row[name] is None else f"{row[name]:.4f}" for name in names)]
