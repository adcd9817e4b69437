"""The commands: each reads its options, calls one function of a room and prints the answer.

In: command-line options. Out: a table and a sentence, or JSON with stable keys; exit code 0 for an answer,
2 for bad input, 3 for a question without an answer. No arithmetic is done here.
"""

import sys

import typer

from moeconomics.cli import (
    calibrate,
    cost,
    count,
    export,
    fit,
    hardware,
    laws,
    models,
    plan,
    profile,
    reproduce,
    runs,
    sweep,
    train,
    verify,
)
from moeconomics.errors import MoeconomicsError

app = typer.Typer(
    name="moeconomics",
    help="Which Mixture-of-Experts LLM should we train, so that it is good and cheap to serve?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
)
for command in (plan.plan, cost.cost, count.count, laws.laws, hardware.hardware, models.models, fit.fit, fit.predict):
    app.command()(command)
app.command()(train.train)
app.command()(train.recipes)
app.command()(sweep.sweep)
app.command()(export.export)
app.command()(export.verify_export)
app.command()(profile.profile)
app.command()(calibrate.calibrate)
app.command()(reproduce.reproduce)
app.command()(verify.verify)
app.add_typer(runs.app, name="runs")


def main() -> None:
    """Run the program; an expected failure prints its sentence and no traceback."""
    try:
        app()
    except MoeconomicsError as error:
        typer.echo(f"moeconomics: {error}", err=True)
        sys.exit(error.exit_code)
