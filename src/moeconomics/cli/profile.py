"""`moeconomics profile`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from moeconomics.cli import options
from moeconomics.cli.output import Advance, needs_vllm, print_json, progress_bar, say, table
from moeconomics.errors import BadInput
from moeconomics.profiling import Grid, profile_endpoint, profile_vllm, read_models
from moeconomics.serving.profile_table import KINDS
from moeconomics.units import count_text

ENDPOINT = "A running server"


def profile(
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FILE.parquet", help="Table to write or go on with.", show_default=False
        ),
    ],
    shapes: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SHAPES]",
            help="YAML file of shapes, batches and contexts; or a Hugging Face config.json or a folder with one.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        Literal["vllm"] | None,
        options.option("NAME", "vllm: start it for each shape, with dummy weights.", options.ENGINE, default="none"),
    ] = None,
    vllm: options.Vllm = options.VLLM,
    endpoint: Annotated[
        str | None,
        options.option(
            "URL", "OpenAI-compatible server to measure; SHAPES may say what it serves.", ENDPOINT, default="none"
        ),
    ] = None,
    model: Annotated[
        str | None, options.option("NAME", "Model's name at the server.", ENDPOINT, default="the only one there")
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure prefill, decode (ms) and throughput (tokens/s) of a real engine over batches, contexts and sizes.

    A command that was stopped goes on where it was when it is given again. Examples:
    `moeconomics profile shapes.yaml --engine vllm -o profile.parquet`,
    `moeconomics profile --endpoint http://localhost:8000 -o server.parquet`. Prices from it:
    `moeconomics cost MODEL --cost-model profile:profile.parquet`.
    """
    if (engine is None) == (endpoint is None):
        raise BadInput(
            "give either SHAPES --engine vllm, to measure in vLLM here, or --endpoint URL of a running server"
        )
    if endpoint is None and shapes is None:
        raise BadInput("--engine vllm needs SHAPES, the models to measure")
    if endpoint is None and model is not None:
        raise BadInput("--model names a model at an --endpoint; SHAPES names those to measure here")
    grid, models = read_models(shapes) if shapes else (Grid(), [])
    failed: dict[str, str] = {}
    if endpoint is not None:
        if len(models) > 1:
            raise BadInput(f"{shapes} holds {len(models)} shapes: with --endpoint give the one that is served")
        shape = models[0] if models else None
        frame = _with_bar(
            lambda report: profile_endpoint(endpoint, output, grid=grid, served=model, model=shape, report=report)
        )
    else:
        needs_vllm(vllm, ", --endpoint measures a running server")
        frame, failed = _with_bar(lambda report: profile_vllm(models, grid, output, python=vllm, report=report))
    if json:
        print_json({"profile": str(output), "rows": frame.height, "failed": failed})
    elif frame.height:
        _print(frame.rows(named=True), output)
    if failed:
        raise BadInput("; ".join(f"{name}: {reason}" for name, reason in failed.items()))


def _with_bar(measure: Callable[[Advance], Any]) -> Any:
    with progress_bar("measuring") as advance:
        return measure(advance)


def _print(rows: list[dict[str, Any]], output: Path) -> None:
    """One line a cell."""
    lines = []
    for row in rows:
        column = KINDS[row["kind"]]
        value, low, high = (f"{row[column + end]:.4g}" for end in ("", "_low", "_high"))
        size = "n/a" if row["n_total"] is None else count_text(row["n_total"])
        unit = "tokens/s" if row["kind"] == "load" else "ms"
        length = f"{row['input_len']} + {row['output_len']}" if row["kind"] == "load" else f"{row['context']:g}"
        lines.append([row["shape"], size, row["kind"], str(row["batch"]), length, value, f"{low} to {high}", unit])
    columns = ["shape", "N total", "measured", "batch", "tokens", "median", "range", "unit"]
    first = rows[0]
    table(
        f"{first['engine']} {first['engine_version'] or ''} on {first['hardware'] or 'unknown hardware'}",
        columns,
        lines,
        text_columns=3,
        can_drop=["N total", "range"],
    )
    say(f"{len(rows)} rows are in {output}.")
    if first["config"]:
        say(f"Prices: moeconomics cost MODEL --cost-model profile:{output} --usd-per-gpu-hour USD", "dim")
