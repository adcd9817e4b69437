"""`sweep`: the runs of a grid one after the other, each once, whoever else works on the same folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock, Timeout

from moeconomics.runs import write_runs
from moeconomics.training import Progress, RunSpec, finished_rows, is_finished, train

TABLE = "runs.csv"


@dataclass(frozen=True, kw_only=True)
class State:
    """Where a sweep is: runs by what became of them. A failed run has rows without a loss and a reason."""

    finished: list[RunSpec]
    failed: dict[str, str]
    left: list[RunSpec]


def state_of(specs: list[RunSpec], folder: Path) -> State:
    """What the folder says of each run."""
    finished, left, failed = [], [], {}
    for spec in specs:
        if not is_finished(spec, folder):
            left.append(spec)
            continue
        reasons = {row["flags"] for row in finished_rows(spec, folder) if row["loss"] is None}
        if reasons:
            failed[spec.run_id] = "; ".join(sorted(reasons))
        else:
            finished.append(spec)
    return State(finished=finished, failed=failed, left=left)


def forget_failed(specs: list[RunSpec], folder: Path) -> None:
    """Remove the rows of failed runs, so that they are trained again."""
    for spec in specs:
        for row in finished_rows(spec, folder):
            if row["loss"] is None:
                (folder / spec.run_id / f"row-{row['step']}.json").unlink()


def run_here(
    specs: list[RunSpec],
    folder: Path,
    *,
    report: Callable[[RunSpec, Progress], None] | None = None,
    done: Callable[[RunSpec, list[dict[str, Any]]], None] | None = None,
) -> None:
    """Train what is left in this process; runs that another process holds are passed over."""
    for spec in specs:
        with lease(spec, folder) as held:
            if held and not is_finished(spec, folder):
                tell = (lambda progress, spec=spec: report(spec, progress)) if report else None
                rows = train(spec, folder, report=tell)
                write_table(specs, folder)
                if done:
                    done(spec, rows)


@contextmanager
def lease(spec: RunSpec, folder: Path) -> Iterator[bool]:
    """Hold a run, or say that someone else does. The operating system ends the lease when its holder dies."""
    home = folder / spec.run_id
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / "lease", timeout=0)
    try:
        with lock:
            yield True
    except Timeout:
        yield False


def write_table(specs: list[RunSpec], folder: Path) -> pl.DataFrame:
    """Write the rows of all finished token counts to `runs.csv` in the folder."""
    rows = [row for spec in specs for row in finished_rows(spec, folder)]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    if rows:
        with FileLock(folder / f".{TABLE}.lock"):
            write_runs(frame, folder / TABLE)
    return frame
