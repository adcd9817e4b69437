"""FLOPs and bytes of a shape: training, prefill, decode; weights and KV cache.

One multiply-add is 2 FLOPs. Only matrix products count (embedding look-ups, norms and biases do not), so the
"exact" figures are those of the products a forward pass runs; the backward pass costs twice the forward.
"""

from collections.abc import Callable

import numpy as np

from moeconomics.errors import unknown_name
from moeconomics.shapes.counts import counts, n_dense
from moeconomics.shapes.shape import ModelShape
from moeconomics.units import BYTES_PER_ELEMENT, Array


def body_matmul_params(shape: ModelShape) -> Array:
    """Parameters multiplied for one token in the layers, the output head excluded."""
    d, moe, linear = shape.d_model, shape.n_moe_layers, shape.n_linear_layers
    routed = shape.top_k * shape.d_expert + shape.n_shared_experts * shape.d_shared
    gate = 1 if shape.shared_gate else 0
    return (
        (shape.n_layers - linear) * shape.attention.matrix_params(d)
        + linear * shape.linear_attention.matrix_params(d)
        + (shape.n_layers - moe) * 3 * d * shape.d_ff
        + moe * (3 * d * routed + d * (shape.n_experts + gate))
    )


def head_params(shape: ModelShape) -> Array:
    """Parameters of the output head (multiplied also when tied to the input embedding)."""
    return shape.vocab_size * shape.d_model


def mean_context(seq_len: Array, window: Array = np.inf) -> Array:
    """Mean number of positions a causal token attends to, itself included, over a sequence.

    >>> float(mean_context(4)), float(mean_context(4, window=2))
    (2.5, 1.75)
    """
    seen = np.minimum(seq_len, window)
    return (seen * (seen + 1) / 2 + (seq_len - seen) * seen) / seq_len


def attention_flops(shape: ModelShape, seq_len: Array) -> Array:
    """FLOPs per token of scoring and mixing in one forward pass over causal sequences of `seq_len`."""

    def layer(window: Array) -> Array:
        return shape.attention.score_flops(mean_context(seq_len, window), cached=False)

    windowed, linear = shape.n_windowed_layers, shape.n_linear_layers
    scores = (shape.n_layers - windowed - linear) * layer(np.inf) + windowed * layer(shape.sliding_window)
    return scores + linear * shape.linear_attention.token_flops()


# Training FLOPs per token by named convention, of (shape, seq_len).
FLOP_COUNTS: dict[str, Callable[[ModelShape, Array], Array]] = {
    # N the corresponding dense size, embeddings included: the paper's C = 6ND (App. A) read for an MoE.
    "6nd": lambda shape, _: 6 * n_dense(shape),
    # N active parameters, embeddings included: Ludziejewski et al. 2025, §2.
    "6nd-active": lambda shape, _: 6 * counts(shape).n_active,
    # Three forward passes' worth of matrix products, without attention scores.
    "matmul": lambda shape, _: 6 * (body_matmul_params(shape) + head_params(shape)),
    # The same with attention scores.
    "exact": lambda shape, seq_len: (
        6 * (body_matmul_params(shape) + head_params(shape)) + 3 * attention_flops(shape, seq_len)
    ),
}


def train_flops_per_token(shape: ModelShape, convention: str, seq_len: Array = 2048) -> Array:
    """Training FLOPs per token under one of the named conventions of `FLOP_COUNTS`."""
    if convention not in FLOP_COUNTS:
        raise unknown_name("FLOP convention", convention, FLOP_COUNTS)
    return FLOP_COUNTS[convention](shape, seq_len)


def prefill_flops(shape: ModelShape, prompt_len: Array) -> Array:
    """FLOPs of prefilling one prompt; the head runs for its last token only."""
    per_token = 2 * body_matmul_params(shape) + attention_flops(shape, prompt_len)
    return prompt_len * per_token + 2 * head_params(shape)


def decode_flops(shape: ModelShape, context: Array) -> Array:
    """FLOPs of decoding one token after `context` cached ones."""
    windowed, linear = shape.n_windowed_layers, shape.n_linear_layers
    full = shape.attention.score_flops(context, cached=True)
    near = shape.attention.score_flops(np.minimum(context, shape.sliding_window), cached=True)
    scores = (shape.n_layers - windowed - linear) * full + windowed * near
    scores = scores + linear * shape.linear_attention.token_flops()
    return 2 * (body_matmul_params(shape) + head_params(shape)) + scores


def bytes_weights(shape: ModelShape, dtype: str) -> Array:
    """Bytes of all parameters stored as `dtype`, the block scales of 4-bit floats included."""
    return counts(shape).n_total * BYTES_PER_ELEMENT[dtype]


def bytes_kv(shape: ModelShape, context: Array, dtype: str) -> Array:
    """KV-cache bytes of one sequence of `context` tokens, and the states of its linear layers.

    Windowed layers keep their window only. States have a format of their own, whatever `dtype`.
    """
    windowed, linear = shape.n_windowed_layers, shape.n_linear_layers
    full = shape.n_layers - windowed - linear
    tokens_all_layers = full * context + windowed * np.minimum(context, shape.sliding_window)
    kv = tokens_all_layers * shape.attention.kv_elements() * BYTES_PER_ELEMENT[dtype]
    return kv + linear * shape.linear_attention.state_bytes()


def bytes_kv_per_token(shape: ModelShape, dtype: str) -> Array:
    """KV-cache bytes that one more token adds while every window has room (the paper's 2·h·l elements)."""
    layers = shape.n_layers - shape.n_linear_layers
    return layers * shape.attention.kv_elements() * BYTES_PER_ELEMENT[dtype]
