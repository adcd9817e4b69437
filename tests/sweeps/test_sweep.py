"""A grid: what it takes, each run once whoever works on it, what failed and why."""

import json
import multiprocessing
import os
import resource
import signal

import polars as pl
import pytest
import yaml

from moeconomics.errors import BadInput
from moeconomics.sweeps import estimate, lease, read_grid, run_here, specs_of, state_of
from moeconomics.training import DiskFull, RunSpec, Trainer, train
from moeconomics.training.data import prepare


@pytest.fixture
def grid(tmp_path):
    """A grid file of 2 experts x 2 token counts and a second seed: 3 runs, 5 rows."""
    folder = tmp_path / "text"
    folder.mkdir()
    for number in range(60):
        words = " ".join(f"word{(number * 7 + at * at) % 53}" for at in range(120))
        (folder / f"{number}.txt").write_text(f"document {number}. {words}", encoding="utf-8")
    content = {
        "sizes": [{"d_model": 32, "n_layers": 2}],
        "experts": [1, 4],
        "tokens": [64 * 12, 64 * 20],
        "batch_tokens": [64],
        "common": {
            "head_dim": 16,
            "sequence_length": 16,
            "evaluation_tokens": 5000,
            "data": {"source": str(folder), "tokenizer": "bpe-300", "validation_share": 0.2},
        },
        "also": [{"experts": [4], "seeds": [1], "tokens": [64 * 12]}],
    }
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def short_calibration(monkeypatch):
    monkeypatch.setattr("moeconomics.sweeps.estimates.CALIBRATION_SECONDS", 0.1)


def test_a_grid_is_every_combination_and_nothing_twice(grid):
    specs = specs_of(read_grid(grid))
    assert [(spec.experts, spec.seed, len(spec.tokens)) for spec in specs] == [(1, 0, 2), (4, 0, 2), (4, 1, 1)]
    content = yaml.safe_load(grid.read_text(encoding="utf-8"))
    grid.write_text(yaml.safe_dump(content | {"also": [{"experts": [1]}, {"experts": [1, 4]}]}), encoding="utf-8")
    assert len(specs_of(read_grid(grid))) == 2


def test_a_cosine_is_a_run_of_its_own_for_each_token_count(grid):
    content = yaml.safe_load(grid.read_text(encoding="utf-8"))
    grid.write_text(yaml.safe_dump(content | {"recipe": "yun2024"}), encoding="utf-8")
    assert [spec.tokens for spec in specs_of(read_grid(grid))] == [(768.0,), (1280.0,)] * 2 + [(768.0,)]


def test_an_estimate_counts_the_trunk_and_its_branches():
    spec = RunSpec(
        d_model=64, n_layers=2, d_ff=256, head_dim=32, tokens=(100 * 512, 200 * 512), batch_tokens=512,
        sequence_length=128, data={"tokenizer": "bpe-1000"},
    )  # fmt: skip
    found = estimate(spec)
    assert found.tokens == (160 + 20 + 40) * 512  # the trunk to step 160, a fifth of 100 and of 200
    weights = 2 * (4 * 64 * 64 + 3 * 64 * 256) + 64 * 1000
    assert found.flops_per_token == 6 * weights
    assert found.n_total == 2 * 64 * 1000 + 2 * (4 * 64 * 64 + 3 * 64 * 256 + 2 * 64 + 2 * 32) + 64


def test_a_dry_run_says_what_the_grid_takes_and_trains_nothing(run, grid, tmp_path):
    code, out, _ = run("sweep", str(grid), "-o", str(tmp_path / "runs"), "--dry-run", "--json")
    assert code == 0
    found = json.loads(out)["estimate"]
    assert found["runs_left"] == 3
    assert found["flops_train_left"] == pytest.approx(sum(one["flops_train"] for one in found["runs"]))
    assert found["hours_here_left"] == pytest.approx(sum(one["hours_here"] for one in found["runs"]))
    assert 0 < found["gpu_hours_left"] < found["hours_here_left"]
    assert found["usd_left"] > 0
    assert not (tmp_path / "runs").exists()
    code, out, _ = run("sweep", str(grid), "-o", str(tmp_path / "runs"), "--dry-run", "--gpu", "A100-SXM-40GB")
    assert code == 0
    assert "3 runs, 5 rows" in out
    assert "A100-SXM-40GB" in out


def test_a_sweep_leaves_one_table_and_trains_nothing_again(run, grid, tmp_path):
    folder = tmp_path / "runs"
    code, out, _ = run("sweep", str(grid), "-o", str(folder))
    assert code == 0
    assert "3 runs finished, 0 failed, 0 left" in out
    first = (folder / "runs.csv").read_bytes()
    table = pl.read_csv(folder / "runs.csv")
    assert table.height == 5
    assert table["loss"].is_between(0, 6).all()
    assert run("runs", "check", str(folder / "runs.csv"))[0] == 0
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    code, out, _ = run("sweep", str(grid), "-o", str(folder), "--json")
    assert code == 0
    assert json.loads(out)["estimate"]["hours_here_left"] == 0
    assert (folder / "runs.csv").read_bytes() == first
    assert {path: path.stat().st_mtime_ns for path in written} == written


def test_a_failed_run_says_why_and_is_trained_again_when_asked(run, grid, tmp_path, monkeypatch):
    folder = tmp_path / "runs"
    with monkeypatch.context() as broken:
        broken.setattr("moeconomics.training.loop.learning_rate", lambda *_: 1e38)
        code, out, _ = run("sweep", str(grid), "-o", str(folder), "--json")
    assert code == 0
    state = json.loads(out)
    assert len(state["failed"]) == 3
    assert all("diverged: loss" in reason for reason in state["failed"].values())
    code, out, _ = run("sweep", str(grid), "-o", str(folder))
    assert "3 failed, 0 left" in out
    code, out, _ = run("sweep", str(grid), "-o", str(folder), "--retry", "failed")
    assert code == 0
    assert "3 runs finished, 0 failed" in out


def test_a_run_that_breaks_does_not_end_the_sweep(grid, tmp_path, monkeypatch):
    specs = specs_of(read_grid(grid))
    step = Trainer.step

    def step_or_break(trainer, *rest):
        if trainer.spec.experts == 1:
            raise MemoryError("8 GB wanted")
        return step(trainer, *rest)

    monkeypatch.setattr(Trainer, "step", step_or_break)
    run_here(specs, tmp_path / "runs")
    state = state_of(specs, tmp_path / "runs")
    assert state.failed == {specs[0].run_id: "MemoryError: 8 GB wanted"}
    assert state.finished == specs[1:]


def train_grid(path, folder, log):
    def done(spec, _):
        with log.open("a", encoding="utf-8") as file:
            file.write(spec.run_id + "\n")

    run_here(specs_of(read_grid(path)), folder, done=done)


def test_two_sweeps_in_one_folder_train_each_run_once(grid, tmp_path):
    log = tmp_path / "log"
    processes = multiprocessing.get_context("forkserver")
    both = [processes.Process(target=train_grid, args=(grid, tmp_path / "runs", log)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [one.exitcode for one in both] == [0, 0]
    trained = log.read_text(encoding="utf-8").split()
    assert sorted(trained) == sorted(spec.run_id for spec in specs_of(read_grid(grid)))


def hold_and_die(spec, folder):
    with lease(spec, folder) as held:
        assert held
        os.kill(os.getpid(), signal.SIGKILL)


def test_the_lease_of_a_killed_process_is_free(grid, tmp_path):
    spec = specs_of(read_grid(grid))[0]
    one = multiprocessing.get_context("forkserver").Process(target=hold_and_die, args=(spec, tmp_path / "runs"))
    one.start()
    one.join()
    assert one.exitcode == -signal.SIGKILL
    with lease(spec, tmp_path / "runs") as held, lease(spec, tmp_path / "runs") as again:
        assert held
        assert not again


def train_on_a_small_disk(spec, folder):
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # what a checkpoint takes is 300 KB
    with pytest.raises(DiskFull, match="Free some space"):
        train(spec, folder)


def test_a_full_disk_is_a_reason_in_the_table_and_nothing_is_lost(grid, tmp_path):
    folder = tmp_path / "runs"
    spec = specs_of(read_grid(grid))[0]
    prepare(spec.data, folder / "corpora")
    one = multiprocessing.get_context("forkserver").Process(target=train_on_a_small_disk, args=(spec, folder))
    one.start()
    one.join()
    assert one.exitcode == 0
    state = state_of([spec], folder)
    assert "DiskFull" in state.failed[spec.run_id]
    assert not (folder / spec.run_id / "state" / "half-made").exists()
    rows = train(spec, folder)
    assert [row["loss"] is None for row in rows] == [False, False]
    assert rows == train(spec, tmp_path / "other")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expert": [1]}, "unknown field 'expert'"),
        ({"sizes": []}, "sizes"),
        ({"lr": [7.0]}, "must be from 1e-08 to 1"),
        ({"common": {"wdith": 3}}, "unknown field 'wdith'"),
    ],
)
def test_mistakes_in_a_grid_are_answered_in_words(run, grid, tmp_path, change, message):
    content = yaml.safe_load(grid.read_text(encoding="utf-8"))
    grid.write_text(yaml.safe_dump(content | change), encoding="utf-8")
    code, _, err = run("sweep", str(grid), "-o", str(tmp_path / "runs"))
    assert code == 2
    assert message in err
    assert not (tmp_path / "runs").exists()


def test_a_grid_that_is_not_there_and_an_unknown_chip(run, grid, tmp_path):
    assert run("sweep", str(tmp_path / "no.yaml"), "-o", str(tmp_path / "runs"))[0] == 2
    code, _, err = run("sweep", str(grid), "-o", str(tmp_path / "runs"), "--gpu", "H100")
    assert code == 2
    assert "H100-SXM-80GB" in err
    with pytest.raises(BadInput, match="No such file"):
        read_grid(tmp_path / "no.yaml")
