"""From a planned `ModelShape` to a Hugging Face config that builds the same parameters."""

import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from moeconomics.errors import BadInput
from moeconomics.shapes.attention import Attention, GatedDelta, GroupedQuery, Latent
from moeconomics.shapes.huggingface.reading import from_hf
from moeconomics.shapes.shape import Layers, ModelShape


def to_hf(shape: ModelShape, *, max_position_embeddings: int = 4096) -> dict[str, Any]:
    """Write a shape as the first architecture that, read back, gives the same shape.

    Dense shapes become Llama, Qwen2 or Qwen3, with MLA DeepSeek-V3; MoE shapes Mixtral, Qwen3-MoE, Qwen2-MoE or
    DeepSeek-V3. `max_position_embeddings`: the longest context in tokens; no parameter depends on it.
    Errors: `BadInput` for dimensions that are no whole numbers, or that none of these can hold.
    """
    _refuse_grids(shape)
    if not shape.n_moe_layers:
        shape = shape.dense_counterpart()
    wanted = _canonical(shape)
    misfits: dict[str, list[str]] = {}
    for write in _WRITERS:
        config = write(shape)
        if config is None:
            continue
        differences = _differences(wanted, _canonical(from_hf(config)))
        if not differences:
            return config | {"max_position_embeddings": max_position_embeddings}
        misfits[config["model_type"]] = differences
    nearest = min(misfits, key=lambda model_type: len(misfits[model_type]))
    raise BadInput(
        f"none of the architectures this can write holds the shape; the nearest, {nearest}, can not have "
        f"{', '.join(misfits[nearest])}. They hold MHA or GQA (with or without QK norm, or with QKV bias; "
        f"without either, heads that divide d_model) and MLA, no windows, no linear attention; experts in every layer, "
        f"in any layers with QK norm or QKV bias, or after the first few with MLA"
    )


def _refuse_grids(shape: ModelShape) -> None:
    """A config describes one model: every dimension is a Python int (`pick` makes them of an array's)."""
    attentions = (shape.attention, shape.linear_attention)
    for part in (shape, *attentions, shape.moe_layers, shape.windowed_layers, shape.linear_layers):
        for field in fields(part):
            value = getattr(part, field.name)
            no_dimension = field.name == "sliding_window" or value is None
            if not no_dimension and not isinstance(value, int | str | tuple | Attention | GatedDelta | Layers):
                raise BadInput(
                    f"only one model of whole numbers can be written as a config, not a grid or a relaxed shape: "
                    f"{field.name} is {value!r}"
                )


def _differences(wanted: ModelShape, got: ModelShape) -> list[str]:
    """What the shape asks for and an architecture can not have, as `field value`."""
    found = []
    for ours, theirs in ((wanted, got), (wanted.attention, got.attention)):
        for field in fields(ours):
            value = getattr(ours, field.name)
            if field.name != "attention" and value != getattr(theirs, field.name):
                found.append(f"{field.name} {value.listed if isinstance(value, Layers) else value}")
    return found


def _canonical(shape: ModelShape) -> ModelShape:
    """The same model written one way: layers by index, and nothing said of experts or widths that do not exist."""
    moe = shape.moe_layers.indices(shape.n_layers) if shape.n_experts > 1 else ()
    windowed = shape.windowed_layers.indices(shape.n_layers)
    plain = replace(
        shape,
        moe_layers=Layers(listed=moe),
        windowed_layers=Layers(listed=windowed),
        sliding_window=shape.sliding_window if windowed else math.inf,
        d_ff=shape.d_ff if len(moe) < shape.n_layers else 0,
        shared_gate=shape.shared_gate and bool(moe),
    )
    if moe:
        return replace(plain, d_shared=shape.d_shared if shape.n_shared_experts else 0)
    return replace(plain, d_expert=0, n_experts=1, top_k=1, n_shared_experts=0, d_shared=0)


def _common(shape: ModelShape, model_type: str, architecture: str) -> dict[str, Any]:
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.d_model,
        # Where every layer has experts the dense width is nobody's, and a shape may leave it 0.
        "intermediate_size": shape.d_ff or shape.d_expert,
        "num_hidden_layers": shape.n_layers,
        "tie_word_embeddings": shape.tied_embeddings,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "use_cache": True,
        "dtype": "bfloat16",
    }


def _grouped(attention: GroupedQuery) -> dict[str, Any]:
    return {
        "num_attention_heads": attention.n_heads,
        "num_key_value_heads": attention.n_kv_heads,
        "head_dim": attention.head_dim,
    }


def _out_bias(shape: ModelShape) -> bool:
    """The `attention_bias` of Llama and Qwen3, which is on all four projections: the output's tells."""
    return isinstance(shape.attention, GroupedQuery) and shape.attention.out_bias


def _experts(shape: ModelShape) -> dict[str, Any]:
    sparse = shape.moe_layers.indices(shape.n_layers)
    step = shape.moe_layers.every if shape.moe_layers.listed is None else 1
    return {
        "num_experts": shape.n_experts,
        "num_experts_per_tok": shape.top_k,
        "moe_intermediate_size": shape.d_expert,
        "norm_topk_prob": True,
        "router_aux_loss_coef": 0.01,
        "output_router_logits": False,
        "decoder_sparse_step": step,
        "mlp_only_layers": [i for i in Layers(every=step).indices(shape.n_layers) if i not in sparse],
    }


def _llama(shape: ModelShape) -> dict[str, Any] | None:
    if isinstance(shape.attention, GroupedQuery) and shape.d_model % shape.attention.n_heads:
        return None  # transformers refuses such a Llama, whatever its head_dim
    own = {"attention_bias": _out_bias(shape), "mlp_bias": shape.ffn_bias}
    return _dense(shape, "llama", "LlamaForCausalLM", own)


def _qwen2(shape: ModelShape) -> dict[str, Any] | None:
    return _dense(shape, "qwen2", "Qwen2ForCausalLM", {"use_sliding_window": False})


def _qwen3(shape: ModelShape) -> dict[str, Any] | None:
    return _dense(shape, "qwen3", "Qwen3ForCausalLM", {"attention_bias": _out_bias(shape), "use_sliding_window": False})


def _dense(shape: ModelShape, model_type: str, architecture: str, own: dict[str, Any]) -> dict[str, Any] | None:
    if shape.n_experts > 1 or not isinstance(shape.attention, GroupedQuery):
        return None
    return _common(shape, model_type, architecture) | _grouped(shape.attention) | own


def _mixtral(shape: ModelShape) -> dict[str, Any] | None:
    if shape.n_experts == 1 or not isinstance(shape.attention, GroupedQuery):
        return None
    return (
        _common(shape, "mixtral", "MixtralForCausalLM")
        | _grouped(shape.attention)
        | {
            "intermediate_size": shape.d_expert,
            "num_local_experts": shape.n_experts,
            "num_experts_per_tok": shape.top_k,
            "router_aux_loss_coef": 0.01,
            "output_router_logits": False,
            "sliding_window": None,
        }
    )


def _qwen3_moe(shape: ModelShape) -> dict[str, Any] | None:
    if shape.n_experts == 1 or not isinstance(shape.attention, GroupedQuery):
        return None
    common = _common(shape, "qwen3_moe", "Qwen3MoeForCausalLM") | _grouped(shape.attention)
    return common | _experts(shape) | {"attention_bias": _out_bias(shape), "use_sliding_window": False}


def _qwen2_moe(shape: ModelShape) -> dict[str, Any] | None:
    if shape.n_experts == 1 or not isinstance(shape.attention, GroupedQuery):
        return None
    common = _common(shape, "qwen2_moe", "Qwen2MoeForCausalLM") | _grouped(shape.attention)
    shared = {"shared_expert_intermediate_size": max(shape.d_shared, 1), "qkv_bias": True, "use_sliding_window": False}
    return common | _experts(shape) | shared


def _deepseek_v3(shape: ModelShape) -> dict[str, Any] | None:
    attention = shape.attention
    if not isinstance(attention, Latent):
        return None
    sparse = shape.n_experts > 1
    return _common(shape, "deepseek_v3", "DeepseekV3ForCausalLM") | {
        "num_attention_heads": attention.n_heads,
        "num_key_value_heads": attention.n_heads,
        "q_lora_rank": attention.q_lora_rank or None,
        "kv_lora_rank": attention.kv_lora_rank,
        "qk_nope_head_dim": attention.qk_nope_head_dim,
        "qk_rope_head_dim": attention.qk_rope_head_dim,
        "v_head_dim": attention.v_head_dim,
        "attention_bias": attention.bias,
        # A dense model is one whose dense layers never end; its expert fields are then read by nobody.
        "first_k_dense_replace": shape.moe_layers.indices(shape.n_layers)[0] if sparse else shape.n_layers,
        "n_routed_experts": shape.n_experts if sparse else 2,
        "num_experts_per_tok": shape.top_k,
        "moe_intermediate_size": shape.d_expert if sparse else 1,
        "n_shared_experts": shape.n_shared_experts if sparse else 1,
        "n_group": 1,
        "topk_group": 1,
        "norm_topk_prob": True,
        "routed_scaling_factor": 1.0,
        # As DeepSeek's own config.json: transformers never asks, and vLLM would take a softmax and no bias.
        "topk_method": "noaux_tc",
        "scoring_func": "sigmoid",
    }


_WRITERS: tuple[Callable[[ModelShape], dict[str, Any] | None], ...] = (
    _llama,
    _qwen2,
    _qwen3,
    _mixtral,
    _qwen3_moe,
    _qwen2_moe,
    _deepseek_v3,
)
