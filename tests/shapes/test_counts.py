"""Known counts, and the arithmetic that ties groups, FLOPs and bytes together."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moeconomics.errors import BadInput
from moeconomics.shapes import (
    GroupedQuery,
    Latent,
    Layers,
    ModelShape,
    bytes_kv,
    bytes_kv_per_token,
    bytes_weights,
    counts,
    decode_flops,
    mean_context,
    n_dense,
    pick,
    prefill_flops,
    train_flops_per_token,
)

MIXTRAL = ModelShape(
    vocab_size=32000,
    d_model=4096,
    n_layers=32,
    d_ff=14336,
    d_expert=14336,
    n_experts=8,
    top_k=2,
    attention=GroupedQuery(n_heads=32, n_kv_heads=8, head_dim=128),
)
DEEPSEEK_V3 = ModelShape(
    vocab_size=129280,
    d_model=7168,
    n_layers=61,
    d_ff=18432,
    d_expert=2048,
    n_experts=256,
    top_k=8,
    n_shared_experts=1,
    d_shared=2048,
    moe_layers=Layers(first=3),
    attention=Latent(
        n_heads=128,
        q_lora_rank=1536,
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
    ),
)


def yun(experts: int, d_model: int = 2048, n_layers: int = 16) -> ModelShape:
    """The paper's family: every second FFN an MoE of 8/3·d wide experts, MHA (App. B)."""
    width = 8 * d_model // 3
    return ModelShape(
        vocab_size=1,
        d_model=d_model,
        n_layers=n_layers,
        d_ff=width,
        d_expert=width,
        n_experts=experts,
        top_k=min(2, experts),
        moe_layers=Layers(every=2),
        attention=GroupedQuery(n_heads=16, n_kv_heads=16, head_dim=d_model // 16),
    )


def test_deepseek_v3_has_671_billion_parameters_and_37_active():
    group = counts(DEEPSEEK_V3)
    assert int(group.n_total) == 671_026_404_352  # the meta-device model without its MTP head
    # The report (arXiv 2412.19437) says 37B; it leaves the input embedding out.
    assert int(group.n_active) - 129280 * 7168 == pytest.approx(37e9, rel=0.02)


def test_mixtral_matches_its_card():
    group = counts(MIXTRAL)
    assert int(group.n_total) == 46_702_792_704
    assert int(group.n_active) == 12_879_925_248
    assert int(group.routed_experts) == 32 * 8 * 3 * 4096 * 14336


def test_the_papers_total_and_active_sizes():
    """App. C: N_MoE = (1 + (E−1)/3)·N; §2.1 with a = 1/3, K = 2: 4/3·N (within the router and rounding)."""
    for experts, factor in [(4, 2.0), (8, 10 / 3), (16, 6.0), (32, 34 / 3)]:
        group = counts(yun(experts))
        dense = n_dense(yun(experts))
        assert group.n_total / dense == pytest.approx(factor, rel=2e-3)
        assert group.n_active / dense == pytest.approx(4 / 3, rel=2e-3)


def test_a_dense_shape_is_its_own_counterpart():
    group = counts(yun(1))
    assert group.n_total == group.n_active == n_dense(yun(1))
    assert group.routed_experts == group.router == group.shared_experts == 0


def test_joint_counting_rule():
    """Ludziejewski 2025 §2: N_act = 2dV + 13·L·d², N_total = 2dV + (4+9E)·L·d² for width 3d, top-1, all layers."""
    d, layers, vocab, experts = 1024, 16, 50257, 8
    shape = ModelShape(
        vocab_size=vocab,
        d_model=d,
        n_layers=layers,
        d_ff=3 * d,
        d_expert=3 * d,
        n_experts=experts,
        top_k=1,
        attention=GroupedQuery(n_heads=16, n_kv_heads=16, head_dim=64),
    )
    group = counts(shape)
    # The paper counts neither norms nor the router.
    assert group.n_active - group.norms - group.router == 2 * d * vocab + 13 * layers * d**2
    assert group.n_total - group.norms - group.router == 2 * d * vocab + (4 + 9 * experts) * layers * d**2


def test_kv_cache_of_deepseek_is_70_kilobytes_a_token():
    assert bytes_kv_per_token(DEEPSEEK_V3, "bf16") == 61 * 576 * 2


def test_kv_cache_is_the_papers_two_h_l_for_mha():
    assert bytes_kv_per_token(yun(8), "bf16") == 2 * 2048 * 16 * 2


def test_a_window_caps_the_cache_of_its_layers():
    shape = replace(MIXTRAL, sliding_window=1000, windowed_layers=Layers(every=2))
    assert bytes_kv(shape, 500, "bf16") == bytes_kv(MIXTRAL, 500, "bf16")
    assert bytes_kv(shape, 3000, "bf16") == (bytes_kv(MIXTRAL, 3000, "bf16") + bytes_kv(MIXTRAL, 1000, "bf16")) / 2


def test_weight_bytes_by_format():
    assert bytes_weights(MIXTRAL, "bf16") == 2 * 46_702_792_704
    assert bytes_weights(MIXTRAL, "int4") == 46_702_792_704 / 2
    assert bytes_weights(MIXTRAL, "nvfp4") == 46_702_792_704 * 9 / 16  # a scale byte for 16 elements


def test_flop_conventions():
    group = counts(MIXTRAL)
    assert train_flops_per_token(MIXTRAL, "6nd-active") == 6 * group.n_active
    assert train_flops_per_token(MIXTRAL, "6nd") == 6 * n_dense(MIXTRAL)
    # Products leave out the look-up table and the norms.
    left_out = 32000 * 4096 + group.norms
    assert train_flops_per_token(MIXTRAL, "matmul") == 6 * (group.n_active - left_out)
    scores = 3 * 4 * (2049 / 2) * 4096 * 32
    assert train_flops_per_token(MIXTRAL, "exact", 2048) == train_flops_per_token(MIXTRAL, "matmul") + scores


def test_an_unknown_flop_convention_names_the_nearest():
    with pytest.raises(BadInput, match="Did you mean '6nd-active'"):
        train_flops_per_token(MIXTRAL, "6nd_active")


def test_mean_context_counts_positions_one_by_one():
    for seq_len, window in [(1, 4), (7, 3), (10, 10), (12, math.inf)]:
        seen = [min(position + 1, window) for position in range(seq_len)]
        assert mean_context(seq_len, window) == pytest.approx(sum(seen) / seq_len)


def test_prefill_is_the_sum_of_decodes_but_for_the_head():
    """Causal attention done at once or token by token costs the same products (GQA scores alike either way)."""
    tokens = 5
    one_by_one = sum(decode_flops(MIXTRAL, context) for context in range(1, tokens + 1))
    heads = 2 * 32000 * 4096 * (tokens - 1)
    assert prefill_flops(MIXTRAL, tokens) == pytest.approx(one_by_one - heads, rel=1e-12)


@given(every=st.integers(1, 7), first=st.integers(0, 40), n_layers=st.integers(1, 90))
def test_layers_are_counted_as_they_are_listed(every, first, n_layers):
    layers = Layers(every=every, first=first)
    assert layers.count(n_layers) == len(layers.indices(n_layers))


dims = st.integers(1, 64)


@given(
    d=dims, n_layers=st.integers(1, 40), d_ff=dims, d_expert=dims, experts=st.integers(2, 64), top_k=st.integers(1, 8),
    shared=st.integers(0, 3), every=st.integers(1, 4), tied=st.booleans(),
)  # fmt: skip
def test_groups_add_up_and_active_never_exceeds_total(d, n_layers, d_ff, d_expert, experts, top_k, shared, every, tied):
    shape = ModelShape(
        vocab_size=97,
        d_model=d,
        n_layers=n_layers,
        d_ff=d_ff,
        d_expert=d_expert,
        n_experts=experts,
        top_k=min(top_k, experts),
        n_shared_experts=shared,
        d_shared=d_expert,
        moe_layers=Layers(every=every),
        tied_embeddings=tied,
        attention=GroupedQuery(n_heads=2, n_kv_heads=1, head_dim=4),
    )
    group = counts(shape)
    assert group.n_active <= group.n_total
    assert group.n_total - group.n_active == (experts - min(top_k, experts)) * 3 * d * d_expert * (n_layers // every)
    assert group.n_total - group.n_total_non_embedding == 97 * d * (1 if tied else 2)


def test_one_definition_serves_a_grid():
    widths, depths = np.array([1024, 2048, 4096]), np.array([8, 16, 32])
    grid = replace(
        MIXTRAL,
        d_model=widths,
        n_layers=depths,
        n_experts=np.array([1, 8, 64]),
        top_k=np.array([1, 2, 2]),
        attention=GroupedQuery(n_heads=widths // 128, n_kv_heads=8, head_dim=128),
    )
    for index in range(3):
        one = pick(grid, index)
        assert counts(grid).n_total[index] == counts(one).n_total
        assert counts(grid).n_active[index] == counts(one).n_active
        assert decode_flops(grid, 100)[index] == decode_flops(one, 100)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_model": 0}, "d_model 0 is not a finite number of at least 1"),
        ({"n_layers": math.nan}, "n_layers nan"),
        ({"vocab_size": math.inf}, "vocab_size inf"),
        ({"top_k": 9}, "top_k 9 exceeds n_experts 8"),
        ({"d_expert": 0}, "n_experts > 1 needs d_expert"),
        ({"linear_layers": Layers(every=2)}, "linear_layers need linear_attention"),
    ],
)
def test_impossible_shapes_are_refused_by_name(change, message):
    with pytest.raises(BadInput, match=message):
        replace(MIXTRAL, **change)
