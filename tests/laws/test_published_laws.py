"""Published laws give the numbers their papers (or recomputations of them) print, and behave as loss laws do.

Sources are in each module of `moeconomics.laws`; every number here is of a paper or of a public data set.
"""

import math

import array_api_strict as xp
import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from moeconomics.laws import get_law, published_laws, repeated
from moeconomics.laws.saturating import saturating_experts
from moeconomics.shapes import get_architecture, pick, relaxed

LAWS = published_laws()
LOSS_LAWS = sorted(name for name, law in LAWS.items() if law.predicts == "loss" and name != "yun2024")
YUN_MADE_UP = {
    "a": 400.0, "b": 0.3, "c": 800.0, "f": 1.2, "alpha": 0.33, "beta": 0.6, "gamma": 0.31,
    "d": 1e-4, "e_start": 2.0, "e_max": 300.0,
}  # fmt: skip


def loss(law_name, coefficients=None, **variables):
    """The law's formula at its own variables."""
    law = get_law(law_name)
    return law.loss_of(coefficients or law.coefficients, variables)


def minimum(function, low, high):
    """Argument and value of the least of a unimodal function, searched over the logarithm."""
    found = minimize_scalar(
        lambda x: float(function(math.exp(x))),
        bounds=(math.log(low), math.log(high)),
        method="bounded",
        options={"xatol": 1e-7},
    )
    return math.exp(found.x), found.fun


@pytest.mark.parametrize(
    ("law_name", "variables", "expected"),
    [
        ("kaplan2020", {"n_dense_non_embedding": 1e9, "tokens": 2e10}, "2.37388"),
        ("chinchilla2022", {"n_dense": 70e9, "tokens": 1.4e12}, "1.93665"),
        ("chinchilla2022-unrounded", {"n_dense": 70e9, "tokens": 1.4e12}, "1.92084"),
        ("besiroglu2024", {"n_dense": 70e9, "tokens": 1.4e12}, "1.97388"),
        ("clark2022-s-base", {"n_dense_non_embedding": 1e8, "experts": 64.0}, "2.43053"),
        ("clark2022-s-base", {"n_dense_non_embedding": 1e9, "experts": 1.0}, "2.285"),
        ("joint2025", {"n_active": 1e9, "tokens": 2e10, "experts": 1.0}, "2.57760"),
        ("joint2025", {"n_active": 1e9, "tokens": 2e10, "experts": 8.0}, "2.50878"),
        ("joint2025", {"n_active": 1e9, "tokens": 2e10, "experts": 32.0}, "2.45456"),
        ("abnar2025", {"n_total": 1e9, "tokens": 2e10, "expert_share": 1.0}, "2.56568"),
        ("abnar2025", {"n_total": 1e10, "tokens": 2e10, "expert_share": 0.1}, "2.36693"),
        ("abnar2025", {"n_total": 18.8e9, "tokens": 110.2e9, "expert_share": 0.02}, "2.16934"),
        (
            "zhao2025",
            {"n_total": 3e9, "n_active": 5e8, "tokens": 1e11, "activated_experts": 7.0, "shared_share": 0.31},
            "2.49840",
        ),
        ("frantar2023", {"n_nonzero": 1e8, "tokens": 1e10, "weight_sparsity": 0.75}, "1.79327"),
        ("frantar2023", {"n_nonzero": 1e8, "tokens": 1e10, "weight_sparsity": 0.0}, "1.90977"),
        ("gadre2024-redpajama", {"n_dense": 1439795200.0, "tokens": 640 * 1439795200.0}, "2.5198"),
        (
            "ling2025",
            {"activation_ratio": 0.031, "ling_granularity": 12.0, "train_flops_non_embedding": 1e22},
            "7.24",
        ),
        # No published check: the tables' rows evaluated apart from this package (awk).
        ("clark2022-rl-r", {"n_dense_non_embedding": 1e8, "experts": 64.0}, "2.47925"),
        ("clark2022-hash", {"n_dense_non_embedding": 1e8, "experts": 64.0}, "2.45578"),
        ("krajewski2024-e16", {"n_total_non_embedding": 1e9, "tokens": 2e10, "granularity": 4.0}, "3.03507"),
        ("krajewski2024-e64", {"n_total_non_embedding": 1e9, "tokens": 2e10, "granularity": 4.0}, "3.16909"),
        (
            "ling2025",
            {"activation_ratio": 0.031, "ling_granularity": 12.0, "train_flops_non_embedding": 1e22},
            "7.2449",
        ),
        (
            "zhao2025",  # far from any model, where k is seen
            {"n_total": 3e9, "n_active": 1e6, "tokens": 1e11, "activated_experts": 40.0, "shared_share": 0.9},
            "3.41334",
        ),
    ],
)
def test_check_value_to_the_digits_printed(law_name, variables, expected):
    digits = len(expected.split(".")[1])
    assert f"{loss(law_name, **variables):.{digits}f}" == expected


# Compute-optimal sizes under 6·N·D.


@pytest.mark.parametrize(
    ("law_name", "billions"), [("chinchilla2022", 32.2), ("chinchilla2022-unrounded", 40.3), ("besiroglu2024", 72.2)]
)
def test_chinchilla_compute_optimal_size(law_name, billions):
    n, _ = minimum(lambda n: loss(law_name, n_dense=n, tokens=5.76e23 / 6 / n), 1e9, 1e12)
    assert n / 1e9 == pytest.approx(billions, abs=0.05)


@pytest.mark.parametrize(
    ("experts", "flops", "size", "tokens"),
    [(1, 1e20, 1.73e9, 9.7e9), (8, 1e21, 3.79e9, 44.0e9), (32, 1e22, 12.28e9, 135.7e9)],
)
def test_joint2025_table_1_optima(experts, flops, size, tokens):
    n, _ = minimum(lambda n: loss("joint2025", n_active=n, tokens=flops / 6 / n, experts=experts), 1e8, 1e12)
    assert n == pytest.approx(size, rel=3e-3)
    assert flops / 6 / n == pytest.approx(tokens, rel=6e-3)


@pytest.mark.parametrize(
    ("experts", "m", "mu", "n", "nu"),
    [(1, "30.40", "-0.1818", "53.84", "-0.1964"), (32, "16.55", "-0.1557", "234.6", "-0.2653")],
)
def test_joint2025_at_one_expert_count_is_table_4(experts, m, mu, n, nu):
    """With E fixed the law is m·N^μ + n·D^ν + c; read m, μ, n, ν off its limits."""
    huge = 1e300
    c = loss("joint2025", n_active=huge, tokens=huge, experts=experts)
    size = [loss("joint2025", n_active=10.0**p, tokens=huge, experts=experts) - c for p in (0, 1)]
    data = [loss("joint2025", n_active=huge, tokens=10.0**p, experts=experts) - c for p in (0, 1)]
    for (at_1, at_10), factor, exponent in ((size, m, mu), (data, n, nu)):
        assert f"{at_1:.{len(factor.split('.')[1])}f}" == factor
        assert f"{math.log10(at_10 / at_1):.4f}" == exponent


@pytest.mark.parametrize(
    ("experts", "printed"),
    [(1, "2.0732"), (2, "3.0556"), (4, "5.0005"), (8, "8.8124"), (16, "16.139"), (32, "29.704")],
)
def test_saturating_experts(experts, printed):
    e_hat = saturating_experts(experts, 2.0732, 290.4521)
    assert f"{e_hat:.{len(printed.split('.')[1])}f}" == printed


@pytest.mark.parametrize(("sparsity", "least"), [(0.0, "2.5885"), (0.5, "2.5054"), (0.9, "2.3638"), (0.98, "2.2708")])
def test_abnar_least_loss_of_a_budget(sparsity, least):
    share = 1 - sparsity
    _, found = minimum(
        lambda n: loss("abnar2025", n_total=n, tokens=1e20 / (6 * n * share), expert_share=share), 1e8, 1e12
    )
    assert f"{found:.4f}" == least


# What the papers say of their own laws.


def test_clark_at_one_expert_is_near_the_papers_dense_law():
    """Holds with base-10 logarithms only; natural ones give L > 5 at the same coefficients."""
    dense = (3.568e13 / 1e9) ** 0.078
    assert loss("clark2022-s-base", n_dense_non_embedding=1e9, experts=1.0) == pytest.approx(dense, rel=0.01)


@pytest.mark.parametrize(("router", "size"), [("s-base", "1.00e+12"), ("rl-r", "3.16e+10"), ("hash", "2.15e+11")])
def test_clark_routing_stops_to_help_where_the_rounded_coefficients_say(router, size):
    """10^(−b/c). The paper's own 937B, 85B and 83B need more digits than it prints."""

    def gain(log_n):
        one, many = (loss(f"clark2022-{router}", n_dense_non_embedding=10**log_n, experts=e) for e in (1.0, 64.0))
        return one - many

    assert f"{10 ** brentq(gain, 8, 14):.2e}" == size


@pytest.mark.parametrize(
    ("router", "n", "experts", "measured"),
    [
        ("s-base", 16527360, 2, 3.112413),
        ("s-base", 27279360, 512, 2.489533),
        ("s-base", 1308819456, 2, 2.228787),
        ("s-base", 1308819456, 64, 2.054387),
        ("rl-r", 16527360, 2, 3.111443),
        ("rl-r", 16527360, 64, 2.760212),
        ("rl-r", 1308819456, 2, 2.226972),
        ("hash", 16527360, 2, 3.134685),
        ("hash", 132163584, 64, 2.410465),
        ("hash", 1308819456, 2, 2.236571),
    ],
)
def test_clark_near_its_public_runs(router, n, experts, measured):
    """Final validation losses of deepmind/scaling_laws_for_routing (CC-BY 4.0)."""
    found = loss(f"clark2022-{router}", n_dense_non_embedding=float(n), experts=float(experts))
    assert found == pytest.approx(measured, rel=0.012)


@pytest.mark.parametrize(
    ("n_active", "tokens", "granularity", "published"),
    [
        (100e6, 4.37e9, 8, 3.133),
        (1e9, 28.94e9, 16, 2.491),
        (3e9, 72.90e9, 16, 2.245),
        (7e9, 137.6e9, 32, 2.076),
        (70e9, 941e9, 32, 1.694),
        (300e9, 2.96e12, 64, 1.503),
        (1e12, 7.94e12, 64, 1.367),
    ],
)
def test_krajewski_optima_within_the_rounding_of_its_coefficients(n_active, tokens, granularity, published):
    """N = d²(8E+4) a block where N_act = 12·d²: 43 times as many at E = 64. The known bias is downwards."""
    found = loss("krajewski2024-e64", n_total_non_embedding=43 * n_active, tokens=tokens, granularity=granularity)
    assert published - 0.025 < found < published - 0.010


def zhao(**changed):
    optimum = {"activated_experts": 6.78, "shared_share": 0.315, "n_total": 30e9, "n_active": 12e9, "tokens": 1e12}
    return loss("zhao2025", **(optimum | changed))


def test_zhao_optimal_active_experts_and_shared_share():
    assert minimum(lambda g: zhao(activated_experts=g), 1, 64)[0] == pytest.approx(6.78, abs=0.005)
    assert minimum(lambda s: zhao(shared_share=s), 0.01, 0.99)[0] == pytest.approx(0.315, abs=0.0005)


@pytest.mark.parametrize(("n_total", "share"), [(30e9, 0.401), (671e9, 0.220)])
def test_zhao_optimal_share_of_active_parameters(n_total, share):
    n_active, _ = minimum(lambda n: zhao(n_total=n_total, n_active=n), n_total / 100, n_total)
    assert n_active / n_total == pytest.approx(share, abs=0.0005)


def test_frantar_three_quarters_sparse_is_worth_2_16_times_its_size():
    sparse = loss("frantar2023", n_nonzero=1e8, tokens=1e10, weight_sparsity=0.75)
    dense = brentq(lambda n: loss("frantar2023", n_nonzero=n, tokens=1e10, weight_sparsity=0.0) - sparse, 1e8, 1e9)
    assert f"{dense / 1e8:.2f}" == "2.16"


def test_gadre_c4_at_the_rounded_coefficients():
    """2.7700 is the reference; three- and four-digit coefficients can not hold its last digits (2.7698)."""
    n = math.sqrt(1e20 / 120)
    rounded = {"e": 1.508, "a": 141.3, "b": 189.5, "eta": 0.1212}
    assert loss("gadre2024-c4", rounded, n_dense=n, tokens=20 * n) == pytest.approx(2.7700, abs=3e-4)


@pytest.mark.parametrize(
    ("law_name", "a", "b"),
    [
        ("gadre2024-c4", 113.7, 152.5),
        ("gadre2024-redpajama", 166.2, 287.2),
        ("gadre2024-refinedweb", 125.1, 196.0),
    ],
)
def test_gadre_is_a_chinchilla_form(law_name, a, b):
    """A and B of E + A·N^(−2η) + B·D^(−2η), read off the compute form where the other term has vanished."""
    c = get_law(law_name).coefficients
    huge = 1e250
    scale = 1e40  # M = D/N must not overflow
    size = (loss(law_name, n_dense=1.0, tokens=scale) - c["e"]) - b * scale ** (-2 * c["eta"])
    data = (loss(law_name, n_dense=scale, tokens=1.0) - c["e"]) - a * scale ** (-2 * c["eta"])
    assert size == pytest.approx(a, abs=0.06)
    assert data == pytest.approx(b, abs=0.06)
    assert loss(law_name, n_dense=huge, tokens=huge / 1e3) == pytest.approx(c["e"], abs=1e-9)


@pytest.mark.parametrize(
    ("train_set", "n", "tokens", "measured", "error"),
    [
        ("c4", 1439795200, 28795904000, 2.656859, 0.0078),
        ("c4", 6889410560, 137788211200, 2.38222, 0.043),
        ("redpajama", 1439795200, 921468928000, 2.502054, 0.0071),  # the paper: 0.71 %
        ("redpajama", 6889410560, 137788211200, 2.424993, 0.0073),  # the paper: 0.73 %
        ("refinedweb", 1439795200, 460734464000, 2.531393, 0.0001),
        ("refinedweb", 6889410560, 137788211200, 2.454722, 0.0162),
    ],
)
def test_gadre_error_on_held_out_runs(train_set, n, tokens, measured, error):
    found = loss(f"gadre2024-{train_set}", n_dense=float(n), tokens=float(tokens))
    assert abs(found / measured - 1) == pytest.approx(error, rel=0.01, abs=1e-4)


def test_ling_optimal_granularity_and_dense_leverage():
    def leverage(a, g, flops):
        return loss("ling2025", activation_ratio=a, ling_granularity=g, train_flops_non_embedding=flops)

    assert minimum(lambda g: -leverage(0.031, g, 1e22), 1, 100)[0] == pytest.approx(11.3, abs=0.05)
    assert leverage(1.0, 2.0, 1e20) == pytest.approx(0.99, abs=0.006)
    assert leverage(0.034, 12.0, 6 * 0.85e9 * 1e12) > 6.5  # Ling-mini-beta, >7 observed
    assert leverage(0.008, 2.0, 3e20) > leverage(0.1, 2.0, 3e20) > leverage(1.0, 2.0, 3e20)


def test_muennighoff_golden_values_of_the_authors_code():
    """The authors' data set card: 8.67B on 178B and 6.34B on 242B, each of 25B unique tokens."""
    optimal = loss("muennighoff2023", n_dense=6.34e9, tokens=242e9, unique_tokens=25e9)
    chinchilla = loss("muennighoff2023", n_dense=8.67e9, tokens=178e9, unique_tokens=25e9)
    assert optimal == pytest.approx(2.2256440889984477, rel=1e-12)
    assert chinchilla == pytest.approx(2.2269634075087867, rel=1e-12)


def test_muennighoff_compute_optimal_line_is_0_051_parameters_a_token():
    """Without repetition and with N below U_N, the least loss of a budget lies at N/D = (A/B)^(1/α)."""
    n, _ = minimum(lambda n: muennighoff_fresh(n, 1e21 / 6 / n), 1e8, 1e11)
    assert n / (1e21 / 6 / n) == pytest.approx(0.05099, abs=2e-5)


def muennighoff_fresh(n, d):
    """Chinchilla's form at Muennighoff's coefficients: what the law is where neither N nor D is in excess."""
    c = get_law("muennighoff2023").coefficients
    return loss("chinchilla2022", {**c, "beta": c["alpha"]}, n_dense=n, tokens=d)


def test_muennighoff_is_a_chinchilla_form_without_excess():
    found = loss("muennighoff2023", n_dense=1e9, tokens=40e9, unique_tokens=40e9)
    assert found == pytest.approx(muennighoff_fresh(1e9, 40e9), rel=1e-14)
    with_excess = loss("muennighoff2023", n_dense=1e10, tokens=40e9, unique_tokens=40e9)
    assert with_excess > muennighoff_fresh(1e10, 40e9) + 1e-3


# Every loss law falls with size and with tokens, over its own data's range.

RANGES = {
    "n_dense": (1e7, 1e10),
    "n_total": (1e8, 9e9),
    "n_total_non_embedding": (129e6, 3.7e9),
    "n_active": (79e6, 2.7e9),
    "n_nonzero": (1e6, 1e9),
    "tokens": (1e9, 100e9),
    "experts": (1, 32),
    "granularity": (1, 16),
    "activated_experts": (1, 16),
    "shared_share": (0, 0.9),
    "expert_share": (0.02, 1),
    "weight_sparsity": (0, 0.9),
    "activation_ratio": (0.008, 1),
    "ling_granularity": (2, 16),
    "train_flops_non_embedding": (1e18, 3e20),
    "n_dense_non_embedding": (15e6, 1.3e9),
    "unique_tokens": (100e9, 200e9),
}


def inside(law, name):
    """Range of a variable: the law's domain where it states one, otherwise a likely one."""
    low, high = law.domain.get(name, (0, 0))
    return (low, high) if low > 0 else RANGES[name]


def points(law):
    return {name: st.floats(*inside(law, name)) for name in law.variables}


@pytest.mark.parametrize("law_name", LOSS_LAWS)
@given(data=st.data(), factor=st.floats(1.05, 3.0))
def test_loss_falls_with_size_and_with_tokens(law_name, data, factor):
    law = LAWS[law_name]
    point = {name: data.draw(values, name) for name, values in points(law).items()}
    if "n_active" in point and "n_total" in point:  # N_a has an interior optimum in Zhao's law: move both
        point["n_active"] = point["n_total"] / 4
    sizes = [name for name in point if name.startswith("n_")]
    before = law.loss_of(law.coefficients, point)
    for moved in [sizes, ["tokens"]]:
        larger = {name: value * factor if name in moved else value for name, value in point.items()}
        if larger == point:  # Clark's law has no tokens
            continue
        after = law.loss_of(law.coefficients, larger)
        if law_name == "muennighoff2023":  # excess parameters and repeated tokens are at last worth nothing
            assert after <= before * (1 + 1e-14)
        else:
            assert after < before


@pytest.mark.parametrize("law_name", ["clark2022-s-base", "clark2022-rl-r", "clark2022-hash"])
@given(n=st.floats(15e6, 1.3e9), experts=st.floats(1, 500), factor=st.floats(1.02, 4))
def test_clark_loss_falls_with_experts(law_name, n, experts, factor):
    fewer, more = (loss(law_name, n_dense_non_embedding=n, experts=e) for e in (experts, experts * factor))
    assert more < fewer


# One formula for Python floats, NumPy and every other array library.


def compared(law, coefficients):
    """The formula at three points under NumPy and under the strict array-API library."""
    rng = np.random.default_rng(7)
    points = {name: rng.uniform(*inside(law, name), 3) for name in law.variables}
    expected = np.array([law.loss_of(coefficients, {k: float(v[i]) for k, v in points.items()}) for i in range(3)])
    return points, expected


def published_coefficients(law):
    return YUN_MADE_UP if law.name.startswith("yun2024") else law.coefficients


ALL = [pytest.param(law, id=name) for name, law in LAWS.items()] + [
    pytest.param(repeated(LAWS[name], 5e9), id=f"{name}+repeated")
    for name in ("joint2025", "chinchilla2022", "muennighoff2023", "yun2024")
]


@pytest.mark.parametrize("law", ALL)
def test_formula_is_pure_array_api(law):
    c = published_coefficients(law)
    points, expected = compared(law, c)
    strict = {name: xp.asarray(values) for name, values in points.items()}
    as_arrays = {name: xp.asarray(value, dtype=xp.float64) for name, value in c.items()}
    for coefficients in (c, as_arrays):
        found = law.loss_of(coefficients, strict)
        assert type(found) is type(xp.asarray(1.0))
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-13)


@pytest.mark.parametrize("law", ALL)
def test_jax_differentiates_the_formula(law):
    """A fit traces the coefficients, a search the variables, and the rest are plain numbers."""
    c = dict(published_coefficients(law))
    v = {name: float(values[0]) for name, values in compared(law, c)[0].items()}
    with jax.enable_x64(True):
        of_c, of_v = jax.grad(law.loss_of, argnums=(0, 1))(c, v)
        of_c_alone = jax.grad(lambda traced: law.loss_of(traced, v))(c)
        of_v_alone = jax.grad(lambda traced: law.loss_of(c, traced))(v)
    for name, value in (c | v).items():
        up, down = (
            float(law.loss_of({**c, name: x} if name in c else c, {**v, name: x} if name in v else v))
            for x in (value * (1 + 1e-6), value * (1 - 1e-6))
        )
        expected = (up - down) / 2e-6  # the slope over ln x, so that 1e-8 is small for every one
        found = (of_c, of_c_alone) if name in c else (of_v, of_v_alone)
        assert [float(slopes[name]) * value for slopes in found] == pytest.approx([expected] * 2, rel=1e-5, abs=1e-8)


EXPERTS = {"joint2025": 8, "abnar2025": 8, "zhao2025": 8, "krajewski2024-e64": 64, "krajewski2024-e16": 16}


@pytest.mark.parametrize("law_name", LOSS_LAWS)
@given(
    widths=st.lists(st.floats(256, 8192), min_size=1, max_size=4),
    tokens=st.lists(st.floats(1e8, 1e12), min_size=4, max_size=4),
)
def test_loss_over_arrays_is_the_loss_of_each(law_name, widths, tokens):
    law = LAWS[law_name]
    experts = EXPERTS.get(law_name, 16 if law_name.startswith("clark") else 1)
    shapes = relaxed(get_architecture("joint2025"), np.array(widths), np.full(len(widths), experts), 50257)
    d = np.array(tokens[: len(widths)])
    if law_name.startswith("clark"):
        d = np.full(len(widths), 130e9)
    together = law.loss(shapes, d)
    assert together.shape == (len(widths),)
    one_by_one = [float(law.loss(pick(shapes, i), float(d[i]))) for i in range(len(widths))]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-13)
