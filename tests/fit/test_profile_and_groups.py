"""Profile intervals, scores without one group, and isoFLOP optima, against what is known beforehand."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.stats import t as t_distribution

import moeconomics.fit as room
from moeconomics.errors import BadInput
from moeconomics.fit import Rows
from moeconomics.laws import get_law
from moeconomics.runs import load_runs

CHINCHILLA = get_law("chinchilla2022")
TRUTH = CHINCHILLA.coefficients


def rows_at(law, variables, truth, noise, seed):
    generator = np.random.default_rng(seed)
    loss = np.asarray(law.loss_of(truth, variables)) * np.exp(
        noise * generator.standard_normal(variables["tokens"].size)
    )
    size = variables.get("n_dense", variables.get("n_active"))
    return Rows(
        law=law,
        names=tuple(map(str, range(loss.size))),
        variables=variables,
        loss=loss,
        group=np.arange(loss.size),
        compute=6 * size * variables["tokens"],
        notes=(),
    )


def dense_runs(noise=0.004, seed=0, count=60):
    generator = np.random.default_rng(seed + 1000)
    size, tokens = (np.exp(generator.uniform(*np.log(ends), count)) for ends in ((3e7, 3e9), (1e9, 1e11)))
    return rows_at(CHINCHILLA, {"n_dense": size, "tokens": tokens}, TRUTH, noise, seed)


def test_a_profile_of_squared_errors_is_the_t_interval_where_the_law_is_nearly_linear():
    """Hardly any noise: the objective is quadratic, and the profile interval is estimate ± t·standard error."""
    one = room.fit(dense_runs(noise=1e-5), delta=None)
    found = room.profile(one)
    free = len(one.rows) - 5
    from moeconomics.fit.identify import deviations

    half = float(t_distribution.ppf(0.95, free)) * deviations(one)
    for column, name in enumerate(one.space.names):
        low, high = (one.space.shares([found[name][end] if key == name else one.coefficients[key]
                                       for key in one.space.names])[column] for end in (0, 1))  # fmt: skip
        middle = one.space.shares(list(one.coefficients.values()))[column]
        assert (high - middle) == pytest.approx(half[column], rel=0.05)
        assert (middle - low) == pytest.approx(half[column], rel=0.05)


@pytest.mark.parametrize("delta", [None, 1e-3])
def test_profiles_cover_the_truth_in_about_nine_cases_of_ten(delta):
    """60 data sets x 5 coefficients; 0.9 ± 3 binomial deviations of 60 sets is 0.78 to 1."""
    start = room.fit(dense_runs(), delta=delta)
    hits = dict.fromkeys(TRUTH, 0)
    for seed in range(60):
        one = room.fit_from(start, dense_runs(seed=seed))
        for name, (low, high) in room.profile(one).items():
            hits[name] += (low is None or low <= TRUTH[name]) and (high is None or TRUTH[name] <= high)
    assert all(0.78 <= count / 60 <= 1.0 for count in hits.values()), hits
    assert 0.82 <= sum(hits.values()) / 300 <= 0.97


def test_a_coefficient_that_the_data_does_not_hold_has_an_open_end():
    """One token count: b and beta are one number, so neither closes on both sides."""
    size = np.geomspace(3e7, 3e9, 40)
    rows = rows_at(CHINCHILLA, {"n_dense": size, "tokens": np.full(40, 1e10)}, TRUTH, 0.003, 0)
    found = room.profile(room.fit(rows))
    assert None in found["beta"]
    assert None in found["b"]


def test_one_value_is_left_out_at_a_time(shared_folder, monkeypatch):
    monkeypatch.setenv("MOECONOMICS_DATA", str(shared_folder / "data" / "losses"))
    frame = load_runs("clark2022_routed_final").filter(pl.col("law_family").is_in(["clark2022-s-base"]))
    one = room.fit(room.rows_of(frame, get_law("clark2022-s-base")))
    found = room.holdouts(one, "one-experts")
    experts = one.rows.variables["experts"]
    assert len(found) == np.unique(experts).size
    assert sum(score.n_test for score in found) == len(one.rows)
    assert all(score.n_train + score.n_test == len(one.rows) for score in found)
    for score in found:
        assert score.rmsle_train <= 2 * one.rmsle
        assert score.rmsle_test < 0.05


def test_a_group_without_which_too_few_rows_are_left_is_listed_without_scores():
    size, tokens = np.meshgrid([1e8, 1e9], [1e9, 1e10, 1e11, 3e11])
    rows = rows_at(CHINCHILLA, {"n_dense": size.ravel(), "tokens": tokens.ravel()}, TRUTH, 0.003, 0)
    found = room.holdouts(room.fit(rows), "one-n")
    assert [score.n_train for score in found] == [4, 4]
    assert all(np.isnan(score.rmsle_test) for score in found)


def test_a_kind_of_too_many_values_is_refused():
    with pytest.raises(BadInput, match="60 different values"):
        room.holdouts(room.fit(dense_runs()), "one-n")


def isoflop_runs(width, centre=1.0, noise=0.0, computes=(1e19, 1e20, 1e21), count=9):
    """Runs of the Chinchilla law at fixed compute, sizes from optimum/width to optimum·width, times `centre`."""
    size, tokens = [], []
    for flops in computes:
        factor = (TRUTH["alpha"] * TRUTH["a"] / (TRUTH["beta"] * TRUTH["b"])) ** (1 / (TRUTH["alpha"] + TRUTH["beta"]))
        best = factor * (flops / 6) ** (TRUTH["beta"] / (TRUTH["alpha"] + TRUTH["beta"]))
        sizes = centre * best * np.geomspace(1 / width, width, count)
        size.append(sizes)
        tokens.append(flops / 6 / sizes)
    variables = {"n_dense": np.concatenate(size), "tokens": np.concatenate(tokens)}
    return rows_at(CHINCHILLA, variables, TRUTH, noise, 0)


def analysed(rows):
    one = room.fit(rows)
    return room.isoflop(replace(one, coefficients=dict(TRUTH)), np.random.default_rng(0))


def test_narrow_centred_grids_give_the_exponent_of_the_law():
    """beta/(alpha + beta), the closed form of Hoffmann et al. 2022, Eq. 4."""
    groups = analysed(isoflop_runs(width=2.0))
    assert [group.flops for group in groups] == pytest.approx([1e19, 1e20, 1e21])
    by_method = {one.method: one for one in room.exponents(groups)}
    known = TRUTH["beta"] / (TRUTH["alpha"] + TRUTH["beta"])
    assert by_method["parabola"].a == pytest.approx(known, abs=0.002)
    assert by_method["direct"].a == pytest.approx(known, abs=0.02)
    assert all(abs(group.bias) < 0.01 for group in groups)


def test_a_wide_grid_biases_the_parabola_and_says_by_how_much():
    for group in analysed(isoflop_runs(width=100.0, centre=5.0, count=15)):
        closed_form = group.parabola.n / (
            (TRUTH["alpha"] * TRUTH["a"] / (TRUTH["beta"] * TRUTH["b"])) ** (1 / (TRUTH["alpha"] + TRUTH["beta"]))
            * (group.flops / 6) ** (TRUTH["beta"] / (TRUTH["alpha"] + TRUTH["beta"]))
        )
        assert group.bias == pytest.approx(closed_form - 1, abs=0.01)  # noise-free: the data is the law
        assert group.bias > 0.04


def test_sizes_on_one_side_have_no_minimum():
    for group in analysed(isoflop_runs(width=2.0, centre=20.0)):
        assert np.isnan(group.direct.n)
        assert np.isnan(group.parabola.n)


def test_each_number_of_experts_has_its_own_optima():
    law = get_law("joint2025")
    size, experts = np.meshgrid(np.geomspace(2e8, 4e9, 9), [1.0, 8.0])
    size, experts = np.tile(size.ravel(), 2), np.tile(experts.ravel(), 2)
    flops = np.repeat([3e20, 3e21], size.size // 2)
    variables = {"n_active": size, "experts": experts, "tokens": flops / 6 / size}
    rows = rows_at(law, variables, law.coefficients, 0.0, 0)
    one = replace(room.fit(rows), coefficients=dict(law.coefficients))
    groups = room.isoflop(one, np.random.default_rng(0))
    assert [group.experts for group in groups] == [1.0, 1.0, 8.0, 8.0]
    assert [group.flops for group in groups] == pytest.approx([3e20, 3e21, 3e20, 3e21])


def test_hoffmanns_points_give_the_published_exponent(shared_folder, monkeypatch):
    """Approach 2 published a = 0.49 (10th to 90th percentile 0.462 to 0.534, Table 2)."""
    monkeypatch.setenv("MOECONOMICS_DATA", str(shared_folder / "data" / "losses"))
    frame = load_runs("chinchilla_epoch").filter(pl.col("excluded_by_besiroglu") == 0)
    one = room.fit(room.rows_of(frame, CHINCHILLA))
    groups = room.isoflop(one, np.random.default_rng(0))
    assert len(groups) >= 9
    found = {exponent.method: exponent for exponent in room.exponents(groups)}["parabola"]
    assert 0.462 <= found.a <= 0.534


def test_runs_that_are_no_isoflop_sweep_have_no_groups():
    assert room.isoflop(room.fit(dense_runs()), np.random.default_rng(0)) == []


def test_the_command_shows_all_of_it(run, shared_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("MOECONOMICS_DATA", str(shared_folder / "data" / "losses"))
    words = ["fit", "chinchilla_epoch", "--law", "chinchilla2022", "--bootstrap", "40", "--holdout", "largest-compute"]
    code, out, _ = run(*words, "--json")
    assert code == 0
    answer = json.loads(out)
    assert set(answer["profile_intervals"]) == set(answer["parameters"])
    assert {"groups", "exponents"} == set(answer["isoflop"])
    assert any("biased by" in warning for warning in answer["warnings"])
    code, out, _ = run(*words, "--plot", str(tmp_path))
    assert code == 0
    assert "profile low" in out
    assert "N_opt ~ C^a, parabola" in out
    assert (tmp_path / "isoflop.html").exists()
