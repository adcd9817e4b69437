"""The variables that laws are written in, each taken from a `ModelShape` and the training run.

A law names the variables it needs; the caller never passes a parameter count, so conventions can not be mixed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from moeconomics.shapes import ModelShape, counts, n_dense
from moeconomics.units import Array


@dataclass(frozen=True)
class Variable:
    """What a variable means in words, and how it reads a shape and its training tokens."""

    meaning: str
    of: Callable[[ModelShape, Array], Array]


def _experts_full_width(shape: ModelShape) -> Array:
    """Routed experts in units of the dense FFN: E for experts as wide as the FFN they replace."""
    experts = np.asarray(shape.n_experts)
    with np.errstate(divide="ignore", invalid="ignore"):
        full = experts * np.asarray(shape.d_expert) / np.asarray(shape.d_ff)
    return np.where(experts > 1, full, 1.0)


def _granularity(shape: ModelShape) -> Array:
    """d_ff / d_expert; 1 for a dense model."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.asarray(shape.d_ff) / np.asarray(shape.d_expert, dtype=float)
    return np.where(np.asarray(shape.n_experts) > 1, ratio, 1.0)


def _activated_experts(shape: ModelShape) -> Array:
    """Experts a token uses, routed and shared."""
    return shape.top_k + shape.n_shared_experts * (np.asarray(shape.n_experts) > 1)


def _activation_ratio(shape: ModelShape) -> Array:
    """(E_a + E_s)/(E + E_s): experts a token uses over all experts, routed and shared."""
    experts = np.asarray(shape.n_experts)
    return _activated_experts(shape) / (experts + shape.n_shared_experts * (experts > 1))


def _ling_granularity(shape: ModelShape) -> Array:
    """2·d_model / d_expert; for a dense model with d_ff as the one expert's width."""
    width = np.where(np.asarray(shape.n_experts) > 1, shape.d_expert, shape.d_ff)
    return 2 * np.asarray(shape.d_model) / width


VARIABLES: dict[str, Variable] = {
    "n_dense": Variable(
        "parameters of the corresponding dense model, embeddings included", lambda shape, _: n_dense(shape)
    ),
    "n_dense_non_embedding": Variable(
        "parameters of the corresponding dense model, embeddings excluded",
        lambda shape, _: counts(shape.dense_counterpart()).n_total_non_embedding,
    ),
    "n_active": Variable("active parameters, embeddings included", lambda shape, _: counts(shape).n_active),
    "n_total": Variable("all parameters, embeddings included", lambda shape, _: counts(shape).n_total),
    "n_total_non_embedding": Variable(
        "all parameters, embeddings and routers excluded",
        lambda shape, _: counts(shape).n_total_non_embedding - counts(shape).router,
    ),
    "experts": Variable(
        "E: routed experts per MoE layer, in units of the dense FFN's width",
        lambda shape, _: _experts_full_width(shape),
    ),
    "expert_share": Variable(
        "1 − S = K/E: share of the routed experts that a token uses",
        lambda shape, _: np.asarray(shape.top_k) / np.asarray(shape.n_experts),
    ),
    "granularity": Variable("d_ff / d_expert", lambda shape, _: _granularity(shape)),
    "activated_experts": Variable(
        "experts a token uses, routed and shared", lambda shape, _: _activated_experts(shape)
    ),
    "shared_share": Variable(
        "shared experts / activated experts",
        lambda shape, _: 1 - np.asarray(shape.top_k) / _activated_experts(shape),
    ),
    "activation_ratio": Variable(
        "A: experts a token uses over all experts, routed and shared", lambda shape, _: _activation_ratio(shape)
    ),
    "ling_granularity": Variable("2·d_model / d_expert", lambda shape, _: _ling_granularity(shape)),
    # Tian et al. 2025 define M in an appendix we have not seen; 6 FLOPs a parameter is our reading of it.
    "train_flops_non_embedding": Variable(
        "C = M·D, read as 6·active non-embedding parameters·D",
        lambda shape, tokens: 6 * counts(shape).n_active_non_embedding * np.asarray(tokens),
    ),
    "n_nonzero": Variable(
        "parameters that are not zero: all of them for every planned shape", lambda shape, _: counts(shape).n_total
    ),
    "weight_sparsity": Variable("share of weights that are zero: 0 for every planned shape", lambda *_: 0.0),
    "tokens": Variable("D: training tokens", lambda _, tokens: tokens),
    "tokens_per_active": Variable(
        "D / active parameters", lambda shape, tokens: np.asarray(tokens) / counts(shape).n_active
    ),
    "unique_tokens": Variable(
        "different tokens among D: all of them, unless the law is wrapped in `repeated`", lambda _, tokens: tokens
    ),
}

# What a law of dense models has fixed. `experts` alone would pass 8 experts of 1/8 the width.
DENSE_ONLY = {"experts": 1.0, "expert_share": 1.0}
