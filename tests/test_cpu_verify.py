"""The study that puts a plan to the test on a CPU: its page is what its code makes of what was measured."""

import json
import shutil
from pathlib import Path

import pytest

from moeconomics.runs import read_runs
from moeconomics.verification import read_plan, verify

STUDY = Path(__file__).parents[1] / "studies" / "cpu-verify"


@pytest.fixture
def study(tmp_path):
    """A copy, which `verify` may write to."""
    return Path(shutil.copytree(STUDY, tmp_path / "study"))


def test_the_page_is_what_the_code_makes_of_the_measurements(study, study_report):
    plan = read_plan(study / "plan.json", study / "train.yaml")
    report = study_report("cpu-verify")
    outcome = verify(plan, study, python=Path("not asked"), seeds=report.SEEDS)
    written = (STUDY / "README.md").read_text(encoding="utf-8")
    assert report.page(plan, outcome) == written
    assert (study / "runs" / "runs.csv").read_bytes() == (STUDY / "runs" / "runs.csv").read_bytes()
    assert json.loads((STUDY / "verification.json").read_text(encoding="utf-8")) == outcome.as_json()


def test_predictions_are_older_than_what_was_measured():
    predicted, served = (
        json.loads((STUDY / name).read_text(encoding="utf-8")) for name in ("predictions.json", "served.json")
    )
    assert predicted["predicted_at"] < served["facts"]["served_at"]


def test_the_budget_is_three_times_that_of_any_run_of_the_law():
    law = read_runs(STUDY.parent / "cpu-python-stdlib" / "runs" / "runs.csv")
    tested = read_runs(STUDY / "runs" / "runs.csv")
    assert tested.height == 6  # two seeds of each model
    assert tested["train_flops"].min() > 3 * law["train_flops"].max()


@pytest.mark.parametrize("cost_model", ["operator", f"profile:{STUDY / 'profile.parquet'}"])
def test_the_machine_prices_plans_and_traffic_that_was_not_measured_says_so(run, cost_model):
    calibration = ("--calibration", str(STUDY / "calibration.yaml")) if cost_model == "operator" else ()
    code, out, err = run(
        *("plan", "--train-flops", "1.5e14", "--law", "cpu-study", "--vocab-size", "2048", "--experts", "4,16"),
        *("--gpu", str(STUDY.parent / "cpu-vllm-profile" / "cpu.yaml"), "--max-gpus", "1", "--usd-per-gpu-hour", "0.1"),
        *("--input-len", "128", "--output-len", "32", "--cost-model", cost_model, *calibration, "--json"),
    )
    assert code == 0, err
    plan = json.loads(out)
    best = plan["recommended"]
    assert best["usd_per_mtok_output_low"] < best["usd_per_mtok_output"] < best["usd_per_mtok_output_high"]
    notes = [one["note"] for one in plan["sensitivity"] if one["what"] == "traffic"]
    assert all(note and "outside the profile" in note for note in notes) == (cost_model != "operator")
