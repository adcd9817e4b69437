"""`moeconomics fit` and `predict` as a user drives them: from a CSV to a plan."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from moeconomics.laws import get_law


@pytest.fixture
def runs(tmp_path):
    """A grid of 45 made-up runs of joint2025 with 0.5 % noise, in the tidy format."""
    law = get_law("joint2025")
    generator = np.random.default_rng(4)
    size, experts, tokens = (g.ravel() for g in np.meshgrid([1e8, 3e8, 1e9], [1, 4, 8, 16, 32], [3e9, 1e10, 5e10]))
    loss = law.loss_of(law.coefficients, {"n_active": size, "experts": experts, "tokens": tokens})
    frame = pl.DataFrame(
        {
            "run_id": [f"run-{i}" for i in range(size.size)],
            "n_params": size,
            "n_active": size,
            "n_experts": experts.astype(int),
            "top_k": 1,
            "tokens": tokens,
            "loss": loss * np.exp(0.005 * generator.standard_normal(size.size)),
        }
    )
    path = tmp_path / "runs.csv"
    frame.write_csv(path)
    return path


def test_from_a_csv_to_a_plan_in_three_commands(run, runs, tmp_path):
    law, out = tmp_path / "law.json", tmp_path / "out.csv"
    code, printed, _ = run("fit", str(runs), "--law", "joint2025", "--bootstrap", "100", "-o", str(law))
    assert code == 0
    assert "Coefficients with 90 % intervals" in printed
    code, _, _ = run("predict", str(law), "--csv", str(runs), "-o", str(out))
    assert code == 0
    predicted = pl.read_csv(out)
    assert (predicted["pred_low"] <= predicted["pred_high"]).all()
    inside = predicted.filter(pl.col("loss").is_between(pl.col("pred_low") * 0.985, pl.col("pred_high") * 1.015))
    assert inside.height == predicted.height
    assert not predicted["extrapolated"].any()
    code, printed, _ = run("plan", "--train-flops", "1e21", "--law", str(law), "--json")
    assert code == 0
    best = json.loads(printed)["recommended"]
    assert best["loss_low"] < best["loss"] < best["loss_high"]


def test_json_has_the_promised_keys(run, runs):
    words = ["fit", str(runs), "--law", "joint2025", "--bootstrap", "50", "--holdout", "largest-compute", "--json"]
    figures = runs.parent / "figures"
    code, printed, _ = run(*words, "--plot", str(figures))
    names = {"report", "predicted", "residuals", "experts", "intervals"}
    pages = list(figures.glob("*.html"))
    assert {path.stem for path in pages} == names
    assert all('src="http' not in path.read_text(encoding="utf-8") for path in pages)
    assert code == 0
    answer = json.loads(printed)
    keys = {"law", "parameters", "intervals", "rmsle", "objective", "n_rows", "not_identified", "holdout", "warnings"}
    assert keys <= answer.keys()
    assert answer["n_rows"] == 45
    assert answer["holdout"]["largest-compute"]["n_test"] == 5
    assert set(answer["parameters"]) == set(answer["intervals"])


def test_pictures_are_real_or_their_absence_is_said(run, runs, tmp_path):
    code, printed, _ = run("fit", str(runs), "--bootstrap", "0", "--plot", str(tmp_path / "figures"))
    assert code == 0
    pictures = list((tmp_path / "figures").glob("*.png"))
    if shutil.which("chromium") or shutil.which("google-chrome"):
        assert len(pictures) == 4
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
        assert "<svg" in (tmp_path / "figures" / "predicted.svg").read_text(encoding="utf-8")[:200]
    else:
        assert not pictures
        assert "need Chrome or Chromium" in printed


def test_the_same_seed_gives_the_same_file(run, runs, tmp_path):
    files = [tmp_path / name for name in ("one.json", "two.json")]
    for file in files:
        assert run("fit", str(runs), "--law", "joint2025", "--bootstrap", "20", "-o", str(file))[0] == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_points_need_no_losses_and_gain_four_columns(run, tmp_path):
    """Published coefficients, so no interval; the second point lies 6 times beyond the law's 80B tokens."""
    points, out = tmp_path / "points.csv", tmp_path / "out.csv"
    points.write_text("n_active,n_experts,tokens,remark\n1.0e8,1,1e10,mine\n1.0e8,8,5e11,\n")
    code, printed, _ = run("predict", "joint2025", "--csv", str(points), "-o", str(out))
    assert code == 0
    assert "1 outside the data" in printed
    lines = out.read_text().splitlines()
    assert lines[0] == "n_active,n_experts,tokens,remark,pred_loss,pred_low,pred_high,extrapolated"
    law = get_law("joint2025")
    expected = law.loss_of(law.coefficients, {"n_active": 1e8, "experts": 1.0, "tokens": 1e10})
    assert lines[1].startswith("1.0e8,1,1e10,mine,")
    assert float(lines[1].split(",")[4]) == pytest.approx(expected, rel=1e-12)
    assert lines[1].endswith(",,,false")
    assert lines[2].endswith(",,,true")


@pytest.mark.parametrize(
    ("law", "points", "message"),
    [
        ("yun2024", "n_params,n_experts,tokens\n1e8,1,1e10\n", "printed no coefficients"),
        ("ling2025", "n_params,n_experts,tokens\n1e8,1,1e10\n", "not a loss"),
        ("joint2025", "n_active,n_experts\n1e8,1\n", "the runs do not give tokens for 1 of 1 rows (first: line 2)"),
        ("joint2025", "n_active,n_experts,tokens\n1e8,1,0\n", "line 2, tokens"),
    ],
)
def test_points_that_have_no_prediction_are_refused(run, tmp_path, law, points, message):
    path = tmp_path / "points.csv"
    path.write_text(points)
    code, _, err = run("predict", law, "--csv", str(path), "-o", str(tmp_path / "out.csv"))
    assert code == 2
    assert message in err
    assert not (tmp_path / "out.csv").exists()


def test_dense_runs_under_a_law_of_experts_are_answered_with_what_they_can_not_say(run, runs, tmp_path):
    """No run depends on six coefficients: the condition is infinite, which JSON has no number for."""
    only = tmp_path / "dense.csv"
    pl.read_csv(runs).filter(pl.col("n_experts") == 1).pipe(lambda frame: pl.concat([frame, frame.with_columns(
        pl.col("run_id") + "-2", pl.col("tokens") * 2)])).write_csv(only)  # fmt: skip
    code, printed, _ = run("fit", str(only), "--bootstrap", "0", "--json")
    assert code == 0
    answer = json.loads(printed)
    assert answer["condition"] is None or answer["condition"] > 1e10
    assert "e_max" in answer["not_identified"]
    assert all("--bootstrap names a run that would" in one for one in answer["warnings"] if "not identified" in one)


def test_a_law_without_experts_says_that_it_takes_all_runs_as_dense(run, runs):
    code, printed, _ = run("fit", str(runs), "--law", "chinchilla2022", "--bootstrap", "0")
    assert code == 0
    assert "no variable for experts: 36 rows count as of 1, and are not" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gone.csv"], "gone.csv"),
        (["RUNS", "--law", "joint2026"], "Did you mean 'joint2025'"),
        (["RUNS", "--law", "ling2025"], "can not be fitted"),
        (["RUNS", "--holdout", "largest"], "Did you mean 'largest-n'"),
        (["RUNS", "--law", "law.json"], "fit its form by name"),
        (["RUNS", "--compare", "joint2025"], "a law can not be compared with itself"),
        (["RUNS", "--budget", "1e20"], "give their number too, as --next-runs 3"),
        (["RUNS", "--next-runs", "2"], "--next-runs needs the bootstrap's draws"),
        (["RUNS", "-o", "law.csv"], "a file named .json"),
        (["RUNS", "-o", "/proc/none/law.json"], "can not write to /proc/none"),
        (["RUNS", "--plot", "RUNS"], "can not write to"),
        (["RUNS", "--delta", "-1"], "delta -1 must be 0"),
        (["RUNS", "--delta", "nan"], "delta nan must be 0"),
    ],
)
def test_mistakes_are_answered_in_words(run, runs, words, message):
    given = [str(runs) if word == "RUNS" else word for word in words]
    code, _, err = run("fit", *given, "--bootstrap", "0")
    assert code == 2
    assert message in err
