"""`sweep`: the runs of a grid one after the other, each once, whoever else works on the same folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock, Timeout

from moeconomics.runs import write_runs
from moeconomics.training import DiskFull, Progress, RunSpec, failure, finished_rows, is_finished, train

TABLE = "runs.csv"

Report = Callable[[RunSpec, Progress], None]
Done = Callable[[RunSpec, list[dict[str, Any]]], None]


@dataclass(frozen=True, kw_only=True)
class State:
    """Where a sweep is: runs by what became of them. A failed run has rows without a loss, and a reason."""

    finished: list[RunSpec]
    failed: dict[str, str]
    left: list[RunSpec]


def state_of(specs: list[RunSpec], folder: Path) -> State:
    """What the folder says of each run."""
    finished, left, failed = [], [], {}
    for spec in specs:
        reason = failure(spec, folder)
        if not is_finished(spec, folder):
            left.append(spec)
        elif reason is not None:
            failed[spec.run_id] = reason
        else:
            finished.append(spec)
    return State(finished=finished, failed=failed, left=left)


def forget_failed(specs: list[RunSpec], folder: Path) -> None:
    """Remove the rows without a loss, so that those runs go on."""
    for spec in specs:
        for row in finished_rows(spec, folder):
            if row["loss"] is None:
                (folder / spec.run_id / f"row-{row['step']}.json").unlink()


def run_here(specs: list[RunSpec], folder: Path, *, report: Report | None = None, done: Done | None = None) -> None:
    """Train what is left in this process. Errors: `BadInput` for the data, `DiskFull`; other failures become rows."""
    for spec in specs:
        rows = run_one(spec, folder, report)
        if rows is not None:
            write_table(specs, folder)
            if done:
                done(spec, rows)


def run_one(
    spec: RunSpec, folder: Path, report: Report | None = None, by: Callable[..., list[dict[str, Any]]] = train
) -> list[dict[str, Any]] | None:
    """Train one run by `train` or what does the same; its rows, or None when it has ended or another process holds it.

    A run that fails by itself (divergence, too little memory) has rows with the reason and no loss. Errors: as `train`
    for what would end every run: data that can not be, a full disk.
    """
    with lease(spec, folder) as held:
        if not held or is_finished(spec, folder):
            return None
        try:
            return by(spec, folder, report=(lambda progress: report(spec, progress)) if report else None)
        except DiskFull:
            raise
        except Exception:
            if failure(spec, folder) is None:  # it failed before it began
                raise
            return finished_rows(spec, folder)


@contextmanager
def lease(spec: RunSpec, folder: Path) -> Iterator[bool]:
    """Hold a run, or say that someone else does. The operating system ends the lease when its holder dies."""
    home = folder / spec.run_id
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / "lease", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def write_table(specs: list[RunSpec], folder: Path) -> pl.DataFrame:
    """Write the rows of all finished token counts to `runs.csv` in the folder."""
    rows = [row for spec in specs for row in finished_rows(spec, folder)]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    if rows:
        with FileLock(folder / f".{TABLE}.lock"):
            write_runs(frame, folder / TABLE)
    return frame
