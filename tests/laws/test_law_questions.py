"""What a law says of a model besides its loss: refusals, intervals, extrapolation, departures, variables."""

import math
from dataclasses import replace

import numpy as np
import pytest

from moeconomics.errors import BadInput
from moeconomics.laws import DEFAULT_LAW, get_law, published_laws
from moeconomics.laws.variables import VARIABLES
from moeconomics.shapes import GroupedQuery, Layers, ModelShape, counts, get_architecture, realise

DENSE_LAWS = [
    "kaplan2020", "chinchilla2022", "chinchilla2022-unrounded", "besiroglu2024", "frantar2023",
    "muennighoff2023", "gadre2024-c4", "gadre2024-redpajama", "gadre2024-refinedweb",
]  # fmt: skip
DENSE = realise(get_architecture("joint2025"), 1e9, 1, 50257)
MOE = realise(get_architecture("joint2025"), 1e9, 8, 50257)
DEEPSEEK = realise(get_architecture("deepseek"), 1e9, 64, 50257)


# Refusals.


@pytest.mark.parametrize("law_name", DENSE_LAWS)
def test_dense_law_refuses_experts(law_name):
    law = get_law(law_name)
    assert law.refusal(DENSE, 2e10) is None
    assert law.refusal(MOE, 2e10) == f"{law_name} has no variable for experts: all its data has experts = 1"
    with pytest.raises(BadInput, match="no variable for experts"):
        law.predict(MOE, 2e10)


@pytest.mark.parametrize("law_name", DENSE_LAWS)
def test_dense_law_refuses_experts_that_add_up_to_one_ffn(law_name):
    """Eight experts of 1/8 the width, six a token: E = 1 in full widths, and still no dense model."""
    shape = replace(MOE, d_expert=MOE.d_ff / 8, top_k=6)
    assert float(VARIABLES["experts"].of(shape, 0)) == 1
    assert "expert_share" in get_law(law_name).refusal(shape, 2e10)


@pytest.mark.parametrize("router", ["s-base", "rl-r", "hash"])
def test_clark_refuses_other_tokens_with_the_reason(router):
    law = get_law(f"clark2022-{router}")
    assert math.isfinite(law.predict(MOE, 130e9).loss)
    reason = f"clark2022-{router} has no variable for tokens: all its data has tokens = 1.3e+11"
    assert law.refusal(MOE, 100e9) == reason
    assert law.refusal(MOE, np.array([130e9, 131e9])) == reason
    with pytest.raises(BadInput, match="no variable for tokens"):
        law.loss(MOE, 100e9)


@pytest.mark.parametrize(("law_name", "experts"), [("krajewski2024-e64", 64), ("krajewski2024-e16", 16)])
def test_krajewski_answers_its_own_expansion_rate_only(law_name, experts):
    law = get_law(law_name)
    shape = replace(MOE, n_experts=experts)
    assert law.refusal(shape, 2e10) is None
    finer = replace(shape, d_expert=MOE.d_ff / 4, n_experts=4 * experts, top_k=4)
    assert law.refusal(finer, 2e10) is None
    assert float(law.loss(finer, 2e10)) < float(law.loss(shape, 2e10))
    for other in (DENSE, MOE, replace(MOE, n_experts=32)):
        assert "experts" in law.refusal(other, 2e10)


def test_yun2024_has_no_coefficients_of_its_own():
    law = get_law("yun2024")
    assert set(law.coefficients.values()) == {None}
    assert len(law.coefficients) == 10
    with pytest.raises(BadInput, match=r"printed no coefficients; give a fitted file"):
        law.loss(MOE, 2e10)


def test_ling2025_refuses_a_loss():
    with pytest.raises(BadInput, match="predicts efficiency leverage over a dense model, not a loss"):
        get_law("ling2025").loss(MOE, 2e10)


@pytest.mark.parametrize(
    ("given", "nearest"),
    [("joint2024", "joint2025"), ("chinchila2022", "chinchilla2022"), ("clark2022-sbase", "clark2022-s-base")],
)
def test_unknown_law_names_the_nearest(given, nearest):
    with pytest.raises(BadInput, match=f"unknown law '{given}'. Did you mean '{nearest}'"):
        get_law(given)


def test_unknown_law_without_a_near_one_lists_all():
    with pytest.raises(BadInput) as error:
        get_law("???")
    assert "Did you mean" not in str(error.value)
    assert all(name in str(error.value) for name in published_laws())


def test_names():
    laws = published_laws()
    assert DEFAULT_LAW in laws
    assert all(name == law.name for name, law in laws.items())


@pytest.mark.parametrize("law", published_laws().values(), ids=list(published_laws()))
def test_every_law_says_what_it_is_in_known_variables(law):
    assert set(law.variables) | set(law.fixed) <= set(VARIABLES)
    assert set(law.domain) <= set(VARIABLES)
    assert "arXiv" in law.source
    assert law.fit_error


# Intervals and distance from the data.


def test_published_law_has_no_interval_and_says_why():
    found = get_law("joint2025").predict(MOE, 2e10)
    assert (found.low, found.high) == (None, None)
    assert found.no_interval_because == "no draws published (RMSE 0.0062 on the fit, 0.0039 on 30 held-out runs)"
    assert not found.extrapolated


def test_extrapolation_is_the_distance_in_log10():
    law = get_law("joint2025")
    large = realise(get_architecture("joint2025"), 27e9, 128, 50257)
    far = law.predict(large, 800e9).extrapolation
    assert far == pytest.approx(
        {"n_active": math.log10(int(counts(large).n_active) / 2.7e9), "experts": math.log10(4), "tokens": 1.0},
        abs=1e-12,
    )
    active = int(counts(MOE).n_active)
    assert law.predict(MOE, 0.5e7).extrapolation == pytest.approx(
        {"tokens": 2.0, "tokens_per_active": math.log10(active / 0.5e7)}, abs=1e-12
    )
    assert law.predict(MOE, 500 * active).extrapolation["tokens_per_active"] == pytest.approx(math.log10(500 / 400))
    assert law.predict(MOE, 80e9).extrapolation == {}


def test_domain_with_an_upper_end_only():
    law = get_law("zhao2025")
    assert law.predict(MOE, 1e3).extrapolation == {}
    assert law.predict(MOE, 1e12).extrapolation == pytest.approx({"tokens": 1.0}, abs=1e-12)


# Departures of the architecture.


def test_departures_in_words():
    assert get_law("joint2025").predict(MOE, 2e10).departures == ()
    assert get_law("joint2025").predict(DEEPSEEK, 2e10).departures == (
        "top-6 routing; joint2025 was fitted on 1",
        "granularity 8; joint2025 was fitted on 1",
        "2 shared experts; joint2025 was fitted on 0",
    )


@pytest.mark.parametrize(
    ("law_name", "tokens", "words"),
    [
        ("clark2022-hash", 130e9, ("an MoE layer every 1 layers; clark2022-hash was fitted on 2",)),
        ("abnar2025", 2e10, ()),
    ],
)
def test_departures_of_switch_layers(law_name, tokens, words):
    assert get_law(law_name).predict(MOE, tokens).departures == words


def test_departures_name_every_value_the_law_was_fitted_on():
    shape = replace(MOE, n_experts=64 * 3, d_expert=MOE.d_ff / 3, top_k=3)
    (words,) = get_law("krajewski2024-e64").predict(shape, 2e10).departures
    assert words == "granularity 3; krajewski2024-e64 was fitted on 1 or 2 or 4 or 8 or 16"


def test_dense_model_departs_from_nothing():
    assert get_law("joint2025").predict(DENSE, 2e10).departures == ()


# Variables: what of a shape each law sees.

SMALL = ModelShape(
    vocab_size=1000, d_model=64, n_layers=4, d_ff=256, d_expert=32, n_experts=30, top_k=4, n_shared_experts=2,
    d_shared=32, moe_layers=Layers(every=2), attention=GroupedQuery(n_heads=4, n_kv_heads=4, head_dim=16),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("activation_ratio", 6 / 32),
        ("ling_granularity", 4.0),
        ("activated_experts", 6.0),
        ("shared_share", 1 / 3),
        ("expert_share", 4 / 30),
        ("granularity", 8.0),
        ("experts", 30 / 8),
        ("weight_sparsity", 0.0),
        ("tokens", 7e9),
        ("unique_tokens", 7e9),
        # 4 layers of 4·64² attention and 2·64 norms, a last norm, 2 FFNs of 3·64·256, and in 2 layers
        # 6 experts of 3·64·32 with a router of 64·30
        (
            "train_flops_non_embedding",
            6 * 7e9 * (4 * (4 * 64**2 + 128) + 64 + 2 * 3 * 64 * 256 + 2 * (6 * 3 * 64 * 32 + 64 * 30)),
        ),
        ("n_nonzero", 2 * 64000 + 4 * (4 * 64**2 + 128) + 64 + 98304 + 2 * (32 * 6144 + 1920)),
        ("n_total_non_embedding", 4 * (4 * 64**2 + 128) + 64 + 98304 + 2 * 32 * 6144),
    ],
)
def test_variable_of_a_shape(name, expected):
    assert float(VARIABLES[name].of(SMALL, 7e9)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("activation_ratio", 1.0), ("ling_granularity", 0.5), ("experts", 1.0), ("granularity", 1.0)],
)
def test_variable_of_the_dense_counterpart(name, expected):
    assert float(VARIABLES[name].of(SMALL.dense_counterpart(), 7e9)) == expected


@pytest.mark.parametrize("law", published_laws().values(), ids=list(published_laws()))
def test_embeddings_count_where_the_law_says_so(law):
    """A larger vocabulary changes N only in laws whose N includes embeddings."""
    with_embeddings = {"n_dense", "n_total", "n_active", "n_nonzero"} & set(law.variables)
    before, after = (
        {name: float(value) for name, value in law.values(replace(MOE, vocab_size=vocabulary), 2e10).items()}
        for vocabulary in (50257, 100000)
    )
    assert {name for name in before if before[name] != after[name]} == with_embeddings
    excluded = ("kaplan", "clark", "krajewski", "yun", "ling")
    assert bool(with_embeddings) != law.name.startswith(excluded)
