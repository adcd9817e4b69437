"""A sweep on a real Ray cluster on this machine: nodes die, runs do not."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
import yaml

from moeconomics.errors import BadInput
from moeconomics.sweeps import run_here
from moeconomics.training import RunSpec, finished_rows

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # else Ray warns of a default that will change
ray = pytest.importorskip("ray")

from moeconomics.sweeps.on_ray import run_on_ray  # noqa: E402

# JAX, which other tests of the same process import, warns of the forks by which Ray starts its own processes.
pytestmark = [
    pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning"),
    pytest.mark.usefixtures("one_thread"),
]

MEMORY = {"object_store_memory": 80 * 2**20}
SHORT, LONG = (64 * 12, 64 * 20), (64 * 45, 64 * 75)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    for number in range(60):
        words = " ".join(f"word{(number * 7 + at * at) % 53}" for at in range(120))
        (folder / f"{number}.txt").write_text(f"document {number}. {words}", encoding="utf-8")
    return folder


def spec_of(text, seed, **changes):
    fields = {
        "d_model": 32,
        "n_layers": 2,
        "head_dim": 16,
        "experts": 4,
        "tokens": SHORT,
        "batch_tokens": 64,
        "sequence_length": 16,
        "evaluation_tokens": 5000,
        "seed": seed,
        "data": {"source": str(text), "tokenizer": "bpe-300", "validation_share": 0.2},
    }
    return RunSpec.model_validate(fields | changes)


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """The driver's node, which has no room for runs, and one that has room for one."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False} | MEMORY)
    made.add_node(num_cpus=1, **MEMORY)
    ray.init(made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture(autouse=True)
def short_polls(monkeypatch):
    """So that a killer sees a run before it is over."""
    monkeypatch.setattr("moeconomics.sweeps.on_ray.POLL_S", 0.02)


def test_a_node_killed_in_a_run_loses_no_finished_run_and_the_sweep_completes(text, tmp_path, cluster):
    long = spec_of(text, 1, tokens=LONG)
    specs = [spec_of(text, 0), long, *(spec_of(text, seed) for seed in (2, 3, 4))]
    ended, after, killed = [], [], []

    def report(spec, progress):
        if spec == long and killed:
            after.append(progress.step)
        if spec == long and progress.step > 40 and not killed:
            killed.extend(cluster.worker_nodes)
            cluster.add_node(num_cpus=1, **MEMORY)
            cluster.remove_node(killed[0], allow_graceful=False)

    def done(spec, rows):
        ended.append(spec)
        assert {row["run_id"] for row in rows} <= set(pl.read_csv(tmp_path / "ray" / "runs.csv")["run_id"])

    run_on_ray(specs, tmp_path / "ray", report=report, done=done)
    assert len(killed) == 1
    assert min(after) > 36  # it went on from where its first branch left the trunk
    assert sorted(spec.seed for spec in ended) == [0, 1, 2, 3, 4]  # each once
    run_here(specs, tmp_path / "here")
    for spec in specs:
        assert finished_rows(spec, tmp_path / "ray") == finished_rows(spec, tmp_path / "here")
    run_on_ray(specs, tmp_path / "ray", done=lambda *_: pytest.fail("a finished run was trained again"))


def test_a_run_of_two_processes_has_the_loss_of_one_and_a_run_that_fails_a_reason(text, tmp_path, cluster):
    cluster.add_node(num_cpus=1, **MEMORY)  # a node for each process
    spec = spec_of(text, 0, precision="fp32")
    odd = spec_of(text, 0, batch_tokens=48)
    seen = []
    run_on_ray([spec, odd], tmp_path / "ray", processes=2, retries=0, report=lambda spec, _: seen.append(spec))
    assert spec in seen
    run_here([spec], tmp_path / "here")
    losses, alone = ([row["loss"] for row in finished_rows(spec, tmp_path / at)] for at in ("ray", "here"))
    assert losses == pytest.approx(alone, rel=1e-5)
    rows = finished_rows(odd, tmp_path / "ray")
    assert [row["loss"] for row in rows] == [None, None]
    assert "3 sequences of a batch can not be shared by 2 processes" in rows[0]["flags"]


def test_a_run_whose_process_keeps_dying_is_a_row_with_its_reason(text, tmp_path):
    spec = spec_of(text, 0, tokens=(64 * 95,))
    killed = set()

    def report(*_):
        lease = str(tmp_path / spec.run_id / "lease")
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if any(str(file.readlink()) == lease for file in (process / "fd").iterdir()):
                    os.kill(int(process.name), signal.SIGKILL)
                    killed.add(process.name)

    run_on_ray([spec], tmp_path, retries=1, report=report)
    assert len(killed) == 2
    [row] = finished_rows(spec, tmp_path)
    assert row["loss"] is None
    assert row["flags"] == "its process died 2 times: WorkerCrashedError"


def test_a_folder_that_a_node_does_not_see_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.touch", lambda _: None)  # as if the file were in another folder of the name
    monkeypatch.setattr("pathlib.Path.unlink", lambda _: None)
    with pytest.raises(BadInput, match="does not see the folder"):
        run_on_ray([spec_of(text, 0)], tmp_path)


def test_the_command_sweeps_on_the_cluster(run, text, tmp_path, monkeypatch):
    monkeypatch.setattr("moeconomics.sweeps.estimates.CALIBRATION_SECONDS", 0.1)
    common = spec_of(text, 0).model_dump(
        mode="json", include={"head_dim", "sequence_length", "evaluation_tokens", "data"}
    )
    grid = {"sizes": [{"d_model": 32, "n_layers": 2}], "experts": [1, 4], "tokens": list(SHORT), "batch_tokens": [64]}
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(grid | {"common": common}), encoding="utf-8")
    code, out, _ = run("sweep", str(path), "-o", str(tmp_path / "runs"), "--runner", "ray")
    assert code == 0
    assert "2 runs finished, 0 failed, 0 left" in out
    assert pl.read_csv(tmp_path / "runs" / "runs.csv").height == 4
