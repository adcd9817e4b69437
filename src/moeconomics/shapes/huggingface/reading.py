"""From a Hugging Face `config.json` to a `ModelShape`, one reader a family.

A reader takes the keys that decide a count as `transformers` 5 reads them, and the same defaults where a key may
be absent. Keys without a safe default are required.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moeconomics.errors import BadInput, unknown_name
from moeconomics.shapes.attention import GatedDelta, GroupedQuery, Latent
from moeconomics.shapes.huggingface.config import Config, Family, load
from moeconomics.shapes.shape import NO_LAYERS, Layers, ModelShape

BASIC = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
LATENT = ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
EXPERTS = ("num_experts", "num_experts_per_tok")
LINEAR = ("linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim")
LOCAL_EXPERTS = ("num_local_experts", "num_experts_per_tok")
ROUTED = ("n_routed_experts", "num_experts_per_tok", "n_shared_experts", "moe_intermediate_size")


def from_hf(config: Mapping[str, Any] | str | Path) -> ModelShape:
    """Read a Hugging Face config: a dict, a path to a config.json, or a folder that holds one.

    The counts of the shape equal those of the model that `transformers` builds from the same config.
    Errors: `BadInput` for an unknown architecture (with the nearest known), a missing or impossible key, or a file
    that can not be read.
    """
    raw = config if isinstance(config, Mapping) else load(Path(config))
    model_type = raw.get("model_type")
    if not isinstance(model_type, str):
        raise BadInput("the config has no model_type, such as llama or mixtral: is it a model's config.json?")
    if model_type not in HF_FAMILIES:
        if isinstance(raw.get("text_config"), Mapping):
            raise BadInput(f"{model_type} is multimodal: pass its text_config, the language model's own config")
        raise unknown_name("architecture", model_type, HF_FAMILIES)
    family = HF_FAMILIES[model_type]
    return family.read(Config(raw, model_type, family))


def _llama(c: Config) -> ModelShape:
    bias = c.flag("attention_bias", False)
    return _dense(c, _grouped(c, qkv_bias=bias, out_bias=bias), ffn_bias=c.flag("mlp_bias", False))


def _mistral(c: Config) -> ModelShape:
    return _dense(c, _grouped(c, kv_heads=8), **_windowed(_window(c, 4096), Layers()))


def _qwen2(c: Config) -> ModelShape:
    return _dense(c, _grouped(c, kv_heads=32, qkv_bias=True), **_qwen_window(c))


def _qwen3(c: Config) -> ModelShape:
    bias = c.flag("attention_bias", False)
    attention = _grouped(c, kv_heads=32, head_dim=128, qkv_bias=bias, out_bias=bias, qk_norm="head")
    return _dense(c, attention, **_qwen_window(c))


def _mixtral(c: Config) -> ModelShape:
    return _sparse(
        c,
        _grouped(c, kv_heads=8),
        experts=c.whole("num_local_experts"),
        top_k=c.whole("num_experts_per_tok"),
        d_expert=c.whole("intermediate_size"),
        **_windowed(_window(c, None), Layers()),
    )


def _qwen2_moe(c: Config) -> ModelShape:
    return _sparse(
        c,
        _grouped(c, kv_heads=16, qkv_bias=c.flag("qkv_bias", True)),
        experts=c.whole("num_experts", least=0),
        top_k=c.whole("num_experts_per_tok"),
        d_expert=c.whole("moe_intermediate_size"),
        moe_layers=_qwen_moe_layers(c),
        n_shared_experts=1,
        d_shared=c.whole("shared_expert_intermediate_size"),
        shared_gate=True,
        **_qwen2_moe_window(c),
    )


def _qwen3_moe(c: Config) -> ModelShape:
    bias = c.flag("attention_bias", False)
    window = _window(c, 4096) if c.flag("use_sliding_window", False) else None
    return _sparse(
        c,
        _grouped(c, kv_heads=4, qkv_bias=bias, out_bias=bias, qk_norm="head"),
        experts=c.whole("num_experts", least=0),
        top_k=c.whole("num_experts_per_tok"),
        d_expert=c.whole("moe_intermediate_size"),
        moe_layers=_qwen_moe_layers(c),
        **_windowed(window, Layers()),
    )


def _qwen3_next(c: Config) -> ModelShape:
    return _hybrid(c, d_ff=c.whole("intermediate_size"), moe_layers=_qwen_moe_layers(c))


def _qwen3_5_moe(c: Config) -> ModelShape:
    # No dense width is named: as Qwen3-Next's, that of all experts a token uses.
    routed = c.whole("num_experts_per_tok") * c.whole("moe_intermediate_size")
    return _hybrid(c, d_ff=routed + c.whole("shared_expert_intermediate_size"))


def _hybrid(c: Config, **kinds: Any) -> ModelShape:
    """Qwen3-Next and Qwen3.5: linear attention but in every fourth layer, one shared expert."""
    bias = c.flag("attention_bias", False)
    depth, every = c.whole("num_hidden_layers"), c.whole("full_attention_interval", 4)
    names = c.listing("layer_types", str)
    return _sparse(
        c,
        _grouped(c, kv_heads=2, head_dim=256, qkv_bias=bias, out_bias=bias, qk_norm="head", gated=True),
        experts=c.whole("num_experts"),
        top_k=c.whole("num_experts_per_tok"),
        d_expert=c.whole("moe_intermediate_size"),
        n_shared_experts=1,
        d_shared=c.whole("shared_expert_intermediate_size"),
        shared_gate=True,
        linear_attention=GatedDelta(
            n_key_heads=c.whole("linear_num_key_heads"),
            n_value_heads=c.whole("linear_num_value_heads"),
            key_head_dim=c.whole("linear_key_head_dim"),
            value_head_dim=c.whole("linear_value_head_dim"),
            conv_width=c.whole("linear_conv_kernel_dim", 4),
        ),
        linear_layers=_named(c, names, "linear_attention") or _layers([i for i in range(depth) if (i + 1) % every], c),
        **kinds,
    )


def _minimax_m2(c: Config) -> ModelShape:
    return _sparse(
        c,
        _grouped(c, kv_heads=8, head_dim=128, qk_norm="full"),
        experts=c.whole("num_local_experts"),
        top_k=c.whole("num_experts_per_tok"),
        d_expert=c.whole("intermediate_size"),
    )


def _olmoe(c: Config) -> ModelShape:
    bias = c.flag("attention_bias", False)
    attention = _grouped(c, qkv_bias=bias, out_bias=bias, qk_norm="full")
    if attention.n_heads * attention.head_dim != c.whole("hidden_size"):
        # transformers builds such a model, but its query norm does not fit its queries: it can not run.
        raise BadInput(
            f"olmoe config: {attention.n_heads} heads of {attention.head_dim} are not hidden_size "
            f"{c.whole('hidden_size')}, as the query norm needs: leave out head_dim, and choose heads that divide it"
        )
    return _sparse(
        c,
        attention,
        experts=c.whole("num_experts"),
        top_k=c.whole("num_experts_per_tok"),
        d_expert=c.whole("intermediate_size"),
    )


def _deepseek_v2(c: Config) -> ModelShape:
    bias = c.flag("mlp_bias", False)
    # Without shared experts transformers would still build the bias of their output.
    return _deepseek(c, first_dense=0, least_shared=int(bias), ffn_bias=bias)


def _deepseek_v3(c: Config) -> ModelShape:
    return _deepseek(c, first_dense=3)


def _deepseek(c: Config, first_dense: int, least_shared: int = 0, **kinds: Any) -> ModelShape:
    # A null rank is DeepSeek-V2-Lite's direct query projection; an absent one is the class default.
    direct = c.raw.get("q_lora_rank", 1536) is None
    attention = Latent(
        n_heads=c.whole("num_attention_heads"),
        q_lora_rank=0 if direct else c.whole("q_lora_rank", 1536),
        kv_lora_rank=c.whole("kv_lora_rank"),
        qk_nope_head_dim=c.whole("qk_nope_head_dim"),
        qk_rope_head_dim=c.whole("qk_rope_head_dim"),
        v_head_dim=c.whole("v_head_dim"),
        bias=c.flag("attention_bias", False),
    )
    return _sparse(
        c,
        attention,
        experts=c.whole("n_routed_experts"),
        top_k=c.whole("num_experts_per_tok"),
        d_expert=c.whole("moe_intermediate_size"),
        moe_layers=_after(c, first_dense),
        n_shared_experts=c.whole("n_shared_experts", least=least_shared),
        d_shared=c.whole("moe_intermediate_size"),
        **kinds,
    )


def _gpt_oss(c: Config) -> ModelShape:
    bias = c.flag("attention_bias", True)
    names = c.listing("layer_types", str)
    return _sparse(
        c,
        _grouped(c, kv_heads=8, head_dim=64, qkv_bias=bias, out_bias=bias, sinks=True),
        experts=c.whole("num_local_experts"),
        top_k=c.whole("num_experts_per_tok"),
        d_expert=c.whole("intermediate_size"),
        expert_bias=True,
        router_bias=True,
        **_windowed(
            _window(c, 128),
            _named(c, names, "sliding_attention") or _layers(range(0, c.whole("num_hidden_layers"), 2), c),
        ),
    )


def _llama4_text(c: Config) -> ModelShape:
    bias = c.flag("attention_bias", False)
    depth = c.whole("num_hidden_layers")
    listed = c.listing("moe_layers", int)
    sparse = Layers(every=c.whole("interleave_moe_layer_step", 1)).indices(depth) if listed is None else listed
    names = c.listing("layer_types", str)
    every = c.whole("no_rope_layer_interval", 4)
    rotary = c.listing("no_rope_layers", int) or [int((i + 1) % every != 0) for i in range(depth)]
    chunked = [i for i, has_rope in enumerate(rotary) if has_rope]
    return _sparse(
        c,
        _grouped(c, kv_heads=8, head_dim=128, qkv_bias=bias, out_bias=bias),
        experts=c.whole("num_local_experts"),
        top_k=c.whole("num_experts_per_tok", 1),
        d_expert=c.whole("intermediate_size"),
        d_ff=c.whole("intermediate_size_mlp"),
        moe_layers=_layers(sparse, c),
        n_shared_experts=1,
        d_shared=c.whole("intermediate_size"),
        # A chunk is at most as long as a window of the same size, and on average half of it is seen.
        **_windowed(
            _window(c, 8192, "attention_chunk_size"),
            _named(c, names, "chunked_attention") or _layers(chunked, c),
        ),
    )


def _glm4_moe(c: Config) -> ModelShape:
    norm = "head" if c.flag("use_qk_norm", False) else "none"
    return _sparse(
        c,
        _grouped(c, kv_heads=8, qkv_bias=c.flag("attention_bias", False), qk_norm=norm),
        experts=c.whole("n_routed_experts"),
        top_k=c.whole("num_experts_per_tok"),
        d_expert=c.whole("moe_intermediate_size"),
        moe_layers=_after(c, 1),
        n_shared_experts=c.whole("n_shared_experts", least=0),
        d_shared=c.whole("moe_intermediate_size"),
    )


def _ernie4_5_moe(c: Config) -> ModelShape:
    bias = c.flag("use_bias", False)
    depth = c.whole("num_hidden_layers")
    every, first = c.whole("moe_layer_interval", 1), c.whole("moe_layer_start_index", 1, least=0)
    last = c.whole("moe_layer_end_index", -1, least=-1)
    last = depth - 1 if last == -1 else last
    sparse = [i for i in range(first, min(last + 1, depth)) if (i + 1) % every == 0]
    return _sparse(
        c,
        _grouped(c, kv_heads=4, qkv_bias=bias, out_bias=bias),
        experts=c.whole("moe_num_experts"),
        top_k=c.whole("moe_k"),
        d_expert=c.whole("moe_intermediate_size"),
        moe_layers=_layers(sparse, c),
        n_shared_experts=c.whole("moe_num_shared_experts", least=0),
        d_shared=c.whole("moe_intermediate_size"),
        ffn_bias=bias,
        head_bias=bias,
        router_bias=True,  # the correction bias, a parameter here and a buffer elsewhere
        tied=True,
    )


def _granitemoe(c: Config) -> ModelShape:
    bias = c.flag("attention_bias", False)
    return _sparse(
        c,
        _grouped(c, qkv_bias=bias, out_bias=bias),
        experts=c.whole("num_local_experts"),
        top_k=c.whole("num_experts_per_tok"),
        d_expert=c.whole("intermediate_size"),
    )


def _grouped(c: Config, *, kv_heads: int | None = None, head_dim: int | None = None, **kinds: Any) -> GroupedQuery:
    """Grouped-query attention; the defaults are those of the family's config class."""
    heads, d_model = c.whole("num_attention_heads"), c.whole("hidden_size")
    # An absent key is the class default; a null one follows from the other dimensions.
    width = d_model // heads if c.raw.get("head_dim", head_dim) is None else head_dim
    if width == 0:
        raise BadInput(f"{c.model_type} config: num_attention_heads {heads} exceeds hidden_size {d_model}")
    if kv_heads is None or c.raw.get("num_key_value_heads", kv_heads) is None:
        kv_heads = heads
    return GroupedQuery(
        n_heads=heads,
        n_kv_heads=c.whole("num_key_value_heads", kv_heads),
        head_dim=c.whole("head_dim", width),
        **kinds,
    )


def _dense(c: Config, attention: GroupedQuery, **kinds: Any) -> ModelShape:
    return ModelShape(
        vocab_size=c.whole("vocab_size"),
        d_model=c.whole("hidden_size"),
        n_layers=c.whole("num_hidden_layers"),
        attention=attention,
        d_ff=c.whole("intermediate_size"),
        tied_embeddings=c.flag("tie_word_embeddings", False),
        **kinds,
    )


def _sparse(
    c: Config,
    attention: GroupedQuery | Latent,
    *,
    experts: int,
    top_k: int,
    d_expert: int,
    d_ff: int | None = None,
    tied: bool = False,
    **kinds: Any,
) -> ModelShape:
    """A model with experts; without a dense width of its own, its FFNs are as wide as its experts."""
    sparse = experts > 0 and kinds.get("moe_layers", Layers()) != NO_LAYERS
    if experts == 1 and sparse:
        raise BadInput(
            f"{c.model_type} config: one expert behind a router; write it as a dense model, which has no router"
        )
    if top_k > experts and sparse:
        raise BadInput(f"{c.model_type} config: a token uses {top_k} experts, but there are {experts}")
    return ModelShape(
        vocab_size=c.whole("vocab_size"),
        d_model=c.whole("hidden_size"),
        n_layers=c.whole("num_hidden_layers"),
        attention=attention,
        d_ff=c.whole("intermediate_size") if d_ff is None else d_ff,
        d_expert=d_expert,
        n_experts=experts if sparse else 1,
        top_k=top_k if sparse else 1,
        tied_embeddings=c.flag("tie_word_embeddings", tied),
        **kinds,
    )


def _layers(indices: Any, c: Config) -> Layers:
    """Layers by index, as a rule where they follow one."""
    listed, depth = tuple(sorted(set(indices))), c.whole("num_hidden_layers")
    if listed and not 0 <= listed[0] <= listed[-1] < depth:
        raise BadInput(f"{c.model_type} config: layers {list(listed)} are not all from 0 to {depth - 1}")
    if listed:
        every = listed[1] - listed[0] if len(listed) > 1 else listed[0] + 1
        for rule in (Layers(every=every), Layers(every=every, first=listed[0])):
            if rule.indices(depth) == listed:
                return rule
    return Layers(listed=listed)


def _after(c: Config, default: int) -> Layers:
    """All layers but the first few (`first_k_dense_replace`)."""
    first = c.whole("first_k_dense_replace", default, least=0)
    return Layers(first=first) if first < c.whole("num_hidden_layers") else NO_LAYERS


def _qwen_moe_layers(c: Config) -> Layers:
    """Every `decoder_sparse_step`-th layer that `mlp_only_layers` does not name."""
    dense = set(c.listing("mlp_only_layers", int) or ())
    sparse = Layers(every=c.whole("decoder_sparse_step", 1)).indices(c.whole("num_hidden_layers"))
    return _layers([i for i in sparse if i not in dense], c)


def _named(c: Config, names: list[str] | None, wanted: str) -> Layers | None:
    """The layers of one kind in `layer_types`, or None where the config has no such list."""
    if names is None:
        return None
    if len(names) != c.whole("num_hidden_layers"):
        raise BadInput(f"{c.model_type} config: layer_types names {len(names)} layers of num_hidden_layers")
    return _layers([i for i, name in enumerate(names) if name == wanted], c)


def _window(c: Config, default: int | None, key: str = "sliding_window") -> int | None:
    """The window in tokens: a null one is none at all, an absent one the class default."""
    return None if c.raw.get(key, default) is None else c.whole(key, default)


def _windowed(window: int | None, layers: Layers) -> dict[str, Any]:
    if window is None or layers == NO_LAYERS:
        return {"sliding_window": math.inf, "windowed_layers": NO_LAYERS}
    return {"sliding_window": window, "windowed_layers": layers}


def _qwen_window(c: Config) -> dict[str, Any]:
    """Qwen2 and Qwen3: the layers from `max_window_layers` on, when switched on."""
    if not c.flag("use_sliding_window", False):
        return _windowed(None, NO_LAYERS)
    depth = c.whole("num_hidden_layers")
    named = _named(c, c.listing("layer_types", str), "sliding_attention")
    after = _layers(range(min(c.whole("max_window_layers", 28, least=0), depth), depth), c)
    return _windowed(_window(c, 4096), after if named is None else named)


def _qwen2_moe_window(c: Config) -> dict[str, Any]:
    """Qwen2-MoE: every other layer below `max_window_layers`, when switched on."""
    if not c.flag("use_sliding_window", False):
        return _windowed(None, NO_LAYERS)
    named = _named(c, c.listing("layer_types", str), "sliding_attention")
    below = min(c.whole("max_window_layers", 28, least=0), c.whole("num_hidden_layers"))
    return _windowed(_window(c, 4096), _layers(range(0, below, 2), c) if named is None else named)


HF_FAMILIES: dict[str, Family] = {
    "llama": Family(_llama, BASIC),
    "mistral": Family(_mistral, BASIC),
    "qwen2": Family(_qwen2, BASIC),
    "qwen3": Family(_qwen3, BASIC),
    "mixtral": Family(_mixtral, (*BASIC, *LOCAL_EXPERTS), {"num_experts": "num_local_experts"}),
    "qwen2_moe": Family(
        _qwen2_moe,
        (*BASIC, *EXPERTS, "moe_intermediate_size", "shared_expert_intermediate_size"),
        {"num_local_experts": "num_experts"},
    ),
    "qwen3_moe": Family(_qwen3_moe, (*BASIC, *EXPERTS, "moe_intermediate_size"), {"num_local_experts": "num_experts"}),
    "qwen3_next": Family(
        _qwen3_next,
        (*BASIC, *EXPERTS, "moe_intermediate_size", "shared_expert_intermediate_size", *LINEAR),
    ),
    "qwen3_5_moe_text": Family(
        _qwen3_5_moe,
        (*BASIC[:-1], *EXPERTS, "moe_intermediate_size", "shared_expert_intermediate_size", *LINEAR),
    ),
    "minimax_m2": Family(_minimax_m2, (*BASIC, *LOCAL_EXPERTS), {"num_experts": "num_local_experts"}),
    "olmoe": Family(_olmoe, (*BASIC, *EXPERTS), {"num_local_experts": "num_experts"}),
    "deepseek_v2": Family(_deepseek_v2, (*BASIC, *LATENT, *ROUTED), {"num_experts": "n_routed_experts"}),
    "deepseek_v3": Family(_deepseek_v3, (*BASIC, *LATENT, *ROUTED), {"num_local_experts": "n_routed_experts"}),
    "gpt_oss": Family(_gpt_oss, (*BASIC, *LOCAL_EXPERTS), {"num_experts": "num_local_experts"}),
    "llama4_text": Family(_llama4_text, (*BASIC, "intermediate_size_mlp", "num_local_experts")),
    "glm4_moe": Family(_glm4_moe, (*BASIC, *ROUTED), {"num_local_experts": "n_routed_experts"}),
    "ernie4_5_moe": Family(
        _ernie4_5_moe,
        (*BASIC, "moe_num_experts", "moe_k", "moe_num_shared_experts", "moe_intermediate_size"),
        {"num_experts": "moe_num_experts", "num_experts_per_tok": "moe_k"},
    ),
    "granitemoe": Family(_granitemoe, (*BASIC, *LOCAL_EXPERTS)),
}
