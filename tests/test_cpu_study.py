"""The CPU study: its table is sound, its page and its law are what the code makes of it."""

from pathlib import Path

import numpy as np
import pytest

from moeconomics.fit import predict
from moeconomics.laws import get_law, known_laws, published_laws
from moeconomics.runs import read_runs
from moeconomics.sweeps import read_grid, specs_of

STUDY = Path(__file__).parents[1] / "studies" / "cpu-python-stdlib"


@pytest.fixture(scope="module")
def runs():
    return read_runs(STUDY / "runs" / "runs.csv")


def test_every_run_of_the_grid_is_in_the_table_once(runs):
    wanted = {(spec.run_id, steps) for spec in specs_of(read_grid(STUDY / "grid.yaml")) for steps in spec.steps}
    assert {(row["trunk"], row["step"]) for row in runs.iter_rows(named=True)} == wanted
    assert runs.height == len(wanted)
    assert runs["loss"].null_count() == 0


def test_tokens_do_not_repeat_and_more_of_them_lower_the_loss(runs):
    assert (runs["unique_tokens"] == runs["tokens"]).all()
    for _, trunk in runs.group_by("trunk"):
        assert trunk.sort("tokens")["loss"].is_sorted(descending=True)


def test_the_measured_part_of_the_page_is_the_codes(runs, study_report):
    module = study_report("cpu-python-stdlib")
    page = (STUDY / "README.md").read_text(encoding="utf-8")
    assert "".join(module.losses_section(runs)) in page
    assert module.tuning() in page


def test_the_law_says_the_studys_losses_and_that_it_is_tiny(runs):
    law = get_law("cpu-study")
    error = np.log(predict(law, runs)["pred_loss"].to_numpy()) - np.log(runs["loss"].to_numpy())
    assert f"RMSLE {np.sqrt(np.mean(error**2)):.4g} on {runs.height} runs" == law.fit_error
    assert law.draws is not None
    assert "tiny scale" in law.source
    assert law.domain["n_dense_non_embedding"][1] < 1e7


def test_no_plan_asks_it_unasked(run):
    assert "cpu-study" in known_laws()
    assert "cpu-study" not in published_laws()
    code, out, _ = run("laws", "cpu-study")
    assert code == 0
    assert "tiny scale" in out
