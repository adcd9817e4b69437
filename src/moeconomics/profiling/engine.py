"""`profile_vllm`: start vLLM for each model, on dummy weights, and keep what it measures."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from moeconomics.errors import BadInput
from moeconomics.profiling.grid import Grid, Model
from moeconomics.profiling.table import (
    MEASURES,
    ROUNDS,
    Report,
    add_rows,
    asked_hash,
    finished,
    refuse_other_grid,
    spread,
)
from moeconomics.serving.profile_table import KINDS

PASS_TOKENS = 8192  # most tokens of one forward pass, vLLM's max_num_batched_tokens, unless a prompt is longer
_ENVIRONMENT = {
    # Out of vLLM's own second process an error comes without its reason, and it would outlive a killed one.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
}
_CPU_KV_GIB = {"VLLM_CPU_KVCACHE_SPACE": "2"}  # on a CPU vLLM would take half of the memory


def profile_vllm(
    models: list[Model], grid: Grid, path: Path, *, python: Path, report: Report | None = None
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Measure each model that `path` does not hold yet; the table, and why vLLM does not serve the models that failed.

    `python`: that of an environment that has vLLM. The file is written whole after each model, so that a command that
    is killed and given again goes on with the next. Errors: `BadInput` for a file that holds other measurements or
    that can not be written, or for a Python that does not run.
    """
    asked = {asked_hash(model, grid, "vllm"): model for model in models}
    done = finished(path)
    refuse_other_grid(done, models, set(asked), path)
    of, failed = len(asked) * grid.cells, {}
    for number, (name, model) in enumerate(asked.items()):
        if name in done["asked"]:
            continue

        def tell(cells: int, words: str, begun: int = number * grid.cells) -> None:
            if report:
                report(begun + cells, of, words)

        tell(0, f"{model.name}: vLLM starts")
        try:
            rows, facts = _measured(model, grid, python, tell)
        except BadInput as error:
            failed[model.name] = str(error)
            continue
        common = {**model.columns(), **facts, "engine": "vllm", "repeats": grid.repeats, "asked": name}
        done = add_rows(path, rows, common)
    if report:
        report(of, of, "")
    return done.filter(pl.col("asked").is_in(list(asked))), failed


def _measured(
    model: Model, grid: Grid, python: Path, tell: Callable[[int, str], None]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows, and what the engine says of itself."""
    pass_tokens = max(PASS_TOKENS, *grid.contexts, grid.input_len)
    passes = -(-max(grid.batches) * max(grid.contexts) // pass_tokens)
    question = grid.model_dump(include=set(MEASURES)) | {
        "vocab_size": int(model.shape.vocab_size),
        "max_model_len": max(max(grid.contexts) + grid.steps + passes + 1, grid.input_len + grid.output_len),
        "pass_tokens": pass_tokens,
        "rounds": ROUNDS,
        "weights": "dummy",
        "prompts": None,
    }
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="moeconomics-profile-") as folder:
        (Path(folder) / "config.json").write_text(json.dumps(model.config), encoding="utf-8")
        lines = _ask(python, Path(folder), question | {"model": folder})
        facts = next(lines)
        for line in lines:
            kind = line.pop("kind")
            values = line.pop("tok_s") if kind == "load" else [1e3 * seconds for seconds in line.pop("s")]
            rows.append({"kind": kind, **line, **spread(KINDS[kind], values)})
            tell(len({(row["batch"], row["input_len"]) for row in rows}), model.name)
    return rows, facts


def measure_load(
    checkpoint: Path, prompts: list[list[int]], *, batch: int, output_len: int, repeats: int, python: Path
) -> tuple[list[float], dict[str, Any]]:
    """Output tokens/s, one a repeat, of a checkpoint with its own weights; and what the engine says of itself.

    `ROUNDS` times `batch` requests wait at the start, `batch` run at once; each continues one of `prompts`, token ids
    of one length, by `output_len` tokens. Errors: `BadInput` with vLLM's reason when it does not serve it.
    """
    [input_len] = {len(prompt) for prompt in prompts}
    question = {
        "model": str(checkpoint.resolve()),
        "weights": "auto",
        "prompts": prompts,
        "batches": [batch],
        "contexts": [],
        "input_len": input_len,
        "output_len": output_len,
        "repeats": repeats,
        "rounds": ROUNDS,
        "max_model_len": input_len + output_len,
        "pass_tokens": max(PASS_TOKENS, input_len),
    }
    with tempfile.TemporaryDirectory(prefix="moeconomics-load-") as folder:
        facts, load = _ask(python, Path(folder), question)
    return load["tok_s"], facts


def _ask(python: Path, folder: Path, question: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Lines of `measure_vllm.py`, whose log goes to `folder`. Errors: `BadInput` with vLLM's reason."""
    log = folder / "log"
    with log.open("w", encoding="utf-8") as errors:
        try:
            asked = subprocess.Popen(
                # Isolated: beside the script lie our modules, whose names others may import.
                [python, "-I", Path(__file__).with_name("measure_vllm.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_CPU_KV_GIB | os.environ | _ENVIRONMENT,
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            raise BadInput(
                f"{python} does not run: {error.strerror}; `make vllm-env` makes .venv-vllm/bin/python"
            ) from error
        with asked:
            assert asked.stdin is not None
            assert asked.stdout is not None
            try:
                # The pipe stays open: when it ends, as with this process, vLLM ends itself.
                asked.stdin.write(json.dumps(question) + "\n")
                asked.stdin.flush()
                yield from map(json.loads, asked.stdout)
                code = asked.wait()
            except BrokenPipeError:
                code = asked.wait()
            finally:
                asked.kill()
    if code:
        said = log.read_text(encoding="utf-8", errors="replace")
        reasons = re.findall(r"\w+Error: .*", said) or [f"it ended with code {code}"]
        raise BadInput(f"vLLM of {python} does not serve it: {reasons[-1]}")
