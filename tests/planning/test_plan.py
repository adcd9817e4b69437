"""The plan as a user gets it: the paper's setting, bounds kept on real shapes, constraints, sensitivity."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moeconomics.errors import BadInput, Infeasible
from moeconomics.laws import get_law
from moeconomics.planning import Plan, pareto, plan
from moeconomics.serving import cost
from moeconomics.shapes import counts, n_dense

PAPER = {"train_flops": 5.15e21, "gpu": "A100-SXM-40GB", "max_gpus": 8, "experts": (1, 4, 8, 16, 32)}


@pytest.fixture(scope="module")
def paper() -> Plan:
    return plan(**PAPER)


@pytest.fixture(scope="module")
def by_size() -> Plan:
    return plan(**PAPER, cost_model="size", flop_count="6nd", architecture="yun2024")


def only(made: Plan, rule: str, experts: int, base: int | None = None):
    [found] = [one for one in made.candidates if (one.rule, one.experts, one.base_experts) == (rule, experts, base)]
    return found


def test_every_rule_and_pair_has_its_candidate(paper):
    pairs = {(one.rule, one.experts, one.base_experts) for one in paper.candidates}
    experts = PAPER["experts"]
    expected = {("loss_optimal", number, None) for number in experts}
    expected |= {
        (rule, number, base)
        for rule in ("bounded_loss", "bounded_cost")
        for base in experts
        for number in experts
        if number > base
    }
    assert pairs == expected


def test_the_numbers_of_a_candidate_agree_with_its_shape(paper):
    law = get_law("joint2025")
    for one in paper.candidates:
        group = counts(one.shape)
        assert (one.n_total, one.n_active, one.n_dense) == (group.n_total, group.n_active, n_dense(one.shape))
        assert one.loss == pytest.approx(float(law.loss(one.shape, one.tokens)))
        assert one.train_flops == pytest.approx(6 * one.n_active * one.tokens)
        assert one.train_flops == pytest.approx(5.15e21)
        alone = cost(one.shape, gpu="A100-SXM-40GB", gpus=one.gpus)
        assert one.usd_per_mtok_output == pytest.approx(alone.usd_per_mtok_output)
        assert one.batch == alone.batch


def test_bounds_are_kept_by_the_trainable_models(paper):
    for one in paper.candidates:
        if one.base_experts is not None:
            base = only(paper, "loss_optimal", one.base_experts)
            if one.rule == "bounded_loss":
                assert one.loss <= base.loss
            else:
                assert one.usd_per_mtok_output <= base.usd_per_mtok_output


def test_realised_and_continuous_solutions_agree(paper):
    """Within the ladder's step in size; in price also what whole heads per GPU and whole batches cost."""
    for one in paper.candidates:
        assert one.n_dense == pytest.approx(one.continuous.n_dense, rel=0.05)
        assert one.tokens == pytest.approx(one.continuous.tokens, rel=0.05)
        assert one.loss == pytest.approx(one.continuous.loss, abs=0.002)
        assert one.usd_per_mtok_output == pytest.approx(one.continuous.usd_per_mtok_output, rel=0.1)


def test_the_papers_size_ratios_in_the_near_by_real_setting(by_size):
    """With N_active (not n_dense) in the law and a real vocabulary, near the abstract 0.476, 0.462 and 0.379."""

    def ratio(experts: int, base: int) -> float:
        return only(by_size, "bounded_loss", experts, base).n_total / only(by_size, "loss_optimal", base).n_total

    assert ratio(8, 4) == pytest.approx(0.477, abs=0.03)
    assert ratio(16, 4) == pytest.approx(0.470, abs=0.05)
    # The law reads N_active = 4/3·n_dense of an MoE while 6nd charges n_dense only: cheaper still against dense.
    assert ratio(8, 1) < 0.379


def test_few_experts_cost_more_to_train_at_equal_loss(paper):
    """The paper's trilemma: fewer experts need more training for the loss of more."""
    losses = [only(paper, "loss_optimal", experts).loss for experts in PAPER["experts"]]
    assert np.all(np.diff(losses) < 0)


def test_the_recommendation_is_the_cheapest_at_the_base_quality(paper):
    base = only(paper, "loss_optimal", 4)
    able = [one for one in paper.candidates if one.base_experts == 4 and one.rule == "bounded_loss"]
    assert paper.recommended == min(able, key=lambda one: one.usd_per_mtok_output)
    assert paper.recommended.loss <= base.loss
    share = paper.recommended.usd_per_mtok_output / base.usd_per_mtok_output
    assert f"Against the loss-optimal 4-expert model: {share:.0%} of its serving cost" in paper.advice.comparisons[0]


def test_extrapolation_and_departures_are_marked(paper):
    best = paper.recommended
    assert best.extrapolated
    assert best.extrapolation_log10["tokens"] == pytest.approx(math.log10(best.tokens / 80e9))
    assert any("top-2 routing; joint2025 was fitted on 1" in warning for warning in paper.warnings)
    assert any("price of A100-SXM-40GB is unverified" in warning for warning in paper.warnings)


def test_the_laws_own_architecture_departs_from_nothing():
    made = plan(**PAPER, architecture="joint2025", usd_per_gpu_hour=1.0)
    assert all(not one.departures for one in made.candidates)
    assert not any("unverified" in warning for warning in made.warnings)


def test_pareto_holds_only_models_that_nothing_beats(paper):
    front = paper.pareto.select("train_flops", "usd_per_mtok_output", "loss").to_numpy()
    beaten = (front[None] <= front[:, None]).all(axis=2) & (front[None] < front[:, None]).any(axis=2)
    assert not beaten.any()
    for one in paper.candidates:
        point = np.array([one.train_flops, one.usd_per_mtok_output, one.loss])
        assert not ((point < front * (1 - 1e-9)).all(axis=1)).any(), "a candidate dominates a point of the frontier"


def test_pareto_indices_against_brute_force():
    generator = np.random.default_rng(3)
    x, y = generator.random(300), generator.random(300)
    alive = [i for i in range(300) if not np.any((x <= x[i]) & (y <= y[i]) & ((x < x[i]) | (y < y[i])))]
    assert sorted(pareto(x, y).tolist()) == alive


def test_budgets_in_gpu_hours_and_dollars_are_the_same_question(paper):
    hours = 5.15e21 / (312e12 * 0.4 * 3600)
    by_hours = plan(**{**PAPER, "train_flops": None}, train_gpu_hours=hours)
    by_usd = plan(**{**PAPER, "train_flops": None}, train_usd=hours * 1.00)
    assert by_hours.recommended.n_total == by_usd.recommended.n_total == paper.recommended.n_total
    assert by_hours.recommended.train_usd == pytest.approx(hours * 1.00)


def test_a_lifetime_weighs_training_against_serving():
    short, long = (plan(**PAPER, lifetime_tokens=tokens) for tokens in (1e9, 1e14))
    assert short.recommended.rule == long.recommended.rule == "lifetime"
    assert short.recommended.train_usd < long.recommended.train_usd
    assert short.recommended.usd_per_mtok_output > long.recommended.usd_per_mtok_output
    for made in (short, long):
        best = made.recommended
        served = made.problem.lifetime_tokens / 1e6 * best.usd_per_mtok_output
        assert best.lifetime_usd == pytest.approx(best.train_usd + served)
        assert best.loss == pytest.approx(only(made, "loss_optimal", 4).loss, abs=1e-6)
        # A loss-optimal model of the same quality, its whole budget spent, is never cheaper over the life.
        base = only(made, "loss_optimal", 4)
        assert best.lifetime_usd <= base.lifetime_usd


def test_scarce_data_raises_the_loss_and_the_size(paper):
    scarce = plan(**PAPER, unique_tokens=20e9)
    free, bound = only(paper, "loss_optimal", 8), only(scarce, "loss_optimal", 8)
    assert bound.loss > free.loss
    assert bound.n_dense > free.n_dense
    assert any("repeat their data" in warning for warning in scarce.warnings)


def test_plenty_of_data_changes_nothing(paper):
    assert plan(**PAPER, unique_tokens=1e15).recommended.loss == paper.recommended.loss


def test_memory_binds_on_a_small_card():
    made = plan(train_flops=1e23, gpu="RTX4090", max_gpus=1, usd_per_gpu_hour=0.5)
    largest = 0.9 * 24e9
    for one in made.candidates:
        assert 2 * one.n_total < largest
    assert only(made, "loss_optimal", 8).continuous.n_dense < 5e9


def test_latency_targets_are_met_by_every_candidate():
    made = plan(**PAPER, tpot_ms=20, ttft_ms=500)
    assert all(one.tpot_ms <= 20 and one.ttft_ms <= 500 for one in made.candidates)
    assert any(one.limited_by == "latency target" for one in made.candidates)


def test_an_impossible_target_is_infeasible_by_name():
    with pytest.raises(Infeasible, match=r"TPOT 0\.01 ms") as caught:
        plan(**PAPER, tpot_ms=0.01)
    assert caught.value.binding == "latency target"


def test_sensitivity_asks_the_changed_question(paper):
    [doubled] = [one for one in paper.sensitivity if (one.what, one.value) == ("training budget", "x2")]
    asked = plan(**{**PAPER, "train_flops": 2 * 5.15e21})
    assert doubled.experts == asked.recommended.experts
    assert doubled.usd_per_mtok_output == pytest.approx(asked.recommended.usd_per_mtok_output)
    [priced] = [one for one in paper.sensitivity if (one.what, one.value) == ("serving price", "x2")]
    assert priced.usd_per_mtok_output == pytest.approx(2 * paper.recommended.usd_per_mtok_output)
    assert priced.same_experts


def test_all_laws_answer_or_say_why_not():
    made = plan(**PAPER, law="all")
    answers = {one.value: one for one in made.laws}
    assert answers["joint2025"].same_experts
    assert answers["abnar2025"].experts is not None
    assert "tokens" in answers["clark2022-s-base"].note
    assert "experts" in answers["chinchilla2022"].note
    assert "--law FITTED.json" in answers["yun2024"].note


def test_experts_a_law_can_not_judge_are_left_out_with_the_reason():
    made = plan(**PAPER, law="besiroglu2024")
    assert {one.experts for one in made.candidates} == {1}
    assert made.recommended.rule == "loss_optimal"
    assert sum("left out: besiroglu2024" in warning for warning in made.warnings) == 4


def test_fine_grained_models_are_planned_too():
    made = plan(**{**PAPER, "experts": (1, 64, 128)}, architecture="deepseek")
    assert made.recommended.shape.n_shared_experts == 2
    assert made.recommended.shape.top_k == 6


def test_frame_and_json_hold_the_candidates(paper):
    frame = paper.to_frame()
    assert frame.height == len(paper.candidates)
    answer = paper.as_json()
    keys = {
        "experts", "rule", "base_experts", "n_dense", "n_active", "n_total", "tokens", "train_flops", "loss",
        "usd_per_mtok_output", "gpus", "batch", "tpot_ms", "extrapolated", "shape",
    }  # fmt: skip
    assert all(keys <= set(one) for one in answer["candidates"])
    assert {"inputs", "candidates", "recommended", "pareto", "warnings"} <= set(answer)
    assert answer["recommended"] in answer["candidates"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_flops": 0}, r"train_flops: must be from 1e\+12 to 1e\+30 FLOPs \(given: 0"),
        ({"train_flops": math.nan}, "train_flops: must be from"),
        ({"train_flops": 1e40}, "train_flops: must be from"),
        ({"train_flops": None}, r"give exactly one training budget .*\(given: none\)"),
        ({"train_usd": 100}, r"\(given: train_flops, train_usd\)"),
        ({"experts": ()}, "experts: Tuple should have at least 1 item"),
        ({"experts": (0, 4)}, r"experts\.0: must be from 1 to 4096 experts"),
        ({"base_experts": 5}, "base_experts 5 is not one of experts 1, 4, 8, 16, 32"),
        ({"gpu": "A100"}, "Did you mean 'A100-SXM-"),
        ({"law": "joint2024"}, "Did you mean 'joint2025'"),
        ({"law": "clark2022-s-base"}, "no variable for tokens"),
        ({"law": "yun2024"}, "give a fitted file"),
        ({"architecture": "deepseek", "experts": (1, 4)}, "experts 4: architecture deepseek routes each token to 6"),
        ({"flop_count": "6n"}, "Did you mean '6nd'"),
        ({"mfu": 1.2}, "mfu: must be from 0.01 to 1"),
        ({"price": "list"}, "price: Input should be 'rental', 'tco_neocloud' or 'tco_hyperscaler'"),
        ({"trainflops": 1}, "unknown field 'trainflops'. Did you mean 'train_flops'"),
    ],
)
def test_bad_questions_are_answered_with_what_is_allowed(change, message):
    with pytest.raises(BadInput, match=message):
        plan(**{**PAPER, **change})


@settings(max_examples=15, deadline=None)
@given(budget=st.floats(1e20, 1e24), factor=st.floats(1.5, 10))
def test_a_larger_budget_never_gives_a_worse_loss(budget, factor):
    small, large = (
        plan(**{**PAPER, "train_flops": flops, "gpu": "B200-SXM-180GB"}) for flops in (budget, budget * factor)
    )
    for experts in PAPER["experts"]:
        assert only(large, "loss_optimal", experts).loss < only(small, "loss_optimal", experts).loss


def test_a_fitted_law_with_draws_gives_intervals(tmp_path):
    law = get_law("joint2025")
    generator = np.random.default_rng(0)
    draws = [
        {name: value * (1 + (1e-3 * generator.standard_normal() if name == "c" else 0.0))
         for name, value in law.coefficients.items()}
        for _ in range(200)
    ]  # fmt: skip
    file = tmp_path / "law.json"
    content = {
        "law": "joint2025",
        "coefficients": dict(law.coefficients),
        "draws": draws,
        "domain": {"tokens": [1e9, 1e13]},
        "data_sha256": "0" * 64,
        "fit_error": "made up",
    }
    file.write_text(json.dumps(content), encoding="utf-8")
    best = plan(**PAPER, law=str(file)).recommended
    # Only the constant c = 1.3637 varies: its 5th and 95th percentile shift the loss by 1.645·1e-3·c.
    assert best.loss_high - best.loss_low == pytest.approx(2 * 1.645e-3 * 1.3637, rel=0.15)
    assert best.loss_low < best.loss < best.loss_high


def test_chances_are_those_of_the_draws(tmp_path):
    law = get_law("joint2025")
    # In one draw of four, experts do not help: nothing depends on Ê.
    useless = {**law.coefficients, "delta": 0.0, "gamma": 0.0, "omega": 0.0, "zeta": 0.0}
    content = {
        "law": "joint2025",
        "coefficients": dict(law.coefficients),
        "draws": [dict(law.coefficients)] * 3 + [useless],
        "domain": {"tokens": [1e9, 1e13]},
        "data_sha256": "0" * 64,
        "fit_error": "made up",
    }
    file = tmp_path / "law.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    made = plan(**PAPER, law=str(file))
    assert made.advice.chances["dense"] == 0.75
    assert any("75% of the law's draws (undecided)" in words for words in made.advice.comparisons)
    assert plan(**PAPER).advice.chances == {"base": None, "dense": None, "own_optimum": None, "next_best": None}


def test_what_serving_forbids_is_said():
    made = plan(train_flops=1e24, gpu="RTX4090", max_gpus=1, usd_per_gpu_hour=0.5, unique_tokens=1e11)
    assert any("memory binds for E = 8" in warning for warning in made.warnings)
    assert any("data (" in binding for binding in made.advice.binds)


@pytest.mark.parametrize("budget", [1e17, 1e28, 1e30])
def test_budgets_at_the_ends_are_answered(budget):
    made = plan(**{**PAPER, "train_flops": budget, "gpu": "B200-SXM-180GB"})
    assert math.isfinite(made.recommended.loss)
