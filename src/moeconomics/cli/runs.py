"""`moeconomics runs`: import, show and check the table of training runs."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from moeconomics.cli import options
from moeconomics.cli.output import print_json, say, table
from moeconomics.errors import BadInput
from moeconomics.runs import (
    COLUMNS,
    Summary,
    from_mlflow,
    from_wandb,
    import_file,
    import_wandb_export,
    load_map,
    load_runs,
    public_sets,
    summarise,
    write_runs,
)
from moeconomics.units import count_text

app = typer.Typer(help="Import, show and check the table of training runs.", no_args_is_help=True)

_SOURCES = "Give one source: FILE, --wandb-export, --wandb or --mlflow"
_NAMED_IN_FULL = 5  # runs that were left out

Runs = Annotated[
    str,
    typer.Argument(
        metavar="RUNS",
        help="A .csv, .jsonl or .parquet file, or a public set such as chinchilla_epoch.",
        show_default=False,
    ),
]


@app.command("import")
def import_(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="RUNS", help="File to write.", show_default=False)],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A .csv, .jsonl or .parquet table.", show_default=False)
    ] = None,
    map_file: Annotated[
        Path | None,
        options.option(
            "FILE.yaml", "Our column: theirs, or a constant.", "Source", "--map", default="their names are ours"
        ),
    ] = None,
    wandb_export: Annotated[
        Path | None,
        options.option(
            "FILE", "W&B: CSV of the runs table, or JSON lines.", "Source", "--wandb-export", default="none"
        ),
    ] = None,
    wandb: Annotated[
        str | None, options.option("ENTITY/PROJECT", "W&B through its API.", "Source", "--wandb", default="none")
    ] = None,
    mlflow: Annotated[
        str | None, options.option("URI", "MLflow tracking store.", "Source", "--mlflow", default="none")
    ] = None,
    experiment: Annotated[
        str | None, options.option("NAME", "MLflow experiment.", "Source", "--experiment", default="none")
    ] = None,
) -> None:
    """Turn somebody's table, or the runs of a tracker, into a runs table.

    Example: `moeconomics runs import sweep.csv --map map.yaml -o runs.parquet`
    """
    if sum(source is not None for source in (file, wandb_export, wandb, mlflow)) != 1:
        raise BadInput(_SOURCES)
    if (mlflow is None) != (experiment is None):
        raise BadInput("--mlflow URI and --experiment NAME go together")
    columns = load_map(map_file) if map_file else None
    if file is not None:
        imported = import_file(file, columns)
    elif wandb_export is not None:
        imported = import_wandb_export(wandb_export, columns)
    elif wandb is not None:
        imported = from_wandb(wandb, columns)
    else:
        imported = from_mlflow(str(mlflow), str(experiment), columns)
    write_runs(imported.frame, output)
    say(f"{output}: {imported.frame.height} rows.")
    if imported.left_out:
        named = ", ".join(imported.left_out[:_NAMED_IN_FULL])
        more = "" if len(imported.left_out) <= _NAMED_IN_FULL else ", ..."
        say(f"Left out for having no finite loss: {len(imported.left_out)} ({named}{more}).")


@app.command()
def show(runs: Runs, json: options.Json = False) -> None:
    """Show what a runs table holds: columns filled, ranges, loss by number of experts, provenance.

    Example: `moeconomics runs show runs.parquet`
    """
    summary = summarise(load_runs(runs))
    if json:
        print_json(asdict(summary))
    else:
        _print(runs, summary)


@app.command()
def check(runs: Runs) -> None:
    """Check a runs table: exit code 0 when every row can be true, 2 with line and column when one can not.

    Example: `moeconomics runs check runs.csv`
    """
    summary = summarise(load_runs(runs))
    say(f"{runs}: {summary.rows} rows, none contradicts itself or another.")
    _print_flags(summary)


def _print(name: str, summary: Summary) -> None:
    trunks = "" if summary.trunks is None else f" of {summary.trunks} training runs"
    say(f"{name}: {summary.rows} rows{trunks}", "bold")
    if name in public_sets():
        say(public_sets()[name].what)
    say("")
    filled = [[column, COLUMNS[column].meaning, f"{count:,}"] for column, count in summary.filled.items()]
    table("Columns", ["column", "meaning", "known"], filled, text_columns=2)
    say(f"\nFurther columns: {', '.join(summary.further) or 'none'}\n")
    ranges = [[column, count_text(low, 4), count_text(high, 4)] for column, (low, high) in summary.ranges.items()]
    table("Ranges", ["", "from", "to"], ranges)
    say("")
    losses = [
        [
            "unknown" if row["experts"] is None else f"{row['experts']}",
            f"{row['rows']:,}",
            f"{row['loss_low']:.4f}",
            f"{row['loss_high']:.4f}",
        ]
        for row in summary.loss_by_experts
    ]
    table("Loss (nats/token)", ["experts", "rows", "from", "to"], losses, text_columns=0)
    say("")
    _print_flags(summary)
    say(f"Sources: {'; '.join(summary.sources) or 'n/a'}\nLicences: {'; '.join(summary.licences) or 'n/a'}")


def _print_flags(summary: Summary) -> None:
    for flag, count in summary.flags.items():
        say(f"Flag {flag}: {count} rows")
