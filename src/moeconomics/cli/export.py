"""`moeconomics export` and `moeconomics verify-export`. PyTorch is loaded when they run, not at every start."""

from pathlib import Path
from typing import Annotated

import typer

from moeconomics.cli import options
from moeconomics.cli.output import needs_extra, needs_vllm, print_json, say, table
from moeconomics.errors import BadInput


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="Folder of a trained run, or one of its models/<steps>.", show_default=False
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder to write.", show_default=False)],
    json: options.Json = False,
) -> None:
    """Write a trained model so that transformers and vLLM serve it: safetensors, config and tokenizer.

    Of several token counts the largest is taken. Example:
    `moeconomics export runs/yun2024-d128-l4-e8-s0-1f2e3d4c5b served`
    """
    with needs_extra("train", "exporting"):
        from moeconomics.training.export import export_model
    checkpoint = export_model(run, folder)
    files = sorted(path.name for path in folder.iterdir())
    if json:
        print_json({"checkpoint": str(checkpoint), "folder": str(folder), "files": files})
        return
    say(f"{checkpoint} is now {folder}: {', '.join(files)}.")
    say(f"Check it: moeconomics verify-export {folder}", "dim")


def verify_export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `export` wrote.", show_default=False)],
    vllm: options.Vllm = options.VLLM,
    without_vllm: Annotated[bool, typer.Option("--without-vllm", help="Check the logits alone.")] = False,
    json: options.Json = False,
) -> None:
    """Check an export: the trained model's logits, and vLLM's greedy tokens against those of transformers.

    Ends with 0 only if all holds. Example: `moeconomics verify-export served`
    """
    with needs_extra("train", "verifying"):
        from moeconomics.training.export import verify_export as verify
    if not without_vllm:
        needs_vllm(vllm, ", --without-vllm checks the logits alone")
    checks = verify(folder, None if without_vllm else vllm)
    if json:
        print_json({"folder": str(folder), "vllm": not without_vllm, "checks": [check.as_json() for check in checks]})
    else:
        rows = [
            [check.name, check.words, f"{check.largest:.2g}", f"{check.allowed:g}", "yes" if check.holds else "NO"]
            for check in checks
        ]
        table(f"Export {folder}", ["check", "of", "largest difference", "allowed", "holds"], rows, text_columns=2)
        if without_vllm:
            say("vLLM was not asked.", "yellow")
    failed = [check.name for check in checks if not check.holds]
    if failed:
        raise BadInput(
            f"{folder} is not what was trained, or is served otherwise: {'; '.join(failed)}. Export it again"
        )
