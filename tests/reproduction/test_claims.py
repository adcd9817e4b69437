"""The claims of the paper: known answers, verdicts that can fail, sentences that follow from the table."""

from dataclasses import replace

import numpy as np
import pytest

from moeconomics.laws import JOINT2025, get_law
from moeconomics.reproduction import (
    AGREES,
    BUDGETS,
    CLAIMS,
    DIFFERS,
    EXPERTS,
    PAPER,
    UNDECIDED,
    Abstract,
    Question,
    Shaped,
    markdown,
    reproduce,
    summarise,
    tables_by_factor,
    verdict_of,
)
from moeconomics.reproduction.question import crossing
from moeconomics.reproduction.summary import DEPENDS, FAILS, HOLDS, OPEN

CLAIM = {claim.name: claim for claim in CLAIMS}
H100 = Shaped(cost_model="operator", gpu="H100-SXM-80GB")


@pytest.fixture(scope="module")
def findings():
    laws = ["joint2025", "abnar2025", "yun2024-reconstructed", "cpu-study", "chinchilla2022", "yun2024"]
    return reproduce(laws, (Abstract(), H100), scales=(PAPER,))


@pytest.fixture(scope="module")
def abstract():
    return Question(JOINT2025, Abstract(), "6nd")


def found(findings, claim, law="joint2025", setting="size", count="6nd"):
    [one] = [
        one
        for one in findings
        if (one.claim.name, one.law, one.count) == (claim, law, count) and one.setting in (None, setting)
    ]
    return one


@pytest.mark.parametrize(
    ("claim", "low", "high", "verdict"),
    [
        ("cost-8-over-4", 0.476, 0.478, AGREES),
        ("cost-16-over-4", 0.472, 0.478, AGREES),
        ("cost-8-over-dense", 0.384, 0.386, AGREES),
        ("flops-16-over-4", 0.593, 0.604, DIFFERS),
        ("over-trained-16-saves", 0.462, 0.478, AGREES),
    ],
)
def test_joint2025_in_the_papers_setting(findings, claim, low, high, verdict):
    """The figures of tests/planning/test_continuous.py, and the FLOP ratio near 60 %."""
    one = found(findings, claim)
    assert one.ours == pytest.approx((low, high), abs=0.0015)
    assert one.verdict == verdict


def test_equal_loss_is_reached_with_the_flops_that_are_said(abstract):
    """Training a 16-expert model with `flops_for` gives the 4-expert one's loss, found another way."""
    flops = abstract.flops_for(abstract.optimal_loss(4), 16)
    size = abstract.optimum_at(flops, 16)
    reached = abstract.trade.loss_under(flops, size, abstract.case(16))
    assert reached == pytest.approx(abstract.optimal_loss(4), rel=1e-5)


def test_bounds_are_kept_on_real_shapes():
    question = Question(JOINT2025, H100, "6nd-active")
    assert question.loss(question.same_loss(8, 4), 8) == pytest.approx(question.optimal_loss(4), rel=1e-9)
    assert np.all(question.cost(question.same_cost(8, 4), 8) <= question.base_cost(4) * (1 + 1e-6))
    assert np.all(question.loss(question.same_cost(8, 4), 8) < question.optimal_loss(4))


def test_the_cost_table_is_the_cost_model():
    from moeconomics.serving import cheapest, make_cost_model
    from moeconomics.shapes import get_architecture, relaxed

    deployment = H100.deployment
    widths = np.array([1500.0, 3000.0, 4500.0])
    shape = relaxed(get_architecture("yun2024"), widths, 8, 50_304)
    asked = cheapest(make_cost_model("operator", deployment), shape, deployment.gpus).usd_per_token_output
    assert H100.cost(widths, np.array(8)) == pytest.approx(asked, rel=0.01)
    assert np.isnan(H100.cost(np.array([np.nan]), np.array(8))[0])
    assert np.isinf(H100.cost(np.array([30_000.0]), np.array(32))[0]), "2.4T parameters fit on no eight GPUs"


def test_draws_are_solved_as_laws_of_their_own():
    law = get_law("yun2024-reconstructed")
    both = Question(law, Abstract(), "6nd-active").same_loss(8, 1)
    second = {name: float(values[0]) for name, values in law.draws.items()}
    alone = Question(replace(law, coefficients=second, draws=None), Abstract(), "6nd-active").same_loss(8, 1)
    assert both[1] == pytest.approx(alone[0], rel=1e-6)
    assert both[0] != pytest.approx(both[1], rel=1e-3)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([[0.48, 0.50, 0.51]], AGREES),
        ([[0.48, 0.50, 0.55]], AGREES),  # the tolerance is 10 %
        ([[0.48, 0.50, 0.57]], DIFFERS),
        ([[0.42, 0.50, 0.51]], DIFFERS),
        ([[0.5], *[[0.5]] * 19, [0.9]], AGREES),  # 95 % of the draws
        ([[0.5], *[[0.5]] * 18, [0.9], [0.9]], UNDECIDED),
        ([[0.9], *[[0.9]] * 18, [0.5], [0.5]], UNDECIDED),
        ([[0.9], *[[0.9]] * 20], DIFFERS),
    ],
)
def test_a_verdict_is_of_every_budget_and_most_draws(values, verdict):
    assert verdict_of(CLAIM["cost-8-over-4"], np.array(values))[0] == verdict


@pytest.mark.parametrize(("value", "verdict"), [(0.999, AGREES), (1.001, DIFFERS)])
def test_a_conclusion_in_words_has_no_tolerance(value, verdict):
    assert verdict_of(CLAIM["over-trained-16-saves"], np.array([[value]]))[0] == verdict


@pytest.mark.parametrize(
    ("law", "reason"),
    [
        ("cpu-study", "decades outside the data of cpu-study"),
        ("chinchilla2022", "no variable for experts"),
        ("yun2024", "printed no coefficients"),
    ],
)
def test_a_law_that_can_not_know_gives_a_reason_and_no_number(findings, law, reason):
    said = [one for one in findings if one.law == law and not one.claim.dense]
    assert said
    for one in said:
        assert one.verdict == UNDECIDED
        assert one.ours is None
        assert reason in one.reason


def test_a_dense_law_answers_for_dense_models(findings):
    assert found(findings, "dense-optimum-small", law="chinchilla2022").ours[0] == pytest.approx(2.56e9, rel=0.01)


def test_an_unknown_range_is_said(findings):
    """Abnar et al. state no sizes and tokens: no distance is not "inside"."""
    assert found(findings, "cost-8-over-4", law="abnar2025").unknown_domain == ("n_total", "tokens")
    assert found(findings, "cost-8-over-4").unknown_domain == ()
    assert found(findings, "cost-8-over-4").extrapolation["tokens"] > 1


def test_what_costs_as_its_size_does_not_know_its_chip(findings):
    slope = [one for one in findings if one.claim.name == "cost-linear-in-size"]
    assert [one.setting for one in slope] == ["size", H100.name]
    assert slope[0].ours == pytest.approx((1.0, 1.0))
    assert slope[0].law is None


def test_summaries_follow_from_the_table(findings):
    summaries = {one.claim.name: one for one in summarise(findings)}
    for one in summaries.values():
        counted = [f for f in findings if f.claim is one.claim and f.law != "yun2024-reconstructed"]
        assert one.agree + one.differ + one.undecided == len(counted)
        agree = {HOLDS: one.differ == 0 < one.agree, FAILS: one.agree == 0 < one.differ, OPEN: one.ours is None}
        assert agree.get(one.standing, one.agree > 0 < one.differ)
        for parts in one.parts.values():  # each factor parts the same combinations
            assert sum(part.agree for part in parts.values()) == one.agree
            assert sum(part.decided for part in parts.values()) == one.agree + one.differ
    assert summaries["over-trained-16-saves"].standing == HOLDS
    assert summaries["cost-32-over-16"].standing == DEPENDS
    assert f"the cost model decides: it agrees with size and differs with {H100.name}" in (
        summaries["cost-32-over-16"].sentence
    )
    tables = tables_by_factor(list(summaries.values()))
    columns, rows = tables["By law"]
    told = dict(zip(columns, next(row for row in rows if row[0] == "flops-16-over-4"), strict=True))
    assert told["joint2025"] == f"{summaries['flops-16-over-4'].parts['law']['joint2025'].ours} (0 of 2)"
    assert "dense-optimum-small" not in {row[0] for row in rows}
    page = markdown(findings)
    assert all(f"`{name}`" in page and one.sentence in page for name, one in summaries.items())


def test_crossing_is_linear_between_points_and_unknown_outside():
    x, falling = np.array([0.0, 1.0, 2.0]), np.array([[4.0, 2.0, 1.0]])
    assert crossing(x, falling, np.array([[3.0, 1.5, 0.5, 9.0]])) == pytest.approx(
        np.array([[0.5, 1.5, np.nan, np.nan]]), nan_ok=True
    )


def test_every_claim_is_of_known_budgets_and_named_once():
    assert len(CLAIM) == len(CLAIMS)
    assert all(set(claim.budgets) <= set(BUDGETS) for claim in CLAIMS)
    assert EXPERTS == (1, 4, 8, 16, 32)
