"""Repeated tokens are worth less than new ones: R* of Muennighoff et al. 2023 over any law with tokens."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moeconomics.errors import BadInput
from moeconomics.laws import get_law, published_laws, repeated
from moeconomics.shapes import get_architecture, realise, relaxed

ONE_B = realise(get_architecture("joint2025"), 1e9, 1, 50257)
ONE_B_MOE = realise(get_architecture("joint2025"), 1e9, 8, 50257)
WITH_TOKENS = ["chinchilla2022", "joint2025", "abnar2025", "zhao2025", "muennighoff2023", "gadre2024-c4"]


def worth(tokens, unique, law_name="kaplan2020"):
    """New tokens that bring the loss which `tokens` of `unique` different ones bring, by inverting Kaplan's law."""
    law = repeated(get_law(law_name), unique)
    loss = float(law.loss(ONE_B, tokens))
    c = law.coefficients
    size = (c["n_c"] / float(law.values(ONE_B, tokens)["n_dense_non_embedding"])) ** (c["alpha_n"] / c["alpha_d"])
    return c["d_c"] / (loss ** (1 / c["alpha_d"]) - size)


@pytest.mark.parametrize("law_name", WITH_TOKENS)
@pytest.mark.parametrize("tokens", [1e9, 20e9, 50e9])
def test_tokens_that_are_all_unique_change_nothing(law_name, tokens):
    law = get_law(law_name)
    assert float(repeated(law, 50e9).loss(ONE_B, tokens)) == float(law.loss(ONE_B, tokens))


def test_four_epochs_are_nearly_as_good_as_new_tokens_and_many_are_not():
    """The paper's abstract: up to 4 epochs change little; its value of data falls to 1/e after R* = 15.4 repeats."""
    assert worth(40e9, 10e9) == pytest.approx(37.26e9, rel=1e-4)  # 10 + 10·15.3878·(1 − exp(−3/15.3878))
    assert worth(10e9 * 16.387756, 10e9) == pytest.approx(10e9 + 153.87756e9 * (1 - 1 / math.e), rel=1e-6)


def test_worth_ends_at_the_unique_tokens_times_one_plus_r_star():
    assert worth(1e15, 10e9) == pytest.approx(10e9 * 16.387756, rel=1e-6)
    law = repeated(get_law("joint2025"), 10e9)
    assert float(law.loss(ONE_B_MOE, 1e17)) == float(law.loss(ONE_B_MOE, 1e18))


@pytest.mark.parametrize("law_name", WITH_TOKENS)
@given(unique=st.floats(1e8, 1e11), epochs=st.floats(1.01, 40), more=st.floats(1.01, 3))
def test_repeated_lies_between_fresh_tokens_and_no_repetition(law_name, unique, epochs, more):
    law = get_law(law_name)
    over = repeated(law, unique)
    tokens = unique * epochs
    found = float(over.loss(ONE_B, tokens))
    assert float(law.loss(ONE_B, tokens)) < found < float(law.loss(ONE_B, unique))
    assert float(over.loss(ONE_B, tokens * more)) < found
    assert float(repeated(law, min(unique * more, tokens)).loss(ONE_B, tokens)) < found


def test_muennighoff_itself_counts_excess_parameters_too():
    """The golden value of the authors' code through the wrapper: 8.67B parameters, 178B tokens of 25B unique."""
    law = get_law("muennighoff2023")
    over = repeated(law, 25e9)
    point = {"n_dense": 8.67e9, "tokens": 178e9, "unique_tokens": 178e9}
    assert over.loss_of(over.coefficients, point) == pytest.approx(2.2269634075087867, rel=1e-12)
    excess = [over.loss_of(over.coefficients, {**point, "n_dense": n}) for n in (1e8, 1e9, 1e10, 1e11, 1e12)]
    assert excess == sorted(excess, reverse=True)
    assert excess[3] == pytest.approx(excess[4], rel=1e-6)  # U_N·(1 + R*_N) = 8B is all that 25B tokens can use


def test_other_laws_keep_their_parameters():
    """N' belongs to Muennighoff's coefficients: 1T parameters on 1B unique tokens stay 1T in Chinchilla's law."""
    law = get_law("chinchilla2022")
    over = repeated(law, 1e9)
    point = {"n_dense": 1e12, "tokens": 1e9}
    assert over.loss_of(over.coefficients, point) == law.loss_of(law.coefficients, point)


def test_name_and_source_tell_of_it():
    over = repeated(get_law("joint2025"), 1e11)
    assert over.name == "joint2025+repeated"
    assert "2305.16264" in over.source
    assert "2502.05172" in over.source
    assert "1e+11 unique tokens" in over.formula


def test_domain_is_of_the_real_tokens():
    """800B tokens of 10B unique are worth 153B; what lies outside joint2025's 80B is the 800B."""
    over = repeated(get_law("joint2025"), 10e9)
    assert over.predict(ONE_B_MOE, 800e9).extrapolation["tokens"] == pytest.approx(1.0, abs=1e-12)
    muennighoff = repeated(get_law("muennighoff2023"), 10e9)
    assert muennighoff.predict(ONE_B, 800e9).extrapolation == {}


def test_fixed_values_still_refuse():
    with pytest.raises(BadInput, match=r"chinchilla2022\+repeated has no variable for experts"):
        repeated(get_law("chinchilla2022"), 10e9).loss(ONE_B_MOE, 1e11)


def test_arrays_of_tokens_and_shapes():
    over = repeated(get_law("joint2025"), 10e9)
    shapes = relaxed(get_architecture("joint2025"), np.array([512.0, 1024.0]), 8, 50257)
    tokens = np.array([[5e9], [50e9]])
    found = over.loss(shapes, tokens)
    assert found.shape == (2, 2)
    assert np.all(np.diff(found, axis=0) < 0)


@pytest.mark.parametrize("law_name", ["clark2022-s-base", "clark2022-rl-r", "clark2022-hash"])
def test_law_without_tokens_is_refused(law_name):
    with pytest.raises(BadInput, match=f"{law_name} has no variable for tokens"):
        repeated(get_law(law_name), 1e10)


@pytest.mark.parametrize("unique", [0.0, -1e9, math.nan, math.inf])
def test_unique_tokens_must_be_a_number(unique):
    with pytest.raises(BadInput, match="unique tokens"):
        repeated(get_law("joint2025"), unique)


def test_only_laws_without_tokens_can_not_be_wrapped():
    refused = set()
    for law in published_laws().values():
        try:
            repeated(law, 1e10)
        except BadInput:
            refused.add(law.name)
    assert refused == {"clark2022-s-base", "clark2022-rl-r", "clark2022-hash", "ling2025"}
