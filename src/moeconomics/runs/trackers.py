"""Runs out of experiment trackers: Weights & Biases exports and API, and MLflow.

Each run becomes one record whose keys are the tracker's own names, dotted where they are nested; a column map then
says which of them are ours. Where a setting and a result share a name, the name is the result's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moeconomics.errors import BadInput
from moeconomics.runs.column_map import ColumnMap, Imported, mapped
from moeconomics.runs.tables import RawTable, read_records, read_table, table_of

_PAGE = 1000  # runs in one answer of an MLflow server


@dataclass(frozen=True)
class _Run:
    """What a tracker knows of a run: its names, what was set and what came out."""

    about: dict[str, Any]
    settings: dict[str, Any]
    results: dict[str, Any]


def import_wandb_export(path: Path, columns: ColumnMap | None = None) -> Imported:
    """Read a W&B export: the CSV of the runs table, or JSON lines of `id`, `name`, `config` and `summary`.

    `run_id` is the run's ID, or its name where the CSV has no ID.

    Errors: `BadInput` as `import_file`.
    """
    raw = read_table(path)
    if path.suffix.lower() == ".jsonl":
        records, places = read_records(path)
        raw = table_of(raw.name, _side_by_side(map(_wandb_run, records)), places)
    return mapped(_with_id(raw, ("ID", "id", "Name", "name")), columns)


def from_wandb(project: str, columns: ColumnMap | None = None) -> Imported:
    """Read the runs of a W&B project, "entity/project", through `wandb.Api()` (extra `trackers`).

    Written against wandb 0.31; it could not be run against a W&B server where it was written. The records then go
    the way of an export, which is tested.

    Errors: `BadInput` when wandb is not installed or does not answer, or as `import_file`.
    """
    try:
        import wandb
    except ImportError as error:
        raise BadInput(
            "the W&B API needs wandb: pip install 'moeconomics[trackers]'; or give --wandb-export"
        ) from error
    try:
        records = [
            {"id": run.id, "name": run.name, "config": dict(run.config), "summary": dict(run.summary.items())}
            for run in wandb.Api().runs(project)
        ]
    except (wandb.Error, OSError, ValueError) as error:  # ValueError: no such project
        raise BadInput(f"W&B project {project}: {error}") from error
    return _from_records(f"W&B project {project}", _side_by_side(map(_wandb_run, records)), columns)


def from_mlflow(uri: str, experiment: str, columns: ColumnMap | None = None) -> Imported:
    """Read the runs of an MLflow experiment (extra `trackers`): parameters, and the last value of each metric.

    Errors: `BadInput` when mlflow is not installed, the store does not answer or has no such experiment, or as
    `import_file`.
    """
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise BadInput("MLflow needs its client: pip install 'moeconomics[trackers]'") from error
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            known = ", ".join(sorted(one.name for one in client.search_experiments())) or "none"
            raise BadInput(f"MLflow at {uri} has no experiment {experiment!r}. It has: {known}")
        page = client.search_runs([found.experiment_id], max_results=_PAGE)
        runs = list(page)
        while page.token:
            page = client.search_runs([found.experiment_id], max_results=_PAGE, page_token=page.token)
            runs += page
    except (MlflowException, OSError) as error:
        raise BadInput(f"MLflow at {uri}: {error}") from error
    records = _side_by_side(
        _Run({"run_id": run.info.run_id, "name": run.info.run_name}, run.data.params, run.data.metrics) for run in runs
    )
    return _from_records(f"MLflow experiment {experiment}", records, columns)


def _from_records(name: str, records: list[dict[str, Any]], columns: ColumnMap | None) -> Imported:
    if not records:
        raise BadInput(f"{name} has no runs")
    places = [f"run {number}" for number in range(1, len(records) + 1)]
    return mapped(_with_id(table_of(name, records, places), ("id",)), columns)


def _with_id(raw: RawTable, names: Iterable[str]) -> RawTable:
    """Add `run_id` from the first of `names` there is."""
    there = next((name for name in names if name in raw.frame.columns), None)
    if "run_id" in raw.frame.columns or there is None:
        return raw
    return RawTable(raw.name, raw.frame.with_columns(raw.frame[there].alias("run_id")), raw.places)


def _side_by_side(runs: Iterable[_Run]) -> list[dict[str, Any]]:
    """One record a run. A name that is a result of any run is never read from the settings of another."""
    runs = list(runs)
    results = {name for run in runs for name in run.results}
    return [
        run.about | {name: value for name, value in run.settings.items() if name not in results} | run.results
        for run in runs
    ]


def _wandb_run(run: Mapping[str, Any]) -> _Run:
    """A run of the API or of an export; `_wandb`, W&B's notes on its client, is left out."""
    about = {key: value for key, value in run.items() if not isinstance(value, dict)}
    config, summary = (
        _flat({key: value for key, value in run[part].items() if key != "_wandb"})
        if isinstance(run.get(part), dict)
        else {}
        for part in ("config", "summary")
    )
    return _Run(about, config, summary)


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in nested.items():
        if hasattr(value, "items"):  # the API's summaries nest in a type of their own
            value = dict(value.items())
        # A config file has {"value": x, "desc": null} where the API has x.
        if isinstance(value, dict) and "value" in value and value.keys() <= {"value", "desc"}:
            value = value["value"]
        if isinstance(value, dict):
            made |= _flat(value, f"{prefix}{key}.")
        else:
            made[f"{prefix}{key}"] = value
    return made
