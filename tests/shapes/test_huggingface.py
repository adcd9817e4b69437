"""Counts of imported and exported configs equal, to the integer, the model that `transformers` builds."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from published_configs import (
    DEEPSEEK_V2_LITE,
    DEEPSEEK_V3,
    ERNIE_4_5_21B_A3B,
    GLM_4_5_AIR,
    GPT_OSS_20B,
    LLAMA_4_MAVERICK_TEXT,
    MIXTRAL_8X7B,
    OLMOE_1B_7B,
    PUBLISHED,
    QWEN1_5_MOE_A2_7B,
    QWEN2_7B,
    QWEN3_5_397B_A17B,
    QWEN3_30B_A3B,
    QWEN3_NEXT,
)
from reference import built
from transformers import AutoConfig, AutoModelForCausalLM

from moeconomics.errors import BadInput
from moeconomics.shapes import ARCHITECTURES, GroupedQuery, Latent, Layers, ModelShape, counts, ladder, realise
from moeconomics.shapes.huggingface import HF_FAMILIES, from_hf, to_hf


def test_every_family_has_a_published_model():
    assert {config["model_type"] for config, _ in PUBLISHED.values()} == HF_FAMILIES.keys()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_are_counted_exactly(name):
    config, total = PUBLISHED[name]
    assert int(counts(from_hf(config)).n_total) == total == built(config)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_transformers_writes_is_read_alike(name):
    config, total = PUBLISHED[name]
    as_written = json.loads(AutoConfig.for_model(**config).to_json_string(use_diff=True))
    assert int(counts(from_hf(as_written)).n_total) == total


@pytest.mark.parametrize(
    ("name", "active"),
    [
        ("Mixtral-8x7B", 12_879_925_248),
        ("Qwen1.5-MoE-A2.7B", 2_689_173_504),  # the card: 2.7B
        ("Qwen2-57B-A14B", 14_249_270_784),  # the card: 14B
        ("DeepSeek-V2", 21_375_800_320),  # the card: 21B
        ("DeepSeek-V3", 37_552_282_624),  # the card: 37B
        ("Qwen3-30B-A3B", 3_353_032_704),  # the card: 3.3B
        ("OLMoE-1B-7B", 1_282_017_280),  # the card: 1.3B
        ("Qwen3-Next-80B-A3B", 3_874_929_408),  # the card: 3B, the embeddings not counted
        ("Qwen3.5-397B-A17B", 17_349_040_896),  # the card: 17B
        ("MiniMax-M2", 11_030_537_216),  # the card: 10B, the embeddings not counted
        ("Llama-4-Scout-text", 17_172_894_720),  # the card: 17B
        ("Llama-4-Maverick-text", 17_184_691_200),  # the card: 17B
    ],
)
def test_active_parameters_agree_with_the_cards(name, active):
    assert int(counts(from_hf(PUBLISHED[name][0])).n_active) == active


TINY = {
    "vocab_size": 211,
    "hidden_size": 96,
    "intermediate_size": 80,
    "num_hidden_layers": 7,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
}
TINY_MOE = TINY | {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
TINY_LOCAL = TINY | {"num_local_experts": 5, "num_experts_per_tok": 2}
TINY_SHARED = TINY_MOE | {"shared_expert_intermediate_size": 40}
TINY_LATENT = TINY | {
    "num_key_value_heads": 6,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 12,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "n_shared_experts": 2,
    "moe_intermediate_size": 24,
    "n_group": 1,
    "topk_group": 1,
}
TINY_ERNIE = TINY | {
    "moe_num_experts": 6,
    "moe_k": 2,
    "moe_num_shared_experts": 2,
    "moe_intermediate_size": 24,
}
TINY_GLM = TINY | {
    "n_routed_experts": 6,
    "num_experts_per_tok": 2,
    "n_shared_experts": 2,
    "moe_intermediate_size": 24,
}
TINY_HYBRID = TINY_SHARED | {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 6,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 12,
}
TINY_LLAMA4 = TINY_LOCAL | {"intermediate_size_mlp": 112, "head_dim": 16}

# Without shared experts transformers builds one of width 0, and torch remarks on it.
NO_SHARED_EXPERTS = pytest.mark.filterwarnings("ignore:Initializing zero-element tensors is a no-op:UserWarning")

VARIATIONS = [
    ("llama", TINY, {}),
    ("llama", TINY, {"attention_bias": True, "mlp_bias": True}),
    ("llama", TINY, {"tie_word_embeddings": True, "head_dim": 20}),
    ("llama", TINY, {"num_key_value_heads": None}),
    ("mistral", TINY, {"head_dim": 32, "sliding_window": None}),
    ("qwen2", TINY, {"use_sliding_window": True, "max_window_layers": 3}),
    ("qwen2", TINY, {"tie_word_embeddings": True}),
    ("qwen2", TINY, {"num_key_value_heads": None}),  # null is a head each, absent is 32
    ("qwen2", {key: value for key, value in TINY.items() if key != "num_key_value_heads"}, {}),
    ("qwen3", TINY, {"num_key_value_heads": None, "head_dim": 10}),
    ("qwen3", TINY, {"attention_bias": True}),
    ("qwen3", TINY, {"head_dim": 24, "tie_word_embeddings": True}),
    ("mixtral", TINY_LOCAL, {"head_dim": 20}),
    ("qwen2_moe", TINY_SHARED, {"decoder_sparse_step": 3}),
    ("qwen2_moe", TINY_SHARED, {"mlp_only_layers": [0, 4], "qkv_bias": False}),
    ("qwen3_moe", TINY_MOE, {"decoder_sparse_step": 2, "head_dim": 16}),
    ("qwen3_moe", TINY_MOE, {"mlp_only_layers": [1, 2], "attention_bias": True}),
    ("qwen3_moe", TINY_MOE, {"mlp_only_layers": list(range(7))}),
    ("qwen3_moe", TINY_MOE, {"num_experts": 0}),
    ("qwen3_next", TINY_HYBRID, {"attention_bias": True, "mlp_only_layers": [2], "linear_conv_kernel_dim": 3}),
    ("qwen3_next", TINY_HYBRID, {"full_attention_interval": 3, "tie_word_embeddings": True}),
    ("qwen3_next", TINY_HYBRID, {"layer_types": ["linear_attention"] * 5 + ["full_attention"] * 2, "head_dim": 16}),
    ("qwen3_5_moe_text", TINY_HYBRID, {"attention_bias": True}),
    ("minimax_m2", TINY_LOCAL, {"head_dim": 16, "tie_word_embeddings": True}),
    ("olmoe", TINY_LOCAL, {"attention_bias": True, "num_key_value_heads": 2}),
    ("deepseek_v2", TINY_LATENT, {"q_lora_rank": 20, "attention_bias": True, "mlp_bias": True}),
    ("deepseek_v2", TINY_LATENT, {"q_lora_rank": None, "first_k_dense_replace": 2}),
    ("deepseek_v3", TINY_LATENT, {"q_lora_rank": 20, "first_k_dense_replace": 0, "attention_bias": True}),
    ("deepseek_v2", TINY_LATENT, {"n_shared_experts": 0, "first_k_dense_replace": 1}),
    ("deepseek_v3", TINY_LATENT, {"q_lora_rank": None, "first_k_dense_replace": 7}),
    ("deepseek_v3", TINY_LATENT, {"n_shared_experts": 0}),
    ("gpt_oss", TINY_LOCAL, {"attention_bias": False, "head_dim": 16}),
    ("llama4_text", TINY_LLAMA4, {"interleave_moe_layer_step": 3, "attention_bias": True}),
    ("llama4_text", TINY_LLAMA4, {"moe_layers": [0, 1, 5]}),
    ("glm4_moe", TINY_GLM, {"use_qk_norm": True, "head_dim": 16, "attention_bias": True}),
    ("glm4_moe", TINY_GLM, {"first_k_dense_replace": 3}),
    ("glm4_moe", TINY_GLM, {"n_shared_experts": 0}),
    ("ernie4_5_moe", TINY_ERNIE, {"use_bias": True, "tie_word_embeddings": False}),
    ("ernie4_5_moe", TINY_ERNIE, {"use_bias": True, "tie_word_embeddings": True}),
    ("ernie4_5_moe", TINY_ERNIE, {"moe_layer_start_index": 2, "moe_layer_end_index": 4, "moe_layer_interval": 2}),
    ("ernie4_5_moe", TINY_ERNIE, {"moe_num_shared_experts": 0}),
    ("granitemoe", TINY_LOCAL, {"attention_bias": True, "tie_word_embeddings": True}),
]


@NO_SHARED_EXPERTS
@pytest.mark.parametrize(("model_type", "base", "change"), VARIATIONS)
def test_optional_keys_and_their_defaults_are_counted_exactly(model_type, base, change):
    config = base | change | {"model_type": model_type}
    assert int(counts(from_hf(config)).n_total) == built(config)


def test_windows_are_read_where_they_are():
    def windowed(config: dict) -> tuple[int, ...]:
        shape = from_hf(config)
        return shape.windowed_layers.indices(shape.n_layers)

    assert windowed(GPT_OSS_20B) == tuple(range(0, 24, 2))
    assert windowed(PUBLISHED["Mistral-7B-v0.1"][0]) == tuple(range(32))
    assert windowed(MIXTRAL_8X7B) == ()
    assert windowed(QWEN2_7B | {"use_sliding_window": True, "max_window_layers": 25}) == (25, 26, 27)
    assert windowed(LLAMA_4_MAVERICK_TEXT) == tuple(i for i in range(48) if (i + 1) % 4)
    kinds = ["full_attention"] * 27 + ["sliding_attention"]
    assert windowed(QWEN2_7B | {"use_sliding_window": True, "layer_types": kinds}) == (27,)
    # A null window is none, whatever else the config says; an absent one is the class default.
    assert windowed(GPT_OSS_20B | {"sliding_window": None}) == ()
    for config in (QWEN2_7B, PUBLISHED["Qwen3-8B"][0], QWEN1_5_MOE_A2_7B, QWEN3_30B_A3B):
        switched_on = config | {"use_sliding_window": True, "max_window_layers": 5}
        assert windowed(switched_on) != ()
        assert windowed(switched_on | {"sliding_window": None}) == ()
    # As transformers itself resolves them.
    for config in (
        GPT_OSS_20B,
        LLAMA_4_MAVERICK_TEXT,
        QWEN2_7B | {"use_sliding_window": True, "max_window_layers": 25},
    ):
        resolved = AutoConfig.for_model(**config).layer_types
        assert windowed(config) == tuple(i for i, kind in enumerate(resolved) if kind != "full_attention")


def test_linear_layers_are_read_where_they_are():
    def linear(config: dict) -> tuple[int, ...]:
        shape = from_hf(config)
        return shape.linear_layers.indices(shape.n_layers)

    assert linear(QWEN3_NEXT) == tuple(i for i in range(48) if (i + 1) % 4)
    assert linear(QWEN3_NEXT | {"full_attention_interval": 48}) == tuple(range(47))
    for config in (QWEN3_NEXT, QWEN3_5_397B_A17B):
        resolved = AutoConfig.for_model(**config).layer_types
        assert linear(config) == tuple(i for i, kind in enumerate(resolved) if kind == "linear_attention")
    all_full = QWEN3_NEXT | {"layer_types": ["full_attention"] * 48}
    assert linear(all_full) == ()
    assert int(counts(from_hf(all_full)).n_total) == built(all_full)


def test_moe_layers_are_read_where_they_are():
    assert from_hf(LLAMA_4_MAVERICK_TEXT).moe_layers == Layers(every=2)
    assert from_hf(DEEPSEEK_V3).moe_layers == Layers(first=3)
    assert from_hf(LLAMA_4_MAVERICK_TEXT | {"moe_layers": list(range(1, 48, 2))}).moe_layers == Layers(every=2)
    assert from_hf(LLAMA_4_MAVERICK_TEXT | {"interleave_moe_layer_step": 49}).n_experts == 1  # dense in every layer
    assert from_hf(ERNIE_4_5_21B_A3B).n_moe_layers == 27
    assert from_hf(QWEN3_30B_A3B | {"mlp_only_layers": [0, 5]}).moe_layers.indices(48) == (*range(1, 5), *range(6, 48))


@pytest.mark.parametrize("experts", [1, 64])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_planned_architecture_exports_exactly(name, experts):
    shape = realise(ARCHITECTURES[name], 1.5e9, experts, 50_304)
    config = to_hf(shape)
    assert built(config) == counts(shape).n_total == counts(from_hf(config)).n_total
    assert counts(from_hf(config)).n_active == counts(shape).n_active


@pytest.mark.parametrize(
    ("name", "experts", "model_type", "step"),
    [
        ("yun2024", 1, "qwen3", None),
        ("yun2024", 8, "qwen3_moe", 2),
        ("joint2025", 8, "qwen3_moe", 1),
        ("mixtral", 1, "llama", None),
        ("mixtral", 8, "mixtral", None),
        ("deepseek", 1, "deepseek_v3", None),
        ("deepseek", 64, "deepseek_v3", None),
    ],
)
def test_planned_shapes_become_the_promised_architectures(name, experts, model_type, step):
    config = to_hf(realise(ARCHITECTURES[name], 1.5e9, experts, 50_304))
    assert config["model_type"] == model_type
    assert config.get("decoder_sparse_step") == step


@pytest.mark.parametrize(
    "config",
    [QWEN1_5_MOE_A2_7B, DEEPSEEK_V3, QWEN3_30B_A3B, MIXTRAL_8X7B, QWEN2_7B, PUBLISHED["Llama-3.1-8B"][0]],
    ids=lambda config: config["model_type"],
)
def test_published_shapes_survive_the_round_trip(config):
    again = to_hf(from_hf(config))
    assert again["model_type"] == config["model_type"]
    assert built(again) == built(config)


def test_an_exported_config_opens_from_disk(tmp_path):
    shape = realise(ARCHITECTURES["yun2024"], 1e9, 8, 50_304)
    (tmp_path / "config.json").write_text(json.dumps(to_hf(shape)), encoding="utf-8")
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tmp_path))
    assert model.num_parameters() == counts(shape).n_total
    assert type(model).__name__ == "Qwen3MoeForCausalLM"
    assert from_hf(tmp_path) == from_hf(tmp_path / "config.json")


HEADS = GroupedQuery(n_heads=4, n_kv_heads=2, head_dim=8)
NORMED = replace(HEADS, qk_norm="head")
LATENT = Latent(n_heads=4, q_lora_rank=8, kv_lora_rank=8, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=8)
SMALL = ModelShape(vocab_size=64, d_model=32, n_layers=6, d_ff=24, attention=HEADS)
SMALL_MOE = replace(SMALL, attention=NORMED, d_expert=16, n_experts=4, top_k=2)
SMALL_MLA = replace(SMALL_MOE, attention=LATENT, n_shared_experts=1, d_shared=16)


@NO_SHARED_EXPERTS
@pytest.mark.parametrize(
    ("shape", "model_type"),
    [
        (SMALL, "llama"),
        (replace(SMALL, attention=replace(HEADS, qkv_bias=True, out_bias=True), ffn_bias=True), "llama"),
        (replace(SMALL, attention=replace(HEADS, qkv_bias=True)), "qwen2"),
        (replace(SMALL, attention=replace(NORMED, qkv_bias=True, out_bias=True)), "qwen3"),
        (replace(SMALL, sliding_window=128), "llama"),  # a window that no layer has
        (replace(SMALL_MOE, moe_layers=Layers(listed=())), "qwen3"),  # experts that no layer has
        (replace(SMALL_MOE, attention=HEADS, d_ff=0), "mixtral"),
        (replace(SMALL_MOE, d_ff=0), "qwen3_moe"),
        (replace(SMALL_MOE, moe_layers=Layers(listed=(1, 3, 5))), "qwen3_moe"),
        (replace(SMALL_MOE, moe_layers=Layers(listed=(0, 3))), "qwen3_moe"),
        (replace(SMALL_MOE, moe_layers=Layers(every=2, first=2)), "qwen3_moe"),
        (
            replace(
                SMALL_MOE,
                attention=replace(HEADS, qkv_bias=True),
                n_shared_experts=1,
                d_shared=40,
                shared_gate=True,
                moe_layers=Layers(listed=(2, 5)),
            ),
            "qwen2_moe",
        ),
        (replace(SMALL_MLA, d_ff=0), "deepseek_v3"),
        (replace(SMALL_MLA, n_shared_experts=0, d_shared=0), "deepseek_v3"),
        (replace(SMALL_MLA, moe_layers=Layers(listed=(2, 3, 4, 5))), "deepseek_v3"),
    ],
)
def test_equal_shapes_are_written_however_they_are_said(shape, model_type):
    config = to_hf(shape)
    again = from_hf(config)
    assert config["model_type"] == model_type
    assert built(config) == counts(shape).n_total == counts(again).n_total
    assert counts(again).n_active == counts(shape).n_active
    assert again.n_moe_layers == shape.n_moe_layers


@pytest.mark.parametrize(
    "shape",
    [SMALL, replace(SMALL, attention=NORMED), SMALL_MOE, replace(SMALL_MOE, attention=HEADS), SMALL_MLA],
    ids=["llama", "qwen3", "qwen3_moe", "mixtral", "deepseek_v3"],
)
def test_an_exported_model_takes_a_training_step(shape):
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**to_hf(shape)), dtype=torch.float32)
    tokens = torch.arange(16).reshape(2, 8)
    loss = model(tokens, labels=tokens).loss
    loss.backward()
    assert torch.isfinite(loss)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


def test_the_longest_context_is_the_callers():
    assert to_hf(SMALL)["max_position_embeddings"] == 4096
    assert to_hf(SMALL, max_position_embeddings=32_768)["max_position_embeddings"] == 32_768


@pytest.mark.parametrize(
    ("shape", "named"),
    [
        (replace(SMALL, d_model=32.0), "d_model is 32.0"),
        (replace(SMALL, attention=replace(HEADS, n_heads=np.array([4, 8]))), "n_heads is array"),
        (replace(SMALL_MLA, d_shared=np.array([8, 16])), "d_shared is array"),
        (replace(SMALL_MOE, d_expert=16.5), "d_expert is 16.5"),
        (replace(SMALL_MOE, moe_layers=Layers(every=np.array([1, 2]))), "every is array"),
    ],
)
def test_grids_and_fractions_are_refused_by_name(shape, named):
    with pytest.raises(BadInput, match=f"not a grid or a relaxed shape: {named}"):
        to_hf(shape)


@pytest.mark.parametrize(
    ("shape", "named"),
    [
        (replace(SMALL_MLA, d_shared=24), "the nearest, deepseek_v3, can not have d_shared 24"),
        (replace(SMALL_MLA, moe_layers=Layers(every=2)), r"can not have moe_layers \(1, 3, 5\)"),
        (replace(SMALL, attention=replace(HEADS, sinks=True)), "the nearest, llama, can not have sinks True"),
        (replace(SMALL, attention=replace(HEADS, n_heads=5, n_kv_heads=5)), "heads that divide d_model"),
    ],
)
def test_what_no_architecture_can_hold_is_named(shape, named):
    with pytest.raises(BadInput, match=named):
        to_hf(shape)


def test_shapes_that_no_architecture_holds_are_refused():
    odd = replace(from_hf(OLMOE_1B_7B), n_shared_experts=1, d_shared=64)
    with pytest.raises(BadInput, match="none of the architectures"):
        to_hf(odd)
    windowed = from_hf(GPT_OSS_20B)
    with pytest.raises(BadInput, match="none of the architectures"):
        to_hf(windowed)
    with pytest.raises(BadInput, match="not a grid or a relaxed shape"):
        to_hf(ladder(ARCHITECTURES["yun2024"], [1e9, 2e9], 50_304).shapes(8))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hidden_size": 8}, "has no model_type"),
        ({"model_type": "mixtrl"}, "unknown architecture 'mixtrl'. Did you mean 'mixtral'"),
        ({"model_type": "llama4", "text_config": {}}, "pass its text_config"),
        ({"model_type": "llama"}, "llama config lacks vocab_size, hidden_size"),
        (
            {key: value for key, value in OLMOE_1B_7B.items() if key != "num_experts"} | {"num_expert": 64},
            r"olmoe config lacks num_experts \(there is 'num_expert'\)",
        ),
        (MIXTRAL_8X7B | {"hidden_size": -4096}, "hidden_size is -4096; it must be a whole number from 1"),
        (MIXTRAL_8X7B | {"hidden_size": 4096.5}, "hidden_size is 4096.5"),
        (MIXTRAL_8X7B | {"num_local_experts": True}, "num_local_experts is True"),
        (
            MIXTRAL_8X7B | {"num_local_experts": 10**12},
            "is 1000000000000; it must be a whole number from 1 to 100000000",
        ),
        (MIXTRAL_8X7B | {"hidden_size": 10**9}, "is 1000000000; it must be a whole number from 1 to 100000000"),
        (QWEN3_30B_A3B | {"num_hidden_layers": 10**6}, "is 1000000; it must be a whole number from 1 to 100000"),
        (MIXTRAL_8X7B | {"num_local_experts": 1, "num_experts_per_tok": 1}, "one expert behind a router"),
        (OLMOE_1B_7B | {"head_dim": 64}, "16 heads of 64 are not hidden_size 2048"),
        (PUBLISHED["Llama-3.1-8B"][0] | {"hidden_size": 8}, "num_attention_heads 32 exceeds hidden_size 8"),
        (DEEPSEEK_V2_LITE | {"mlp_bias": True, "n_shared_experts": 0}, "n_shared_experts is 0; it must be a whole"),
        (MIXTRAL_8X7B | {"num_experts_per_tok": 9}, "a token uses 9 experts, but there are 8"),
        (MIXTRAL_8X7B | {"tie_word_embeddings": "no"}, "tie_word_embeddings is 'no'; it must be true or false"),
        (QWEN3_30B_A3B | {"mlp_only_layers": 3}, "mlp_only_layers is 3; it must be a list of whole numbers"),
        (QWEN3_30B_A3B | {"hidden_size": float("nan")}, "hidden_size is nan"),
        (LLAMA_4_MAVERICK_TEXT | {"moe_layers": [1, 90]}, r"layers \[1, 90\] are not all from 0 to 47"),
        (GPT_OSS_20B | {"layer_types": ["full_attention"]}, "layer_types names 1 layers"),
        (DEEPSEEK_V2_LITE | {"n_routed_experts": "64"}, "n_routed_experts is '64'"),
        (GLM_4_5_AIR | {"first_k_dense_replace": -1}, "first_k_dense_replace is -1; it must be a whole number from 0"),
    ],
)
def test_wrong_configs_are_answered_in_words(config, message):
    with pytest.raises(BadInput, match=message):
        from_hf(config)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "is no JSON"), ("[]", "holds no JSON object"), (None, "No such file"), (b"\xff\xfe", "is no JSON")],
)
def test_files_that_are_no_config_are_named(tmp_path, content, message):
    path = tmp_path / "config.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput, match=message) as caught:
        from_hf(path)
    assert str(path) in str(caught.value)


def test_attention_without_a_head_for_each_key_is_counted_as_given():
    shape = from_hf(MIXTRAL_8X7B | {"num_key_value_heads": 1})
    assert isinstance(shape.attention, GroupedQuery)
    assert shape.attention.n_kv_heads == 1


def test_a_null_head_width_follows_from_the_others_and_an_absent_one_is_the_class_default():
    # The class resolves null so, though transformers' validation now refuses it: there is no model to compare with.
    absent = {key: value for key, value in GPT_OSS_20B.items() if key != "head_dim"}
    assert from_hf(absent | {"head_dim": None}).attention.head_dim == 2880 // 64
    assert from_hf(absent).attention.head_dim == AutoConfig.for_model(**absent).head_dim == 64
