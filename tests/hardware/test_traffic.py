import pytest
from hypothesis import given
from hypothesis import strategies as st

from moeconomics.errors import BadInput
from moeconomics.hardware import Traffic, get_traffic, load_traffic

LENGTHS = st.integers(min_value=1, max_value=200)
ROWS = st.lists(st.tuples(LENGTHS, LENGTHS, st.floats(0.01, 100)), min_size=1, max_size=6)


def traffic(**fields):
    return Traffic(name="test", source="test", **fields)


def distribution(rows):
    names = ("input_tokens", "output_tokens", "weight")
    return {"distribution": [dict(zip(names, row, strict=True)) for row in rows]}


def write(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def simulated_kv_tokens(rows):
    """Follow every request token by token: the cache grows from p + i to p + i + 1 in step i."""
    held = steps = 0.0
    for prompt, answer, weight in rows:
        for step in range(answer):
            held += weight * (prompt + step + 0.5)
            steps += weight
    return held / steps


def test_presets_are_those_of_their_sources():
    lengths = {name: (one.input_tokens, one.output_tokens) for name, one in load_traffic().items()}
    assert lengths == {
        "sharegpt": (161.31, 337.99),
        "chat": (1024, 1024),
        "long-prompt": (8192, 1024),
        "reasoning": (1024, 8192),
    }
    for profile in load_traffic().values():
        assert profile.source
        assert (profile.requests_per_s, profile.ttft_ms, profile.tpot_ms) == (None, None, None)
        assert profile.utilisation == 1


def test_kv_tokens_of_sharegpt_are_half_the_papers_k():
    profile = get_traffic("sharegpt")
    assert profile.kv_tokens_mean == pytest.approx((2 * 161.31 + 337.99) / 2)
    assert profile.kv_tokens_mean == pytest.approx(660.61 / 2)  # k = 2p + n counts K and V
    assert profile.kv_tokens_max == pytest.approx(161.31 + 337.99)


@given(ROWS)
def test_kv_tokens_mean_is_that_of_a_simulation(rows):
    profile = traffic(**distribution(rows))
    assert profile.kv_tokens_mean == pytest.approx(simulated_kv_tokens(rows), rel=1e-9)
    assert profile.kv_tokens_max == max(prompt + answer for prompt, answer, _ in rows)
    assert profile.kv_tokens_mean < profile.kv_tokens_max


@given(LENGTHS, LENGTHS, st.floats(0.01, 100))
def test_a_distribution_of_one_row_is_its_means(prompt, answer, weight):
    one = traffic(**distribution([(prompt, answer, weight)]))
    means = traffic(input_tokens=prompt, output_tokens=answer)
    assert one.input_tokens == pytest.approx(prompt)
    assert one.output_tokens == pytest.approx(answer)
    assert one.kv_tokens_mean == pytest.approx(means.kv_tokens_mean)
    assert one.kv_tokens_max == means.kv_tokens_max


@given(ROWS, st.floats(0.1, 10))
def test_only_the_proportions_of_weights_count(rows, scale):
    scaled = [(prompt, answer, weight * scale) for prompt, answer, weight in rows]
    assert traffic(**distribution(scaled)).kv_tokens_mean == pytest.approx(traffic(**distribution(rows)).kv_tokens_mean)


def test_long_answers_hold_their_cache_for_longer():
    rows = [(100, 10, 1), (100, 1000, 1)]
    profile = traffic(**distribution(rows))
    assert (profile.input_tokens, profile.output_tokens) == (100, 505)
    assert profile.kv_tokens_mean == pytest.approx((10 * 105 + 1000 * 600) / 1010)
    assert profile.kv_tokens_mean > 100 + 505 / 2


def test_means_beside_a_distribution_must_agree_within_a_percent():
    rows = distribution([(100, 10, 1), (100, 1000, 1)])
    assert traffic(input_tokens=100, output_tokens=509, **rows).kv_tokens_mean == traffic(**rows).kv_tokens_mean
    with pytest.raises(ValueError, match="output_tokens 512 is not the distribution's mean 505"):
        traffic(input_tokens=100, output_tokens=512, **rows)


def test_lengths_or_a_distribution_are_needed(tmp_path):
    with pytest.raises(BadInput, match=r"mine\.yaml: output_tokens: Field required"):
        get_traffic(write(tmp_path, "input_tokens: 10"))
    with pytest.raises(BadInput, match=r"input_tokens: Field required"):
        get_traffic(write(tmp_path, "distribution: []"))


def test_changes_replace_values_and_say_so_in_the_source():
    rows = distribution([(100, 10, 1), (100, 1000, 1)])
    profile = traffic(**rows)
    loaded = profile.with_changes(requests_per_s=3, tpot_ms=50)
    assert (loaded.requests_per_s, loaded.tpot_ms) == (3, 50)
    assert loaded.kv_tokens_mean == profile.kv_tokens_mean
    assert loaded.source == profile.source
    own = profile.with_changes(input_tokens=7)
    assert (own.input_tokens, own.output_tokens, own.distribution) == (7, 505, ())
    assert own.source == "input_tokens given by the user; otherwise test"
    assert profile.with_changes(input_tokens=7, output_tokens=8).source == (
        "input_tokens and output_tokens given by the user"
    )
    assert profile.with_changes() == profile


@pytest.mark.parametrize(
    ("field", "limits", "outside"),
    [
        ("input_tokens", "1 to 1e+07 tokens", (0, 0.5, 1.1e7)),
        ("output_tokens", "1 to 1e+07 tokens", (0, 1.1e7)),
        ("requests_per_s", "1e-06 to 1e+09 requests/s", (0, -1, 1e10)),
        ("ttft_ms", "0.01 to 1e+07 ms", (0, 1e8)),
        ("tpot_ms", "0.01 to 1e+07 ms", (0, 1e8)),
        ("utilisation", "0.01 to 1 (a share of the time)", (0, 1.01, 85)),
    ],
)
def test_a_value_out_of_range_is_refused_with_field_value_and_range(field, limits, outside):
    for value in (*outside, float("nan"), float("inf"), float("-inf")):
        with pytest.raises(BadInput) as caught:
            get_traffic("chat").with_changes(**{field: value})
        assert f"{field}: must be from {limits} (given: {value!r})" in str(caught.value)


def test_unknown_names_get_the_nearest():
    with pytest.raises(BadInput, match=r"unknown traffic 'sharegtp'\. Did you mean 'sharegpt'"):
        get_traffic("sharegtp")


def test_ones_own_traffic_is_read_from_a_file(tmp_path):
    path = write(
        tmp_path,
        """
        distribution:
          - {input_tokens: 1000, output_tokens: 100, weight: 3}
          - {input_tokens: 200, output_tokens: 500}
        requests_per_s: 2
        tpot_ms: 40
        """,
    )
    profile = get_traffic(path)
    assert profile.name == "mine"
    assert (profile.input_tokens, profile.output_tokens) == (800, 200)
    assert profile.kv_tokens_mean == pytest.approx((3 * 100 * 1050 + 500 * 450) / 800)
    assert profile.kv_tokens_max == 1100
    assert path in profile.source
    assert get_traffic(write(tmp_path, "{input_tokens: 1, output_tokens: 2, source: logs}")).source == "logs"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{input_tokens: 1, output_tokens: 2, input_token: 3}", "Did you mean 'input_tokens'"),
        ("distribution: [{input_tokens: 1, output_tokens: 0}]", "distribution.0.output_tokens: must be from 1 to"),
        ("distribution: [{input_tokens: 1, output_tokens: 1, weight: 0}]", "distribution.0.weight: must be from"),
        ("distribution: [{input_tokens: 1, output_tokens: 1, wait: 1}]", "distribution.0.wait: Extra inputs"),
        ("distribution: 7", "distribution: Input should be a valid tuple"),
        ("7", "field: value"),
        ("[", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        get_traffic(path)
    assert words in str(caught.value)
    assert path in str(caught.value)
    assert "pydantic" not in str(caught.value)
