"""A fitted-law file gives a form one's own coefficients, draws and domain; a bad one is named with its fault."""

import json
import re

import numpy as np
import pytest

from moeconomics.errors import BadInput
from moeconomics.laws import get_law
from moeconomics.shapes import get_architecture, realise

COEFFICIENTS = {
    "a": 400.0, "b": 0.3, "c": 800.0, "f": 1.2, "alpha": 0.33, "beta": 0.6, "gamma": 0.31,
    "d": 1e-4, "e_start": 2.0, "e_max": 300.0,
}  # fmt: skip
SHAPE = realise(get_architecture("yun2024"), 300e6, 8, 32000)


def content(**changes):
    rng = np.random.default_rng(3)
    draws = [{**COEFFICIENTS, "f": 1.2 + shift} for shift in rng.normal(0, 0.02, 200)]
    return {
        "law": "yun2024",
        "coefficients": COEFFICIENTS,
        "draws": draws,
        "domain": {"n_dense_non_embedding": [81e6, 679e6], "experts": [1, 32], "tokens": [2.5e9, 20e9]},
        "data_sha256": "0123456789abcdef" * 4,
        "fit_error": "RMSLE 0.004 on 60 runs",
    } | changes


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "mine.json"
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        return str(path)

    return written


def test_form_answers_with_a_fitted_file(write):
    """Hand value of Eq. 4 at the variables of the shape, with the ±1.645 σ of draws that move F only."""
    law = get_law(write(content()))
    found = law.predict(SHAPE, 1e10)
    v = law.values(SHAPE, 1e10)
    n = float(v["n_dense_non_embedding"])
    e_hat = 1 / (1 / (8 - 1 + 1 / (1 / 2 - 1 / 300)) + 1 / 300)
    terms = 400 / n**0.33 + 0.3 / e_hat**0.6 + 800 / 1e10**0.31 + 1.2
    tilt = np.exp(1e-4 * np.log(n) * np.log(e_hat))
    assert found.loss == pytest.approx(terms * tilt, rel=1e-12)
    assert found.low < found.loss < found.high
    assert found.high - found.low == pytest.approx(2 * 1.645 * 0.02 * tilt, rel=0.2)
    assert found.no_interval_because is None
    assert found.extrapolation == {}
    assert found.departures == ()


def test_fitted_law_says_where_it_is_from(write):
    law = get_law(write(content()))
    assert law.name == "yun2024:mine.json"
    assert law.source.startswith("fitted to runs with sha256 0123456789ab…; form: Yun et al. 2024")
    assert law.fit_error == "RMSLE 0.004 on 60 runs"
    assert law.domain["tokens"] == (2.5e9, 20e9)
    assert law.predict(SHAPE, 2e12).extrapolation == pytest.approx({"tokens": 2.0}, abs=1e-12)


def test_without_draws_there_is_no_interval(write):
    found = get_law(write(content(draws=[]))).predict(SHAPE, 1e10)
    assert found.low is None
    assert found.no_interval_because == "no draws published (RMSLE 0.004 on 60 runs)"


def test_published_law_may_be_refitted_and_keeps_its_fixed_values(write):
    file = content(
        law="chinchilla2022",
        coefficients={"e": 1.5, "a": 100.0, "b": 200.0, "alpha": 0.3, "beta": 0.3},
        draws=[],
        domain={"n_dense": [1e7, 1e9]},
    )
    law = get_law(write(file))
    dense = realise(get_architecture("yun2024"), 300e6, 1, 32000)
    n = float(law.values(dense, 1e10)["n_dense"])
    assert float(law.loss(dense, 1e10)) == pytest.approx(1.5 + 100 / n**0.3 + 200 / 1e10**0.3, rel=1e-12)
    with pytest.raises(BadInput, match="no variable for experts"):
        law.loss(SHAPE, 1e10)


def without(mapping, key):
    return {name: value for name, value in mapping.items() if name != key}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("{", "Invalid JSON", id="malformed"),
        pytest.param("", "Invalid JSON", id="empty"),
        pytest.param("[]", "the file: ", id="a list"),
        pytest.param(without(content(), "coefficients"), "coefficients: Field required", id="no coefficients"),
        pytest.param(content(remark="x"), "remark: ", id="alien key"),
        pytest.param(content(law="yun2042"), "unknown law 'yun2042'", id="unknown law"),
        pytest.param(content(coefficients=COEFFICIENTS | {"a": float("nan")}), "coefficients.a: ", id="NaN"),
        pytest.param(content(coefficients=COEFFICIENTS | {"f": float("inf")}), "coefficients.f: ", id="infinity"),
        pytest.param(content(coefficients=COEFFICIENTS | {"a": None}), "coefficients.a: ", id="null"),
        pytest.param(content(coefficients=COEFFICIENTS | {"zeta": 1.0}), "zeta", id="alien coefficient"),
        pytest.param(content(coefficients=without(COEFFICIENTS, "e_max")), "e_max", id="missing coefficient"),
        pytest.param(content(draws=[COEFFICIENTS, without(COEFFICIENTS, "d")]), "draw 2", id="short draw"),
        pytest.param(content(draws=[COEFFICIENTS | {"d": float("nan")}]), "draws.0.d: ", id="NaN in a draw"),
        pytest.param(
            content(coefficients=COEFFICIENTS | {"e_max": 0.0}), "e_max = 0 is outside 11 to 5000", id="corner"
        ),
        pytest.param(content(draws=[COEFFICIENTS, COEFFICIENTS | {"a": -1.0}]), "draw 2: a = -1 is", id="corner draw"),
        pytest.param(content(domain={"n_active": [1, 2]}), "domain may hold", id="alien domain"),
        pytest.param(content(domain={"tokens": [2e9, 1e9]}), "domain.tokens: a range is", id="range backwards"),
        pytest.param(content(domain={"tokens": [-1.0, 1e9]}), "domain.tokens: a range is", id="negative range"),
        pytest.param(content(domain={"tokens": [1e9]}), "domain.tokens", id="half a range"),
        pytest.param(content(data_sha256="abc"), "data_sha256: ", id="no hash"),
    ],
)
def test_bad_file_is_refused_by_name_and_key(write, text, says):
    path = write(text)
    with pytest.raises(BadInput, match=f"law file {re.escape(path)}: .*{re.escape(says)}"):
        get_law(path)


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(BadInput, match=r"law file .*none\.json: No such file"):
        get_law(str(tmp_path / "none.json"))


def test_file_that_is_no_text(tmp_path):
    path = tmp_path / "binary.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match=r"law file .*binary\.json: "):
        get_law(str(path))
