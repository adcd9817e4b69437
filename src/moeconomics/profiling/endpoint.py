"""`profile_endpoint`: the same measurements of a running OpenAI-compatible server, seen by its client."""

import itertools
import time
from pathlib import Path
from typing import Any

import polars as pl

from moeconomics.errors import BadInput, unknown_name
from moeconomics.profiling.client import Client
from moeconomics.profiling.grid import Grid, Model
from moeconomics.profiling.table import ROUNDS, Report, add_rows, asked_hash, finished, refuse_other_grid, spread

SAFE_VOCABULARY = 1000  # of a server whose vocabulary is unknown: none has fewer tokens


def profile_endpoint(
    url: str,
    path: Path,
    *,
    grid: Grid,
    served: str | None = None,
    model: Model | None = None,
    report: Report | None = None,
) -> pl.DataFrame:
    """Measure bursts and steady load at each number of requests at once; the rows, which `path` then holds too.

    `served`: the model's name at the server, which may be left out where it serves one; `model`: its shape, without
    which no cost can be read from the rows. A burst gives time to the first token (the median request as `ttft_ms`, the
    last of them as `prefill_ms`) and per output token; load gives output tokens/s, with those of its requests.
    Times are those of a client: network, HTTP and text are in them. Errors: `BadInput` for a server that is not there,
    does not know the model, refuses a request or does not honour `ignore_eos`.
    """
    client = Client(url, int(model.shape.vocab_size) if model else SAFE_VOCABULARY)
    known = {str(one["id"]): one for one in client.models()}
    if served is None and len(known) != 1:
        raise BadInput(f"{url} serves {', '.join(known) or 'no model'}: name one with --model")
    name = served or next(iter(known))
    if name not in known:
        raise unknown_name(f"model at {url}", name, known)
    asked = asked_hash(model, grid, f"{url} {name}")
    done = finished(path)
    if model:
        refuse_other_grid(done, [model], {asked}, path)
    if asked not in done["asked"]:
        common = {
            **(model.columns() if model else {"shape": name}),
            "engine": f"{known[name].get('owned_by', 'unknown')} at an endpoint",
            "engine_version": client.version(),
            "repeats": grid.repeats,
            "asked": asked,
        }
        done = add_rows(path, _rows(client, name, grid, report), common)
    return done.filter(pl.col("asked") == asked)


def _rows(client: Client, name: str, grid: Grid, report: Report | None) -> list[dict[str, Any]]:
    rows = []
    of = grid.cells + len(grid.batches)
    cells = itertools.count(1)
    for context, batch in itertools.product(grid.contexts, grid.batches):
        rows += _burst(client, name, grid, context, batch)
        if report:
            report(next(cells), of, f"{batch} requests of {context} tokens")
    for batch in grid.batches:
        rows.append(_load(client, name, grid, batch))
        if report:
            report(next(cells), of, f"load of {batch} requests")
    return rows


def _burst(client: Client, name: str, grid: Grid, context: int, batch: int) -> list[dict[str, Any]]:
    """`batch` prompts at once, after a warm-up."""
    client.together(name, batch, batch, context, 2)
    runs = [client.together(name, batch, batch, context, grid.steps + 1) for _ in range(grid.repeats)]
    passes = [1e3 * (max(one.first_s for one in run) - min(one.sent_s for one in run)) for run in runs]
    ttft, tpot = (spread(column, _medians(runs, column)) for column in ("ttft_ms", "tpot_ms"))
    cell = {"batch": batch, "input_len": context, "output_len": grid.steps + 1}
    return [
        {"kind": "prefill", **cell, "context": context, **spread("prefill_ms", passes), **ttft},
        {"kind": "decode", **cell, "context": context + grid.steps / 2, **tpot},
    ]


def _load(client: Client, name: str, grid: Grid, batch: int) -> dict[str, Any]:
    """As many requests as ever `batch` are running; the next is sent when one ends."""
    runs, rates = [], []
    for _ in range(grid.repeats):
        start = time.perf_counter()
        run = client.together(name, ROUNDS * batch, batch, grid.input_len, grid.output_len)
        rates.append(sum(one.tokens for one in run) / (max(one.last_s for one in run) - start))
        runs.append(run)
    return {
        "kind": "load",
        "batch": batch,
        "context": grid.input_len + grid.output_len / 2,
        "input_len": grid.input_len,
        "output_len": grid.output_len,
        **spread("output_tok_s", rates),
        **spread("ttft_ms", _medians(runs, "ttft_ms")),
        **spread("tpot_ms", _medians(runs, "tpot_ms")),
    }


def _medians(runs: list[Any], column: str) -> list[float]:
    """The median request of each run."""
    return [sorted(getattr(one, column) for one in run)[len(run) // 2] for run in runs]
