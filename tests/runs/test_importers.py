"""Somebody else's tables become ours: column maps, W&B exports, a real MLflow store."""

import json
import sys

import polars as pl
import pytest

from moeconomics.errors import BadInput
from moeconomics.runs import from_mlflow, from_wandb, import_file, import_wandb_export, load_map

CSV = "name,params_m,tok,val\nsmall,100,2e9,3.1\nlarge,400,8e9,2.7\ncrashed,400,1e9,\ndiverged,400,1e9,NaN\n"
MAP = """
run_id: name
n_params: {column: params_m, factor: 1e6}
n_experts: = 1
tokens: tok
loss: val
loss_kind: = validation
"""


def load(tmp_path, text):
    path = tmp_path / "map.yaml"
    path.write_text(text, encoding="utf-8")
    return load_map(path)


def write(tmp_path, text, name="theirs.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_map_renames_scales_and_adds_constants(tmp_path, suffix):
    theirs = pl.read_csv(write(tmp_path, CSV))
    path = tmp_path / f"theirs{suffix}"
    {".csv": theirs.write_csv, ".jsonl": theirs.write_ndjson, ".parquet": theirs.write_parquet}[suffix](path)
    found = import_file(path, load(tmp_path, MAP))
    assert found.frame["run_id"].to_list() == ["small", "large"]
    assert found.frame["n_params"].to_list() == [1e8, 4e8]
    assert found.frame["n_experts"].to_list() == [1, 1]
    assert found.frame["loss_kind"].to_list() == ["validation"] * 2
    places = (
        ("row 3", "row 4")
        if suffix == ".parquet"
        else ("line 4", "line 5")
        if suffix == ".csv"
        else ("line 3", "line 4")
    )
    assert found.left_out == (f"crashed ({places[0]})", f"diverged ({places[1]})")


def test_without_a_map_their_names_are_ours_and_further_columns_stay(tmp_path):
    found = import_file(write(tmp_path, "run_id,tokens,loss,cluster\na,1e9,3,north\n"))
    assert found.frame["cluster"].to_list() == ["north"]
    assert not found.left_out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_parms: params_m", "unknown column 'n_parms'. Did you mean 'n_params'"),
        ("n_params: {column: params_m, faktor: 2}", "Did you mean 'factor'"),
        ("n_params: {column: params_m, factor: 0}", "factor: must be from 1e-30"),
        ("n_params: {column: params_m, factor: .nan}", "factor: must be from 1e-30"),
        ("n_params: {factor: 2}", "column: Field required"),
        ("n_params: [1]", "n_params: column: Input should be a valid string"),
        ("n_params:", "n_params: column: Input should be a valid string"),
        ("- n_params", "a column map holds lines"),
        ("", "a column map holds lines"),
        ("a: [", "is not valid YAML"),
        ("a: 2026-13-01", "is not valid YAML"),
        ("[" * 5000, "is not valid YAML"),
    ],
)
def test_a_map_with_a_mistake_is_answered_in_words(tmp_path, text, message):
    with pytest.raises(BadInput) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert "map.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("tok\n", "toks\n"), "unknown column 'toks'. Did you mean 'tok'"),
        (("tokens: tok\n", ""), "no column tokens"),
        (("column: params_m", "column: name"), "line 2, name: 'small' is not a number"),
        (("= validation", "= test"), "line 2, loss_kind: 'test' is not validation or training"),
        (("loss: val\n", "loss: {column: val, factor: -1}\n"), "must be from 1e-30"),
    ],
)
def test_a_map_that_does_not_fit_the_table_is_answered_in_words(tmp_path, change, message):
    with pytest.raises(BadInput) as caught:
        import_file(write(tmp_path, CSV), load(tmp_path, MAP.replace(*change)))
    assert message in str(caught.value)


def test_a_table_without_any_loss_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no row has a finite loss"):
        import_file(write(tmp_path, "run_id,tokens,loss\na,1e9,\n"))


def test_a_wandb_table_export_is_read(tmp_path):
    text = (
        '"Name","State","ID","Created","Runtime","n_params","n_experts","tokens","loss"\n'
        '"gentle-sea-1","finished","3kx1","2026-01-02T10:00:00.000Z","3601","100000000","1","2000000000","3.1"\n'
        '"calm-hill-2","crashed","9pq2","2026-01-02T10:00:00.000Z","12","100000000","1","",""\n'
    )
    found = import_wandb_export(write(tmp_path, text))
    assert found.frame["run_id"].to_list() == ["3kx1"]
    assert found.frame["n_params"].to_list() == [1e8]
    assert found.left_out == ("9pq2 (line 3)",)
    without_ids = import_wandb_export(write(tmp_path, text.replace('"ID"', '"Tags"')))
    assert without_ids.frame["run_id"].to_list() == ["gentle-sea-1"]


def test_wandb_json_lines_with_config_and_summary_are_read(tmp_path):
    runs = [
        {
            "id": "3kx1", "name": "one", "state": "finished",
            "config": {"model": {"n_params": 1e8}, "lr": {"value": 3e-4, "desc": None}, "loss": "cross-entropy"},
            "summary": {"loss": 3.1, "eval": {"tokens": 2e9}, "_step": 4000, "_wandb": {"runtime": 3}},
        },
        {"id": "9pq2", "config": {"lr": 1e-4, "loss": 2.0}, "summary": {"_step": 3}},
        {"id": "7aa0", "config": "none", "summary": None},
    ]  # fmt: skip
    path = write(tmp_path, "\n".join(map(json.dumps, runs)), "runs.jsonl")
    columns = load(
        tmp_path, "{run_id: id, n_params: model.n_params, tokens: eval.tokens, loss: loss, lr: lr, step: _step}"
    )
    found = import_wandb_export(path, columns)
    [row] = found.frame.to_dicts()
    known = {key: value for key, value in row.items() if value is not None}
    assert known == {"run_id": "3kx1", "n_params": 1e8, "tokens": 2e9, "loss": 3.1, "lr": 3e-4, "step": 4000}
    assert found.left_out == ("9pq2 (line 2)", "7aa0 (line 3)")


@pytest.fixture
def mlflow_store(tmp_path, monkeypatch):
    """A real MLflow file store with two runs that ended and one that did not; skinny MLflow has no database."""
    pytest.importorskip("mlflow")
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "store").as_uri()
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("sweep")
    client.create_experiment("empty")
    for name, n_params, losses in (("small", 1e8, (5.0, 3.1)), ("large", 4e8, (4.5, 2.7)), ("crashed", 4e8, ())):
        run = client.create_run(experiment, run_name=name)
        client.log_param(run.info.run_id, "n_params", n_params)
        client.log_param(run.info.run_id, "loss", "cross-entropy")
        client.log_metric(run.info.run_id, "tokens", 2e9)
        for step, loss in enumerate(losses):
            client.log_metric(run.info.run_id, "loss", loss, step=step)
        client.set_terminated(run.info.run_id)
    return uri


def test_an_mlflow_experiment_is_read_from_its_store(mlflow_store):
    found = from_mlflow(mlflow_store, "sweep")
    rows = found.frame.sort("n_params")
    assert rows["name"].to_list() == ["small", "large"]
    assert rows["n_params"].to_list() == [1e8, 4e8]
    assert rows["loss"].to_list() == [3.1, 2.7], "the last value of the metric, not the parameter of that name"
    assert rows["tokens"].to_list() == [2e9, 2e9]
    assert len(found.left_out) == 1


def test_many_pages_of_mlflow_runs_are_read(mlflow_store, monkeypatch):
    monkeypatch.setattr("moeconomics.runs.trackers._PAGE", 1)
    assert from_mlflow(mlflow_store, "sweep").frame.height == 2


def test_mlflow_mistakes_are_answered_in_words(mlflow_store):
    with pytest.raises(BadInput, match=r"no experiment 'swep'\. It has: Default, empty, sweep"):
        from_mlflow(mlflow_store, "swep")
    with pytest.raises(BadInput, match="MLflow experiment empty has no runs"):
        from_mlflow(mlflow_store, "empty")
    with pytest.raises(BadInput, match="MLflow at nowhere://x"):
        from_mlflow("nowhere://x", "sweep")


@pytest.mark.parametrize(
    ("module", "call"),
    [("wandb", lambda: from_wandb("us/sweep")), ("mlflow", lambda: from_mlflow("sqlite:///x.db", "sweep"))],
)
def test_a_tracker_that_is_not_installed_is_named_with_the_extra(monkeypatch, module, call):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match=r"pip install 'moeconomics\[trackers\]'"):
        call()
