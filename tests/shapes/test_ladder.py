"""The ladder gives trainable shapes near the target; relaxed shapes follow the paper's proportions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moeconomics.errors import BadInput
from moeconomics.shapes import (
    ARCHITECTURES,
    GroupedQuery,
    bytes_kv_per_token,
    counts,
    get_architecture,
    ladder,
    n_dense,
    realise,
    relaxed,
)

YUN = ARCHITECTURES["yun2024"]
VOCAB = 50_304


@given(target=st.floats(5e8, 1e12), name=st.sampled_from(sorted(ARCHITECTURES)))
def test_a_realised_shape_is_within_two_percent_and_fits_hardware(target, name):
    shape = realise(ARCHITECTURES[name], target, 64, VOCAB)
    assert n_dense(shape) == pytest.approx(target, rel=0.0201)
    assert shape.d_model % 128 == 0
    assert shape.d_ff % 128 == 0
    assert shape.d_expert % 32 == 0
    assert shape.n_layers % 2 == 0
    assert 60 <= shape.d_model / shape.n_layers <= 150
    assert 2 <= shape.d_ff / shape.d_model <= 4
    assert all(isinstance(value, int) for value in (shape.d_model, shape.n_layers, shape.attention.n_heads))
    if shape.d_model >= 2048 and isinstance(shape.attention, GroupedQuery):
        assert shape.attention.n_heads % 8 == 0, "eight GPUs share the heads"


def test_depth_grows_with_width():
    rungs = ladder(YUN, np.geomspace(1e9, 1e12, 200), VOCAB)
    assert np.all(np.diff(n_dense(rungs.shapes(1))) > 0)
    assert np.corrcoef(np.log(rungs.d_model), np.log(rungs.n_layers))[0, 1] > 0.98


def test_all_experts_at_once_equal_one_by_one():
    rungs = ladder(YUN, np.geomspace(1e9, 1e10, 5), VOCAB)
    together = counts(rungs.shapes(1, 8, 32)).n_total.reshape(3, -1)
    for row, experts in enumerate((1, 8, 32)):
        assert np.array_equal(together[row], counts(rungs.shapes(experts)).n_total)


def test_relaxed_and_realised_agree_on_size_and_cache():
    shape = realise(YUN, 6e9, 16, VOCAB)
    smooth = relaxed(YUN, shape.d_model, 16, VOCAB)
    assert counts(smooth).n_total / n_dense(smooth) == pytest.approx(counts(shape).n_total / n_dense(shape), rel=0.05)
    assert bytes_kv_per_token(smooth, "bf16") == pytest.approx(bytes_kv_per_token(shape, "bf16"), rel=0.15)


def test_relaxed_shapes_keep_the_papers_hl_law():
    """App. C, Fig. 8: h·l ∝ N^(2/3)."""
    shape = relaxed(YUN, np.geomspace(2000, 20000, 5), 1, 1)
    ratio = shape.d_model * shape.n_layers / n_dense(shape) ** (2 / 3)
    assert ratio == pytest.approx(ratio[0], rel=2e-3)


def test_a_size_below_the_vocabulary_is_refused():
    with pytest.raises(BadInput, match="ask for another size or a smaller vocabulary"):
        realise(YUN, 1e6, 8, VOCAB)


def test_an_unknown_architecture_names_the_nearest():
    with pytest.raises(BadInput, match="Did you mean 'mixtral'"):
        get_architecture("mixtrall")
