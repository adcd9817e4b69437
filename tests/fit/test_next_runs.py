"""Which runs to add: named in the law's variables, within the budget, and as useful as said."""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest

import moeconomics.fit as room
from moeconomics.errors import BadInput
from moeconomics.laws import get_law
from moeconomics.runs import read_runs, write_runs

NOISE = 0.005


def as_runs(frame):
    """The table as it comes back from a file."""
    with TemporaryDirectory() as folder:
        write_runs(frame, Path(folder) / "runs.csv")
        return read_runs(Path(folder) / "runs.csv")


def table(law_name, sizes, experts, tokens, seed=0):
    law = get_law(law_name)
    grid = np.array([(n, e, d) for n in sizes for e in experts for d in tokens])
    variables = dict(zip(law.variables, grid.T, strict=True))
    noise = np.random.default_rng(seed).normal(0, NOISE, len(grid))
    frame = pl.DataFrame(
        {
            "run_id": [f"r{row}" for row in range(len(grid))],
            "n_params": grid[:, 0],
            "n_active": grid[:, 0],
            "n_total": grid[:, 0] * grid[:, 1],
            "n_experts": grid[:, 1].astype(int),
            "top_k": [1] * len(grid),
            "granularity": [1.0] * len(grid),
            "embeddings_counted": [True] * len(grid),
            "tokens": grid[:, 2],
            "loss": np.asarray(law.loss_of(law.coefficients, variables)) * np.exp(noise),
        }
    )
    return as_runs(frame)


@pytest.fixture(scope="module")
def small():
    """A table of 80 small runs of the joint law, as a user has it."""
    return table("joint2025", [1e8, 2e8, 4e8, 8e8], [1, 4, 8, 16, 32], [2.5e9, 5e9, 1e10, 2e10])


@pytest.fixture(scope="module")
def fitted(small):
    one = room.fit(room.rows_of(small, get_law("joint2025")))
    return room.bootstrap(one, 400, np.random.default_rng(0))


def test_runs_keep_to_the_budget_and_each_narrows_the_answer(fitted):
    decision, runs = room.next_runs(fitted, 3, 1e20)
    assert "32" in decision.question
    assert "9.6e+20" in decision.question  # ten times 6 x 8e8 x 2e10
    assert 1 <= len(runs) <= 3
    assert sum(run.flops for run in runs) <= 1e20
    assert all(run.flops == pytest.approx(6 * run.variables["n_active"] * run.variables["tokens"]) for run in runs)
    deviations = [runs[0].deviation_before, *(run.deviation_after for run in runs)]
    assert deviations == sorted(deviations, reverse=True)


def test_training_the_named_runs_narrows_the_answer_more_than_repeating_old_ones(fitted, small):
    """Refit with the proposed runs (true law, same noise) and with as many copies of the data's own largest run."""
    law = get_law("joint2025")
    _, runs = room.next_runs(fitted, 3, 1e21)

    def spread_with(points):
        columns = {name: np.array([point[name] for point in points]) for name in law.variables}
        extra = table("joint2025", [1e8], [1], [2.5e9] * len(points)).with_columns(
            pl.Series("run_id", [f"new{row}" for row in range(len(points))]),
            pl.Series("n_params", columns["n_active"]),
            pl.Series("n_active", columns["n_active"]),
            pl.Series("n_total", columns["n_active"] * columns["experts"]),
            pl.Series("n_experts", columns["experts"].astype(int)),
            pl.Series("tokens", columns["tokens"]),
            pl.Series(
                "loss",
                np.asarray(law.loss_of(law.coefficients, columns))
                * np.exp(np.random.default_rng(5).normal(0, NOISE, len(points))),
            ),
        )
        rows = room.rows_of(pl.concat([small, extra]), law)
        again = room.bootstrap(room.fit_from(fitted, rows), 400, np.random.default_rng(1))
        return room.decision_of(replace(again, rows=fitted.rows)).answer.std()  # the same question

    largest = {"n_active": 8e8, "experts": 32.0, "tokens": 2e10}
    proposed, copies = spread_with([run.variables for run in runs]), spread_with([largest] * 3)
    assert proposed < copies
    assert proposed < runs[0].deviation_before


def test_a_coefficient_of_tokens_needs_runs_with_other_token_counts():
    """With one token count, the data exponent and its factor can not be told apart; a run with more tokens can."""
    law = get_law("joint2025")
    only = table("joint2025", np.geomspace(5e7, 2e9, 12), [1, 4, 16, 64], [1e10])
    one = room.bootstrap(room.fit(room.rows_of(only, law)), 200, np.random.default_rng(0))
    missing = room.identify(one, room.profile(one)).not_identified
    assert missing
    telling = [room.identifying(one, name) for name in missing]
    assert any(run is not None and run.variables["tokens"] > 1e10 for run in telling)


def test_no_run_for_a_budget_below_every_run(fitted):
    with pytest.raises(BadInput, match="no run of 1e\\+10 FLOPs"):
        room.next_runs(fitted, 2, 1e10)


def test_without_draws_there_is_nothing_to_narrow(fitted):
    with pytest.raises(BadInput, match="--bootstrap 1000"):
        room.next_runs(replace(fitted, draws={}), 2, 1e21)


def test_the_command_names_runs_with_their_cost(run, small, tmp_path):
    write_runs(small, tmp_path / "runs.csv")
    assert read_runs(tmp_path / "runs.csv").height == 80
    words = ["fit", str(tmp_path / "runs.csv"), "--bootstrap", "100", "--next-runs", "3", "--budget", "1e20"]
    code, out, _ = run(*words, "--json")
    assert code == 0
    answer = json.loads(out)
    assert 1 <= len(answer["next_runs"]) <= 3
    assert sum(one["flops"] for one in answer["next_runs"]) <= 1e20
    assert set(answer["identified_by"]) == set(answer["not_identified"])
    code, out, _ = run(*words)
    assert code == 0
    assert "Next runs, to decide how small a model of 32 experts may be" in out


@pytest.mark.parametrize("budget", ["0", "-1", "nan", "inf"])
def test_a_budget_that_is_none_is_refused(run, small, tmp_path, budget):
    write_runs(small, tmp_path / "runs.csv")
    code, _, err = run("fit", str(tmp_path / "runs.csv"), "--next-runs", "2", "--budget", budget)
    assert code == 2
    assert "positive number of training FLOPs" in err
