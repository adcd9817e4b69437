"""The CPU study's own scale, measured profiles as a cost model, and verdicts within the serving model's error band."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from moeconomics.errors import BadInput
from moeconomics.fit import sha256_of
from moeconomics.laws import FittedLaw, get_law
from moeconomics.reproduction import (
    AGREES,
    CLAIMS,
    CPU,
    PAPER,
    UNDECIDED,
    Abstract,
    Profiled,
    Question,
    asked_laws,
    cpu_joint2025,
    reproduce,
    verdict_of,
)
from moeconomics.reproduction.measures import cheapest, loss_optimal_of_dense, rival
from moeconomics.reproduction.reproduce import TINY
from moeconomics.runs import read_runs

STUDIES = Path(__file__).parents[2] / "studies"
CLAIM = {claim.name: claim for claim in CLAIMS}
PROFILE = STUDIES / "cpu-vllm-profile" / "profile.parquet"


@pytest.fixture(scope="module")
def measured():
    return Profiled(path=PROFILE)


@pytest.fixture(scope="module")
def tiny():
    """A law of the study without its draws: its own coefficients, and a tenth of the time."""
    return replace(cpu_joint2025(), draws=None)


@pytest.fixture(scope="module")
def findings():
    return reproduce(["cpu-study-joint2025", "joint2025"], settings=(), scales=(CPU,))


def test_the_second_form_is_fitted_to_the_studys_rows():
    """Coefficients as studies/cpu-python-stdlib/README.md prints them."""
    law, file = cpu_joint2025(), STUDIES.parent / "src/moeconomics/reproduction/cpu_study_joint2025.json"
    runs = read_runs(STUDIES / "cpu-python-stdlib" / "runs" / "runs.csv")
    assert FittedLaw.model_validate_json(file.read_text(encoding="utf-8")).data_sha256 == sha256_of(runs)
    page = (STUDIES / "cpu-python-stdlib" / "README.md").read_text(encoding="utf-8").split("### `joint2025`")[1]
    for name in ("a", "alpha", "beta", "omega", "c"):
        [row] = [line for line in page.splitlines() if line.startswith(f"| {name} |")]
        assert law.coefficients[name] == pytest.approx(float(row.split("|")[2]), rel=2e-3)


def test_a_law_is_asked_where_its_data_are():
    assert CPU.has(get_law("cpu-study"))
    assert CPU.has(cpu_joint2025())
    for name in ("joint2025", "abnar2025", "zhao2025", "yun2024-reconstructed"):
        assert not CPU.has(get_law(name))
        assert PAPER.has(get_law(name))


def test_all_and_a_name_can_be_asked_together():
    names = [law.name for law in asked_laws(["all", "cpu-study-joint2025"])]
    assert len(names) == len(set(names)) == len(asked_laws())
    assert [law.name for law in asked_laws(["cpu-study-joint2025"])] == ["cpu-study-joint2025"]


def test_absolute_sizes_and_32_experts_stay_undecided_at_the_studys_scale(findings):
    assert {one.law for one in findings} == {None, "cpu-study-joint2025"}
    assert {one.scale for one in findings} == {"cpu-study"}
    assert CLAIM["cost-8-over-4"].unasked(CPU) is None
    for name, reason in (("dense-optimum-small", "absolute size"), ("flops-4-over-32", "of 32 experts")):
        said = [one for one in findings if one.claim is CLAIM[name]]
        assert said
        assert all(one.verdict == UNDECIDED and one.ours is None and reason in one.reason for one in said)
        assert CLAIM[name].unasked(PAPER) is None


def test_a_ratio_is_asked_at_every_budget_of_the_study(tiny):
    question = Question(tiny, Abstract(sizes=TINY), "6nd", CPU)
    assert CLAIM["flops-16-over-4"].values(question).shape == (1, len(CPU.budgets))
    flops = question.flops_for(question.optimal_loss(4), 16)
    reached = question.trade.loss_under(flops, question.optimum_at(flops, 16), question.case(16))
    assert reached == pytest.approx(question.optimal_loss(4), rel=1e-4)


def test_a_profile_prices_the_models_that_were_measured(measured):
    """USD per million tokens of 8 experts over dense, as studies/cpu-vllm-profile/README.md prints them."""
    widths = np.array([128.0, 256.0, 768.0])
    ratio = measured.cost(widths, np.array(8)) / measured.cost(widths, np.array(1))
    assert ratio == pytest.approx(np.array([0.00692 / 0.00522, 0.0177 / 0.0119, 0.115 / 0.0622]), rel=0.01)
    assert 1 < measured.spread < 2


def test_a_profile_follows_the_measured_shapes(measured):
    assert measured.n_total(np.array([128.0, 768.0]), np.array(16)) == pytest.approx([5.39e6, 343e6], rel=2e-3)
    assert measured.shape(np.array(181.0), np.array(1)).n_layers == pytest.approx(4.9, abs=0.1)  # between 4 and 6


def test_what_was_not_measured_has_no_price_and_no_verdict(measured, tiny):
    question = Question(tiny, measured, "6nd", CPU)
    assert np.isnan(question.cost(np.array([[64.0, 1000.0]]), 8)).all()
    assert np.isfinite(question.cost(np.array([[200.0]]), 8)).all()
    assert np.isnan(CLAIM["cost-8-over-4"].values(question)).any(), "its smallest model has 1.3M parameters"
    assert np.isnan(CLAIM["cheapest-over-trained"].values(question)).any(), "no choice among those that happen to fit"


def test_a_file_that_is_no_profile_is_refused(tmp_path):
    with pytest.raises(BadInput, match="moeconomics profile"):
        reproduce(["joint2025"], profiles=[tmp_path / "missing.parquet"])


@pytest.mark.parametrize(
    ("claim", "value", "spread", "survives"),
    [
        ("about-half-or-less", 0.2, 2.0, True),
        ("about-half-or-less", 0.4, 2.0, False),
        ("about-half-or-less", 1.0, 2.0, False),  # differs, and would agree at half
        ("about-half-or-less", 1.5, 2.0, True),
        ("over-trained-16-saves", 0.45, 2.0, True),
        ("over-trained-16-saves", 0.55, 2.0, False),
        ("cost-8-over-4", 0.49, 2.0, False),
        ("cost-8-over-4", 0.10, 2.0, True),
        ("cost-8-over-4", 0.49, None, None),
        ("flops-16-over-4", 0.30, 2.0, None),  # no cost enters
        ("bounded-cost-8-over-4", 0.60, 2.0, None),  # a size
    ],
)
def test_a_verdict_survives_where_both_ends_of_the_band_say_it(claim, value, spread, survives):
    question = SimpleNamespace(setting=SimpleNamespace(spread=spread))
    assert CLAIM[claim].survives(question, np.array([[value]])) is survives


def test_the_rival_of_a_choice_is_below_one_where_the_claim_holds():
    question = Question(get_law("joint2025"), Abstract(), "6nd-active")
    chosen = cheapest(loss_optimal_of_dense)(question)
    ranges = ((1, 1), (4, 8), (16, 32))
    below = np.stack([rival(loss_optimal_of_dense, *ends)(question) <= 1 for ends in ranges])
    assert (below == np.stack([(chosen >= low) & (chosen <= high) for low, high in ranges])).all()
    assert (below.sum(axis=0) == 1).all()


def test_a_draw_without_an_answer_says_nothing():
    values = np.array([[0.5], *[[0.5]] * 19, [np.nan]])
    assert verdict_of(CLAIM["cost-8-over-4"], values)[0] == AGREES
    assert verdict_of(CLAIM["cost-8-over-4"], np.append(values, [[np.nan]], axis=0))[0] == UNDECIDED
    differs = np.array([[0.9], *[[np.nan]] * 20])
    assert verdict_of(CLAIM["cost-8-over-4"], differs)[0] == UNDECIDED


def test_the_findings_say_their_scale_and_band(findings):
    said = findings[0].to_dict()
    assert {"scale", "ours_band", "survives_band"} <= said.keys()
    assert all(one.survives is None for one in findings), "cost proportional to size has no band"


def test_a_missing_profile_is_answered_in_words(run):
    code, out, error = run("reproduce", "--law", "cpu-study", "--profile", "missing.parquet")
    assert code == 2
    assert "profile missing.parquet" in error
    assert not out
