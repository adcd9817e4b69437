"""Exact parameter counts by group, total and active, with and without embeddings.

Convention: `n_total` is every parameter `transformers` builds; `n_active` those that take part in one token
(all but the routed experts it does not use; the embedding tables count whole). `n_dense` is the paper's
corresponding dense model. All three include embeddings; `*_non_embedding` leave both tables out.
Balancing buffers and multi-token-prediction heads are not parameters and are not counted.
"""

from dataclasses import dataclass, fields

import numpy as np

from moeconomics.shapes.shape import ModelShape
from moeconomics.units import Array


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Parameters by group. `routed_experts_active` is the part of `routed_experts` that one token uses."""

    embedding: Array
    attention: Array
    dense_ffn: Array
    router: Array
    routed_experts: Array
    routed_experts_active: Array
    shared_experts: Array
    norms: Array

    @property
    def n_total(self) -> Array:
        """All parameters."""
        return self._sum("routed_experts_active")

    @property
    def n_active(self) -> Array:
        """Parameters that take part in one token."""
        return self._sum("routed_experts")

    @property
    def n_total_non_embedding(self) -> Array:
        """All parameters but the embedding tables."""
        return self.n_total - self.embedding

    @property
    def n_active_non_embedding(self) -> Array:
        """Active parameters but the embedding tables."""
        return self.n_active - self.embedding

    def _sum(self, left_out: str) -> Array:
        return sum(getattr(self, field.name) for field in fields(self) if field.name != left_out)


def counts(shape: ModelShape) -> Counts:
    """Count the parameters of `shape` by group; arrays in, arrays out.

    >>> from moeconomics.shapes import GroupedQuery, ModelShape
    >>> mixtral = ModelShape(vocab_size=32000, d_model=4096, n_layers=32, d_ff=14336, d_expert=14336,
    ...     n_experts=8, top_k=2, attention=GroupedQuery(n_heads=32, n_kv_heads=8, head_dim=128))
    >>> int(counts(mixtral).n_total), int(counts(mixtral).n_active)
    (46702792704, 12879925248)
    """
    d, layers, moe = shape.d_model, shape.n_layers, shape.n_moe_layers
    attention, linear, linear_layers = shape.attention, shape.linear_attention, shape.n_linear_layers
    scored = layers - linear_layers
    expert = _gated_ffn(d, shape.d_expert, bias=shape.expert_bias)
    # Shared experts are built as one FFN of their joint width, so they share one down bias.
    has_shared = np.asarray(shape.n_shared_experts) > 0
    shared = has_shared * _gated_ffn(d, shape.n_shared_experts * shape.d_shared, bias=shape.ffn_bias)
    router = d * shape.n_experts + (shape.n_experts if shape.router_bias else 0)
    return Counts(
        embedding=shape.vocab_size * (d * (1 if shape.tied_embeddings else 2) + (1 if shape.head_bias else 0)),
        attention=scored * (attention.matrix_params(d) + attention.bias_params(d))
        + linear_layers * (linear.matrix_params(d) + linear.vector_params()),
        dense_ffn=(layers - moe) * _gated_ffn(d, shape.d_ff, bias=shape.ffn_bias),
        router=moe * router,
        routed_experts=moe * shape.n_experts * expert,
        routed_experts_active=moe * shape.top_k * expert,
        shared_experts=moe * (shared + (d if shape.shared_gate else 0)),
        norms=layers * 2 * d + scored * attention.norm_params() + linear_layers * linear.norm_params() + d,
    )


def n_dense(shape: ModelShape) -> Array:
    """Size of the paper's corresponding dense model, embeddings included (Yun et al. 2024, §2.1)."""
    return counts(shape.dense_counterpart()).n_total


def _gated_ffn(d_model: Array, width: Array, *, bias: bool) -> Array:
    """Gate, up and down projection: 3·d·f."""
    return 3 * d_model * width + ((2 * width + d_model) if bias else 0)
