"""The study of vLLM on a CPU: its page is what its code makes of its table; half of it predicts the other half."""

from pathlib import Path

import pytest

from moeconomics.hardware import get_chip
from moeconomics.serving.profile_table import read_profile

STUDY = Path(__file__).parents[1] / "studies" / "cpu-vllm-profile"


@pytest.fixture(scope="module")
def report(study_report):
    return study_report("cpu-vllm-profile")


def test_half_of_the_models_predict_the_other_half_within_the_target(report):
    """Target: 15 % at the median for decode latency and for throughput under load."""
    page = report.operators(read_profile(STUDY / "profile.parquet"), get_chip(str(STUDY / "cpu.yaml")))
    medians = {
        line.split("|")[1].strip(): float(line.split("|")[2].strip().rstrip("%"))
        for line in page.splitlines()
        if line.startswith("| ") and "%" in line
    }
    assert medians["decode latency"] < 15
    assert medians["throughput under load"] < 15
    # The committed page has these numbers; a fit on another machine may differ in the last digit.
    written = (STUDY / "README.md").read_text(encoding="utf-8")
    for kind, median in medians.items():
        [line] = [line for line in written.splitlines() if line.startswith(f"| {kind}")]
        assert float(line.split("|")[2].strip().rstrip("%")) == pytest.approx(median, abs=1.0)


def test_the_table_has_dense_and_moe_models_of_three_sizes():
    profile = read_profile(STUDY / "profile.parquet")
    shapes = profile.select("d_model", "n_experts").unique()
    assert shapes.height >= 10
    assert set(shapes["n_experts"]) == {1, 4, 8, 16}
    assert shapes["d_model"].n_unique() >= 3
