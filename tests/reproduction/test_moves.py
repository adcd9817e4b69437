"""How the headlines move: fine-grained models of equal active size, granularity alone, and their tables."""

from dataclasses import replace

import numpy as np
import pytest

from moeconomics.laws import get_law
from moeconomics.reproduction import Shaped, granularity_alone, how_they_move
from moeconomics.reproduction.moves import ARCHITECTURES, FORMATS, GRAINS, Grained
from moeconomics.shapes import counts

BY_NAME = {one.name: one for one in ARCHITECTURES}
H100 = {"cost_model": "operator", "gpu": "H100-SXM-80GB"}
WIDTH, EIGHT = np.array(4096.0), np.array(8)


@pytest.fixture(scope="module")
def moves():
    return how_they_move([get_law("joint2025")])


@pytest.fixture(scope="module")
def grains():
    return granularity_alone([get_law("krajewski2024-e16"), get_law("joint2025")])


@pytest.mark.parametrize("name", ["fine-grained", "fine-grained, shared"])
def test_fine_grained_models_have_the_active_size_of_the_coarse_one(name):
    coarse, fine = (
        counts(Shaped(**H100, architecture=BY_NAME[one]).shape(WIDTH, EIGHT)) for one in ("joint2025", name)
    )
    routers = fine.router - coarse.router
    assert routers > 0
    assert fine.n_active - coarse.n_active == pytest.approx(routers, rel=1e-9)
    shared = 2 / 8 if "shared" in name else 0.0  # in units of a full-width expert, beside the eight routed ones
    assert fine.routed_experts + fine.shared_experts == pytest.approx(
        coarse.routed_experts * (1 + shared / 8), rel=1e-9
    )


def test_the_law_sees_full_width_experts_whatever_the_granularity():
    setting = Shaped(**H100, architecture=BY_NAME["fine-grained"])
    seen = setting.variables(("experts", "granularity"), WIDTH, EIGHT, np.array(1e11), "6nd")
    assert (seen["experts"], seen["granularity"]) == (8, 8)
    alone = Grained(**H100, architecture=BY_NAME["joint2025"], experts=16)
    seen = alone.variables(("experts", "granularity"), WIDTH, np.array(GRAINS), np.array(1e11), "6nd")
    assert seen["experts"] == pytest.approx(16)
    assert seen["granularity"] == pytest.approx(np.array([1, 2, 4, 8, 16]))


def test_the_papers_architecture_moves_from_chip_to_chip(moves):
    """The first is the claim's own number at 5.15e21 FLOPs, of tests/reproduction/test_claims.py's setting."""
    own = {(one.gpu, one.weights): one for one in moves if one.architecture == "yun2024"}
    assert len(moves) == len(ARCHITECTURES) * len(FORMATS)
    assert own["A100-SXM-40GB", "bf16"].cost_8_over_4 == pytest.approx(0.295, abs=0.002)
    assert own["A100-SXM-40GB", "bf16"].cost_16_over_4 == pytest.approx(0.176, abs=0.002)
    assert own["A100-SXM-40GB", "bf16"].cost_8_over_4 < own["B200-SXM-180GB", "nvfp4"].cost_8_over_4 < 1
    for one in own.values():
        assert one.cheapest in one.not_excluded
        assert one.saves_in_band == (max(one.cost_8_over_4, one.cost_16_over_4) * one.spread <= 1)


def test_an_excluded_number_of_experts_costs_more_than_the_band_allows(moves):
    """Without a band only the cheapest is left."""
    assert any(len(one.not_excluded) < 4 for one in moves)
    assert all(one.spread > 1 for one in moves)


def test_granularity_lowers_the_flops_and_the_cost_of_a_loss(grains):
    assert {one.law for one in grains} == {"krajewski2024-e16"}
    flops = {one.granularity: one.flops for one in grains if one.gpu == "A100-SXM-40GB"}
    assert list(flops) == list(GRAINS[1:])
    assert 1 > flops[2] > flops[4] > flops[8] > flops[16] > 0.5
    assert flops[8] == pytest.approx(0.679, abs=0.005)
    assert all(0 < one.cost < 1 for one in grains)


def test_a_base_that_does_not_fit_has_no_ratio():
    found = granularity_alone([get_law("krajewski2024-e64")])
    on = {(one.gpu, one.weights): one for one in found if one.granularity == 8}
    assert on["A100-SXM-40GB", "bf16"].cost is None
    assert on["B200-SXM-180GB", "fp8"].cost < 1


def test_a_law_that_is_not_asked_for_is_not_told(moves):
    assert {one.law for one in moves} == {"joint2025"}
    assert how_they_move([replace(get_law("joint2025"), name="mine")]) == []
