"""One run: its losses, its rows, and that a killed run ends where one never killed does."""

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from moeconomics.training import RunSpec, finished_rows, train
from moeconomics.training.losses import CHUNK, ChunkedCrossEntropy, Routing, balance_loss
from moeconomics.training.model import Objective, build
from moeconomics.training.schedule import learning_rate, stretches, total_steps


@pytest.fixture
def text(tmp_path):
    folder = tmp_path / "text"
    folder.mkdir()
    for number in range(60):
        words = " ".join(f"word{(number * 7 + at * at) % 53}" for at in range(120))
        (folder / f"{number}.txt").write_text(f"document {number}. {words}", encoding="utf-8")
    return folder


def spec_of(text, **changes):
    fields = {
        "d_model": 32,
        "n_layers": 2,
        "head_dim": 16,
        "experts": 4,
        "tokens": (64 * 12, 64 * 20),
        "batch_tokens": 64,
        "sequence_length": 16,
        "evaluation_tokens": 5000,
        "data": {"source": str(text), "tokenizer": "bpe-300", "validation_share": 0.2},
    }
    return RunSpec.model_validate(fields | changes)


def test_chunked_cross_entropy_is_pytorchs_with_its_gradients():
    torch.manual_seed(0)
    hidden, weight = torch.randn(CHUNK + 77, 8), torch.randn(50, 8)
    targets = torch.randint(0, 50, (CHUNK + 77,))
    found = []
    for loss_of in (ChunkedCrossEntropy.apply, lambda h, w, t: functional.cross_entropy(h @ w.T, t)):
        h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        loss = loss_of(h, w, targets)
        (3 * loss).backward()
        found.append((loss.detach(), h.grad, w.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


class LargestTensor(TorchDispatchMode):
    """Elements of the largest tensor that any operation makes."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        self.elements = max(
            [self.elements, *(one.numel() for one in tree_leaves(made) if isinstance(one, torch.Tensor))]
        )
        return made


def test_the_logits_of_a_long_batch_are_never_all_there():
    spec = RunSpec(d_model=32, n_layers=2, tokens=(1e6,), sequence_length=1024, batch_tokens=8192)
    objective = Objective(build(spec.shape(4000), 0, 1024), spec.plan)
    tokens = torch.randint(0, 4000, (8, 1025))
    with LargestTensor() as seen:
        objective(tokens)[0].backward()
    assert seen.elements == CHUNK * 4000  # of 8,192 x 4,000


def test_the_balance_loss_is_1_when_balanced_and_grows_to_the_number_of_experts():
    chosen = torch.arange(8).repeat(16)[:, None]
    assert balance_loss([Routing(torch.zeros(128, 8), chosen)]).item() == pytest.approx(1.0)
    logits = torch.zeros(128, 8)
    logits[:, 3] = 50.0
    assert balance_loss([Routing(logits, torch.full((128, 1), 3))]).item() == pytest.approx(8.0)


def test_a_trunk_is_left_by_a_branch_for_each_token_count(text):
    spec = spec_of(text, tokens=(6400, 12800))
    parts = stretches(spec)
    assert [(part.first, part.last, part.tokens) for part in parts] == [
        (0, 80, None),
        (80, 100, 6400.0),
        (80, 160, None),
        (160, 200, 12800.0),
    ]
    rates = [learning_rate(spec, 1.0, parts[0], step) for step in (0, 5, 79)]
    assert rates == [pytest.approx(1 / 6), 1.0, 1.0]  # warm-up of 3 % of 200 steps
    assert learning_rate(spec, 1.0, parts[1], 84) == pytest.approx(0.5)  # 1 - sqrt(5/20)
    assert learning_rate(spec, 1.0, parts[1], 99) == 0.0


def test_rows_say_what_was_trained(text, tmp_path):
    spec = spec_of(text)
    rows = train(spec, tmp_path / "runs")
    assert [row["tokens"] for row in rows] == [768, 1280]
    assert {row["trunk"] for row in rows} == {spec.run_id}
    for row in rows:
        assert row["n_params"] < row["n_active"] < row["n_total"]
        assert 0 < row["loss"] < 6
        assert row["loss_se"] > 0
        assert 1 <= row["expert_load_max"] <= 4
        assert row["dropped_tokens"] == 0
    assert train(spec, tmp_path / "runs") == rows  # finished: nothing is trained again


def test_the_checkpoint_opens_in_transformers_with_the_same_loss(text, tmp_path):
    from transformers import AutoModelForCausalLM

    from moeconomics.training.data import prepare, validation_windows

    spec = spec_of(text, precision="fp32")
    row = train(spec, tmp_path / "runs")[-1]
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "runs" / spec.run_id / "models" / "20")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    windows = validation_windows(prepare(spec.data, tmp_path / "runs" / "corpora"), 16, 5000)
    tokens = torch.from_numpy(windows.tokens)
    with torch.no_grad():
        logits = model(tokens[:, :-1]).logits
    losses = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none").numpy()
    assert losses[windows.document.ravel() >= 0].mean() == pytest.approx(row["loss"], rel=1e-4)


def until_killed(spec, folder, step):
    """Train with a checkpoint at every step, and die without notice after `step` more steps."""
    seen = []

    def report(_):
        seen.append(1)
        if len(seen) > step:
            os.kill(os.getpid(), signal.SIGKILL)

    train(spec, folder, report=report, checkpoint_seconds=0.0)


def test_a_run_killed_ten_times_ends_bit_for_bit_as_one_never_killed(text, tmp_path):
    spec = spec_of(text)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    rows = train(spec, whole)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["moeconomics.training"])
    for step in (0, 1, 3, 2, 1, 4, 0, 2, 3, 1):
        one = processes.Process(target=until_killed, args=(spec, killed, step))
        one.start()
        one.join()
        assert one.exitcode == -signal.SIGKILL
    last = processes.Process(target=train, args=(spec, killed))
    last.start()
    last.join()
    assert finished_rows(spec, killed) == rows
    for steps in spec.steps:
        files = [folder / spec.run_id / "models" / str(steps) / "model.safetensors" for folder in (whole, killed)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_run_that_diverges_is_a_row_with_its_reason_and_no_loss(text, tmp_path, monkeypatch):
    monkeypatch.setattr("moeconomics.training.loop.learning_rate", lambda *_: 1e38)
    rows = train(spec_of(text), tmp_path / "runs")
    assert [row["loss"] for row in rows] == [None, None]
    assert all("diverged: loss" in row["flags"] for row in rows)


def test_the_command_trains_and_says_what_came_out(run, text, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(spec_of(text).model_dump_json(), encoding="utf-8")  # JSON is YAML
    code, out, _ = run("train", str(path), "-o", str(tmp_path / "runs"), "--json")
    assert code == 0
    assert len(json.loads(out)["rows"]) == 2
    code, out, _ = run("recipes")
    assert code == 0
    assert "wsd" in out
    assert "joint_lr" in out


def test_a_tracker_of_accelerates_gets_every_loss(text, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    store = (tmp_path / "mlruns").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    spec = spec_of(text)
    train(spec, tmp_path / "runs", tracker="mlflow")
    client = MlflowClient(store)
    [tracked] = client.search_runs([one.experiment_id for one in client.search_experiments()])
    steps = {one.step for one in client.get_metric_history(tracked.info.run_id, "loss")}
    assert steps == set(range(total_steps(spec)))


def test_a_tracker_that_is_not_there_is_refused(run, text, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(spec_of(text).model_dump_json(), encoding="utf-8")
    code, _, err = run("train", str(path), "-o", str(tmp_path / "runs"), "--tracker", "trackio")
    assert code == 2
    assert "pip install trackio" in err
    assert run("train", str(path), "-o", str(tmp_path / "runs"), "--tracker", "wanbd")[0] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "wds"}, "Did you mean 'wsd'"),
        ({"recipe": "yun2024"}, "one token count"),
        ({"experts": 1000000}, "must be from 1 to"),
        ({"batch_tokens": 63}, "multiple of sequence_length"),
        ({"tokens": [64]}, "at least 10 are needed"),
        ({"wdith": 3}, "unknown field 'wdith'"),
    ],
)
def test_mistakes_are_answered_in_words(run, text, tmp_path, changes, message):
    spec = json.loads(spec_of(text).model_dump_json()) | changes
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps(spec), encoding="utf-8")
    code, _, err = run("train", str(path), "-o", str(tmp_path / "runs"))
    assert code == 2
    assert message in err
    assert not Path(tmp_path / "runs").exists()
