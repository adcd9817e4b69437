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
    names = {"predicted", "residuals", "experts", "intervals"}
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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gone.csv"], "gone.csv"),
        (["RUNS", "--law", "joint2026"], "Did you mean 'joint2025'"),
        (["RUNS", "--law", "ling2025"], "can not be fitted"),
        (["RUNS", "--holdout", "largest"], "Did you mean 'largest-n'"),
        (["RUNS", "--delta", "-1"], "delta -1 must be 0"),
        (["RUNS", "--delta", "nan"], "delta nan must be 0"),
    ],
)
def test_mistakes_are_answered_in_words(run, runs, words, message):
    given = [str(runs) if word == "RUNS" else word for word in words]
    code, _, err = run("fit", *given, "--bootstrap", "0")
    assert code == 2
    assert message in err
