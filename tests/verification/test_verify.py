"""`verify` as a user drives it: a plan of tiny models, trained here and served by the real vLLM."""

import json
import sys

import pytest

from moeconomics.errors import BadInput
from moeconomics.training import give_up
from moeconomics.verification import BASE, DENSE, RECOMMENDED, read_plan

PLAN = (
    *("plan", "--train-flops", "1e14", "--law", "cpu-study", "--vocab-size", "2048", "--seq-len", "32"),
    *("--flop-count", "matmul", "--gpu", "L40S", "--max-gpus", "1", "--usd-per-gpu-hour", "1"),
    *("--input-len", "16", "--output-len", "8", "--cost-model", "paper"),
)
FEW_TOKENS = 2e5  # of the 20 million that such a plan says: seconds of training
TRAIN = "batch_tokens: 2048\nevaluation_tokens: 20000\nlr: 2.0e-3\n"


@pytest.fixture
def planned(run, tmp_path, monkeypatch):
    """A folder with a plan, cut short, and how to train it."""
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*PLAN, "--experts", "4,16", "-o", "plan")
    assert code == 0, err
    file = tmp_path / "plan" / "plan.json"
    plan = json.loads(file.read_text(encoding="utf-8"))
    for one in (*plan["candidates"], plan["recommended"]):
        one |= {"tokens": FEW_TOKENS, "batch": 16}
    file.write_text(json.dumps(plan), encoding="utf-8")
    (tmp_path / "train.yaml").write_text(TRAIN, encoding="utf-8")
    return tmp_path


def test_the_models_of_a_plan_get_their_runs(planned):
    plan = read_plan(planned / "plan", planned / "train.yaml")
    roles = {one.role: one for one in plan.models}
    assert {role: one.spec.experts for role, one in roles.items()} == {BASE: 4, RECOMMENDED: 16}
    assert roles[RECOMMENDED].spec.tokens == (FEW_TOKENS,)
    assert roles[RECOMMENDED].spec.d_ff < roles[BASE].spec.d_ff
    assert all(one.spec.sequence_length == 32 for one in plan.models)


def test_dense_is_a_third_model_where_the_base_has_experts(run, planned):
    run(*PLAN, "--experts", "1,4,16", "-o", "other")
    models = read_plan(planned / "other", None).models
    assert [(one.role, one.spec.experts) for one in models] == [(BASE, 4), (RECOMMENDED, 16), (DENSE, 1)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": {"input_len": None}}, "names no lengths"),
        ({"inputs": {"tpot_ms": 50.0}}, "has --tpot-ms; what is measured is the throughput at saturation"),
        ({"inputs": {"precision": "fp8"}}, "is for fp8"),
        ({"gpus": 2}, "serves on several chips"),
        ({"inputs": {"vocab_size": 4096}}, "total parameters, the one that would be trained"),
        ({"recommended": "base"}, "recommends the loss-optimal model of its own base"),
        ({"candidates": []}, "has no loss-optimal model of its base"),
        ({"inputs": {"train_flops": -1}}, "train_flops"),
    ],
)
def test_plans_that_can_not_be_tested(planned, change, message):
    file = planned / "plan" / "plan.json"
    plan = json.loads(file.read_text(encoding="utf-8"))
    if "recommended" in change:
        plan["recommended"] = plan["candidates"][0]
    if "candidates" in change:
        plan["candidates"] = []
    if "gpus" in change:
        plan["recommended"]["gpus"] = change["gpus"]
    plan["inputs"] |= change.get("inputs", {})
    file.write_text(json.dumps(plan), encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        read_plan(file, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("d_model: 64", "gives d_model, which the plan decides"),
        ("batch: 64", "batch"),
        ("[1]", "must be fields of a run"),
        ("a: b: c", "is not valid YAML"),
    ],
)
def test_training_files_that_are_wrong(planned, text, message):
    (planned / "train.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        read_plan(planned / "plan", planned / "train.yaml")


def test_a_missing_plan_and_a_missing_vllm_are_said(run, planned):
    with pytest.raises(BadInput, match="writes one"):
        read_plan(planned / "nowhere", None)
    code, _, err = run("verify", "plan", "-o", "out", "--vllm", "nowhere/python")
    assert code == 2
    assert "there is no vLLM at nowhere/python" in err
    assert not (planned / "out").exists()


@pytest.mark.vllm
def test_a_plan_is_trained_served_and_compared(run, planned, vllm):
    words = ("verify", "plan", "--training", "train.yaml", "-o", "out", "--vllm", vllm)
    code, out, err = run(*words, "--json")
    assert code == 0, err
    answer = json.loads(out)
    by_role = {one["role"]: one for one in answer["models"]}
    folder = planned / "out"
    plan = json.loads((planned / "plan" / "plan.json").read_text(encoding="utf-8"))
    assert by_role["recommended"]["loss_predicted"] == plan["recommended"]["loss"]
    for one in by_role.values():
        assert 3 < one["loss_measured"] < 8  # it has learned: a uniform guess of 2048 is ln 2048 = 7.6
        assert one["output_tok_s_measured_low"] <= one["output_tok_s_measured"] <= one["output_tok_s_measured_high"]
        priced = 1 / 3600 / one["output_tok_s_measured"] * 1e6
        assert one["usd_per_mtok_output_measured"] == pytest.approx(priced)
    assert [one["verdict"] for one in answer["claims"]]
    for name in ("predictions.json", "served.json", "verification.json", "report.html", "runs/runs.csv", "loss.svg"):
        assert (folder / name).is_file()

    written = (folder / "predictions.json").stat().st_mtime_ns
    before = (folder / "served.json").stat().st_mtime_ns
    code, out, err = run(*words)  # nothing is left to do
    assert code == 0, err
    assert "can not be decided" in out or "agrees" in out or "differs" in out
    assert (folder / "predictions.json").stat().st_mtime_ns == written
    assert (folder / "served.json").stat().st_mtime_ns == before

    code, out, err = run(*words, "--seeds", "2", "--json")
    assert code == 0, err
    more = json.loads(out)
    for one, first in zip(more["models"], answer["models"], strict=True):
        assert one["loss_measured_by_seed"][0] == first["loss_measured"] != one["loss_measured_by_seed"][1]
        assert one["output_tok_s_measured"] == first["output_tok_s_measured"]  # not served again
    assert more["claims"][0]["why"].endswith("from 2 seeds of each model")

    (planned / "train.yaml").write_text(TRAIN.replace("2.0e-3", "1.0e-3"), encoding="utf-8")
    code, _, err = run(*words)
    assert code == 2
    assert "holds the predictions of another plan or training" in err


def test_a_training_that_failed_ends_in_words(run, planned):
    for one in read_plan(planned / "plan", planned / "train.yaml").models:
        (planned / "out" / "runs" / one.spec.run_id).mkdir(parents=True)
        give_up(one.spec, planned / "out" / "runs", "diverged: loss nan", corpora=planned / "out" / "runs" / "corpora")
    code, _, err = run("verify", "plan", "--training", "train.yaml", "-o", "out", "--vllm", sys.executable)
    assert code == 2
    assert "there is nothing to compare" in err
    assert "diverged: loss nan" in err
