"""The table of measured training runs: one schema for all sources, checked at the door, unknown is null.

In: CSV, JSONL and parquet files, the tidy files of public measurements, W&B and MLflow. Out: a polars table of
`COLUMNS` with provenance, and the variables of loss laws for each row. Theory: shapes (counts of a known model).
"""

from moeconomics.runs.architecture import shape_from_json, shape_to_json
from moeconomics.runs.column_map import ColumnMap, FromColumn, Imported, import_file, load_map
from moeconomics.runs.columns import COLUMNS, Column
from moeconomics.runs.facts import PublicSet, PublicSource, public_sets
from moeconomics.runs.files import read_points, read_runs, write_runs
from moeconomics.runs.public import load_public, load_runs
from moeconomics.runs.summary import Summary, summarise
from moeconomics.runs.tables import write_table
from moeconomics.runs.trackers import from_mlflow, from_wandb, import_wandb_export
from moeconomics.runs.variables import RunVariables, variables_for

__all__ = [
    "COLUMNS",
    "Column",
    "ColumnMap",
    "FromColumn",
    "Imported",
    "PublicSet",
    "PublicSource",
    "RunVariables",
    "Summary",
    "from_mlflow",
    "from_wandb",
    "import_file",
    "import_wandb_export",
    "load_map",
    "load_public",
    "load_runs",
    "public_sets",
    "read_points",
    "read_runs",
    "shape_from_json",
    "shape_to_json",
    "summarise",
    "variables_for",
    "write_runs",
    "write_table",
]
