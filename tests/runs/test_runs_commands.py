"""`moeconomics runs` as a user drives it."""

import json

import pytest

from moeconomics.runs import read_runs


@pytest.fixture
def run(run):
    """The sub-command `runs` of the program."""
    return lambda *words: run("runs", *map(str, words))


@pytest.fixture
def theirs(tmp_path):
    path = tmp_path / "theirs.csv"
    path.write_text("name,tok,val\nsmall,2e9,3.1\nlarge,8e9,2.7\ncrashed,1e9,\n", encoding="utf-8")
    (tmp_path / "map.yaml").write_text("{run_id: name, tokens: tok, loss: val, n_experts: = 1}", encoding="utf-8")
    return path


def test_a_table_is_imported_shown_and_checked(run, tmp_path, theirs):
    runs = tmp_path / "runs.parquet"
    code, out, _ = run("import", theirs, "--map", tmp_path / "map.yaml", "-o", runs)
    assert code == 0
    assert "2 rows" in out
    assert "Left out for having no finite loss: 1 (crashed (line 4))" in out
    assert read_runs(runs)["run_id"].to_list() == ["small", "large"]
    code, out, _ = run("show", runs)
    assert code == 0
    assert "2 rows" in out
    assert "2.7000" in out
    code, out, _ = run("check", runs)
    assert (code, "2 rows, none contradicts itself" in out) == (0, True)


def test_show_prints_json_with_the_stable_keys(run, shared_folder, monkeypatch):
    monkeypatch.setenv("MOECONOMICS_DATA", str(shared_folder / "data" / "losses"))
    code, out, _ = run("show", "clark2022_routed_final", "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["rows"] == answer["trunks"] == 223
    assert answer["filled"]["n_active"] == 206
    assert answer["ranges"]["n_params"] == [16527360, 1308819456]
    assert "unique_tokens" not in answer["ranges"], "unknown is not shown as known"
    assert [row["experts"] for row in answer["loss_by_experts"]] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert answer["loss_by_experts"][0] == {"experts": 1, "rows": 13, "loss_low": 2.242015, "loss_high": 3.162017}
    assert answer["flags"] == {"flop_increase": 5}
    code, out, _ = run("show", "clark2022_routed_final")
    assert "Flag flop_increase: 5 rows" in out
    assert "CC-BY-4.0" in out


def test_check_ends_with_2_and_names_line_and_column(run, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("run_id,tokens,loss,n_experts,top_k\na,1e9,3,1,2\nb,1e9,-3,1,1\n", encoding="utf-8")
    code, out, err = run("check", path)
    assert code == 2
    assert not out
    assert "line 2, top_k: n_experts is 1" in err
    assert "line 3, loss: '-3' is not" in err


def test_wandb_exports_are_imported(run, tmp_path):
    export = tmp_path / "export.csv"
    export.write_text('"Name","ID","tokens","loss"\n"sea","3kx1","2e9","3.1"\n', encoding="utf-8")
    code, out, _ = run("import", "--wandb-export", export, "-o", tmp_path / "runs.csv")
    assert code == 0
    assert "1 rows" in out
    assert read_runs(tmp_path / "runs.csv")["run_id"].to_list() == ["3kx1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "-o", "x.csv"], "Give one source"),
        (["import", "a.csv", "--wandb", "a/b", "-o", "x.csv"], "Give one source"),
        (["import", "a.csv", "--experiment", "b", "-o", "x.csv"], "go together"),
        (["import", "--mlflow", "file:x", "-o", "x.csv"], "go together"),
        (["import", "gone.csv", "-o", "x.csv"], "gone.csv: No such file"),
        (["import", "gone.csv", "--map", "gone.yaml", "-o", "x.csv"], "gone.yaml: No such file"),
        (["show", "gone.csv"], "gone.csv: No such file"),
        (["check", "gone.txt"], "runs are in a file named"),
        (["check", "chinchila"], "Did you mean 'chinchilla_epoch'"),
    ],
)
def test_mistakes_are_answered_in_words(run, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words)
    assert code == 2
    assert message in err
    assert not out
    assert not list(tmp_path.iterdir())


def test_a_name_without_output_suffix_is_refused_before_anything_is_written(run, tmp_path, theirs):
    code, _, err = run("import", theirs, "--map", tmp_path / "map.yaml", "-o", tmp_path / "runs.txt")
    assert code == 2
    assert "runs are written to a file named" in err
