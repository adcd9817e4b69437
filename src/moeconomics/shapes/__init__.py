"""What a model is: dimensions, exact counts, FLOPs and bytes, the ladder of realisable sizes, HF configs.

In: dimensions, a target size, or a Hugging Face `config.json`. Out: `ModelShape` and counts of it.
Theory: Yun et al. 2024 (arXiv 2404.02852) §2.1 and App. C; DeepSeek-V2 (2405.04434) for MLA.
Nothing here knows losses, chips or prices.
"""

from moeconomics.shapes.architectures import ARCHITECTURES, Architecture, get_architecture
from moeconomics.shapes.attention import Attention, GroupedQuery, Latent
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
    "GroupedQuery",
    "Ladder",
    "Latent",
    "Layers",
    "ModelShape",
    "attention_flops",
    "body_matmul_params",
    "bytes_kv",
    "bytes_kv_per_token",
    "bytes_weights",
    "counts",
    "decode_flops",
    "get_architecture",
    "head_params",
    "ladder",
    "map_dimensions",
    "mean_context",
    "n_dense",
    "pick",
    "prefill_flops",
    "realise",
    "relaxed",
    "train_flops_per_token",
]
