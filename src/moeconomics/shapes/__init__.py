"""What a model is: dimensions, exact counts, FLOPs and bytes, the ladder of realisable sizes, HF configs.

In: dimensions, a target size, a Hugging Face `config.json`, or the name of a public model. Out: `ModelShape` and
counts of it. Theory: Yun et al. 2024 (arXiv 2404.02852) §2.1 and App. C; DeepSeek-V2 (2405.04434) for MLA; Gated
DeltaNet (2412.06464) for linear attention.
Nothing here knows losses, chips or prices.
"""

from moeconomics.shapes.architectures import ARCHITECTURES, Architecture, get_architecture
from moeconomics.shapes.attention import Attention, GatedDelta, GroupedQuery, Latent
from moeconomics.shapes.catalogue import PublicModel, get_model, get_public_model, load_models
from moeconomics.shapes.compute import (
    FLOP_COUNTS,
    attention_flops,
    body_matmul_params,
    bytes_kv,
    bytes_kv_per_token,
    bytes_weights,
    decode_flops,
    head_params,
    mean_context,
    prefill_flops,
    train_flops_per_token,
)
from moeconomics.shapes.counts import Counts, counts, n_dense
from moeconomics.shapes.ladder import Ladder, ladder, realise, relaxed
from moeconomics.shapes.shape import NO_LAYERS, Layers, ModelShape, map_dimensions, pick

__all__ = [
    "ARCHITECTURES",
    "FLOP_COUNTS",
    "NO_LAYERS",
    "Architecture",
    "Attention",
    "Counts",
    "GatedDelta",
    "GroupedQuery",
    "Ladder",
    "Latent",
    "Layers",
    "ModelShape",
    "PublicModel",
    "attention_flops",
    "body_matmul_params",
    "bytes_kv",
    "bytes_kv_per_token",
    "bytes_weights",
    "counts",
    "decode_flops",
    "get_architecture",
    "get_model",
    "get_public_model",
    "head_params",
    "ladder",
    "load_models",
    "map_dimensions",
    "mean_context",
    "n_dense",
    "pick",
    "prefill_flops",
    "realise",
    "relaxed",
    "train_flops_per_token",
]
