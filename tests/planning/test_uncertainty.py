"""A plan with a fitted law carries the law's draws into the choice itself."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from moeconomics.laws import FittedLaw, get_law
from moeconomics.planning import plan

JOINT = get_law("joint2025")


def fitted_file(tmp_path, scatter, noise=0.005, count=60):
    """The joint law as a fitted file whose draws scatter by `scatter` (relative) around it."""
    generator = np.random.default_rng(0)
    draws = [
        {
            name: value * float(np.exp(scatter * generator.standard_normal()))
            for name, value in JOINT.coefficients.items()
        }
        for _ in range(count)
    ]
    file = FittedLaw(
        law="joint2025",
        coefficients=dict(JOINT.coefficients),
        draws=draws,
        noise=noise,
        domain=dict(JOINT.domain),
        data_sha256="0" * 64,
        fit_error="made up for a test",
    )
    path = tmp_path / "law.json"
    path.write_text(file.model_dump_json())
    return str(path)


def test_draws_without_scatter_leave_one_choice_and_intervals_of_no_width(tmp_path):
    made = plan(train_flops=5e21, law=fitted_file(tmp_path, 0.0))
    best = made.recommended
    assert made.uncertainty.chosen[best.experts] == 1.0
    spread = made.uncertainty.spreads[best.rule, best.experts, best.base_experts]
    assert spread.n_active == (best.n_active, best.n_active)
    assert spread.tokens == pytest.approx((best.tokens, best.tokens))
    assert spread.loss == pytest.approx((best.loss, best.loss))
    assert spread.usd_per_mtok_output == pytest.approx((best.usd_per_mtok_output,) * 2)
    assert made.uncertainty.next_runs == ()  # nothing is left to decide


def test_more_scatter_widens_every_interval_of_the_loss_optimal_models(tmp_path):
    little, much = (plan(train_flops=5e21, law=fitted_file(tmp_path, scatter)) for scatter in (0.002, 0.02))
    for key, one in little.uncertainty.spreads.items():
        if key[0] == "loss_optimal":
            other = much.uncertainty.spreads[key]
            assert np.ptp(one.n_active) < np.ptp(other.n_active)
            assert np.ptp(one.tokens) < np.ptp(other.tokens)
            assert np.ptp(one.loss) < np.ptp(other.loss)
            assert np.ptp(one.usd_per_mtok_output) < np.ptp(other.usd_per_mtok_output)


def test_each_draw_chooses_as_a_plan_with_that_draw_alone_would(tmp_path):
    path = fitted_file(tmp_path, 0.02, count=6)
    made = plan(train_flops=5e21, law=path)
    draws = get_law(path).draws
    alone = []
    for row in range(6):
        only = {name: float(values[row]) for name, values in draws.items()}
        file = FittedLaw(
            law="joint2025", coefficients=only, domain={}, data_sha256="0" * 64, fit_error="one draw of a test"
        )
        (tmp_path / f"draw{row}.json").write_text(file.model_dump_json())
        alone.append(plan(train_flops=5e21, law=str(tmp_path / f"draw{row}.json")).recommended.experts)
    for experts, share in made.uncertainty.chosen.items():
        assert share == pytest.approx(alone.count(experts) / 6)


def test_next_runs_are_within_one_percent_of_the_budget_and_narrow_the_question(tmp_path):
    made = plan(train_flops=5e21, law=fitted_file(tmp_path, 0.02))
    runs = made.uncertainty.next_runs
    assert 1 <= len(runs) <= 3
    assert sum(run.train_flops for run in runs) <= 5e19
    assert all(run.deviation_after < run.deviation_before for run in runs)
    assert all(run.train_usd > 0 for run in runs)


def test_a_published_law_has_no_draws_and_says_nothing_of_them(run):
    code, out, _ = run("plan", "--train-flops", "5e21", "--json")
    assert code == 0
    assert json.loads(out)["uncertainty"] is None


def test_the_command_shows_shares_intervals_and_runs(run, tmp_path):
    path = fitted_file(tmp_path, 0.02)
    code, out, _ = run("plan", "--train-flops", "5e21", "--law", path)
    assert code == 0
    assert "Chosen anew for each of the law's draws" in out
    assert "Train next, each given those above it: the serving cost of the 32-expert model" in out
    assert "x its tokens" in out
    assert not re.search(r"\de\+\d+x its tokens", out)
    code, out, _ = run("plan", "--train-flops", "5e21", "--law", path, "--json")
    found = json.loads(out)["uncertainty"]
    assert sum(found["chosen"].values()) == pytest.approx(1.0)
    assert {"rule", "experts", "base_experts", "n_active", "tokens", "loss", "usd_per_mtok_output", "share"} <= set(
        found["intervals"][0]
    )


def test_a_rule_that_no_draw_can_follow_has_no_intervals(run, tmp_path):
    """The only draw loses by experts (ω at its upper end), so no 4-expert model keeps the dense model's loss."""
    worse = dict(JOINT.coefficients) | {"omega": 3.0, "delta": 3.0}
    file = FittedLaw(
        law="joint2025",
        coefficients=dict(JOINT.coefficients),
        draws=[worse],
        domain=dict(JOINT.domain),
        data_sha256="0" * 64,
        fit_error="made up for a test",
    )
    path = tmp_path / "law.json"
    path.write_text(file.model_dump_json())
    made = plan(train_flops=5e21, law=str(path), experts=(1, 4))
    spread = made.uncertainty.spreads["bounded_loss", 4, 1]
    assert spread.share == 0
    assert spread.loss is None
    assert spread.n_active is None
    code, out, _ = run("plan", "--train-flops", "5e21", "--law", str(path), "--experts", "1,4")
    assert code == 0
    assert re.search(r"4 +bounded-loss +dense +n/a +n/a +n/a +n/a +0%", out)


def test_a_law_file_without_noise_proposes_no_runs(tmp_path):
    path = fitted_file(tmp_path, 0.02, noise=None)
    assert replace(get_law(path)).noise is None
    assert plan(train_flops=5e21, law=path).uncertainty.next_runs == ()
