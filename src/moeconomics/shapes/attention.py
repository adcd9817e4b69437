"""Attention: grouped-query (MHA, GQA, MQA) and multi-head latent (MLA), which score all tokens; and linear.

Each knows its matrices, its vectors (biases, norms, sinks), the KV-cache elements a token leaves behind and
the FLOPs of scoring one token against `context` earlier ones; linear attention keeps a state of fixed size instead.
All fields may be arrays.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from moeconomics.units import Array


@dataclass(frozen=True, kw_only=True)
class GroupedQuery:
    """Grouped-query attention; `n_kv_heads == n_heads` is MHA, `n_kv_heads == 1` is MQA.

    `qk_norm`: "head" normalises each head (Qwen3), "full" the whole projection (OLMoE), "none" neither.
    `sinks`: one learnt logit a head (gpt-oss). `gated`: the query projection also gives a gate of the output
    (Qwen3-Next).
    """

    n_heads: Array
    n_kv_heads: Array
    head_dim: Array
    qkv_bias: bool = False
    out_bias: bool = False
    qk_norm: Literal["none", "head", "full"] = "none"
    sinks: bool = False
    gated: bool = False

    @property
    def kv_heads_to_shard(self) -> Array:
        """Heads over which tensor parallelism can spread the KV cache before it has to copy it."""
        return self.n_kv_heads

    @property
    def _projected_heads(self) -> Array:
        """Heads of the query (with its gate), key and value projections."""
        return (2 if self.gated else 1) * self.n_heads + 2 * self.n_kv_heads

    def matrix_params(self, d_model: Array) -> Array:
        """Parameters of the Q, K, V and output projections of one layer."""
        return d_model * self.head_dim * (self.n_heads + self._projected_heads)

    def bias_params(self, d_model: Array) -> Array:
        """Biases and sinks of one layer."""
        qkv = self.head_dim * self._projected_heads if self.qkv_bias else 0
        return qkv + (d_model if self.out_bias else 0) + (self.n_heads if self.sinks else 0)

    def norm_params(self) -> Array:
        """Query and key norms of one layer."""
        if self.qk_norm == "head":
            return 2 * self.head_dim
        if self.qk_norm == "full":
            return self.head_dim * (self.n_heads + self.n_kv_heads)
        return 0

    def kv_elements(self) -> Array:
        """KV-cache elements per token and layer: 2·H_kv·d_head."""
        return 2 * self.n_kv_heads * self.head_dim

    def score_flops(self, context: Array, *, cached: bool) -> Array:  # noqa: ARG002 - same either way
        """FLOPs of one token against `context` tokens in one layer: 2 for QKᵀ and 2 for AV."""
        return 4 * context * self.n_heads * self.head_dim


@dataclass(frozen=True, kw_only=True)
class Latent:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434 §2.1).

    Ranks: `q_lora_rank` (0: queries are projected directly), `kv_lora_rank`; per head: `qk_nope_head_dim`,
    `qk_rope_head_dim`, `v_head_dim`.
    """

    n_heads: Array
    q_lora_rank: Array
    kv_lora_rank: Array
    qk_nope_head_dim: Array
    qk_rope_head_dim: Array
    v_head_dim: Array
    bias: bool = False

    @property
    def kv_heads_to_shard(self) -> Array:
        """One latent serves all heads, so tensor parallelism copies it."""
        return 1

    def matrix_params(self, d_model: Array) -> Array:
        """Parameters of the query, latent, up and output projections of one layer."""
        d_qk = self.qk_nope_head_dim + self.qk_rope_head_dim
        low_rank = np.asarray(self.q_lora_rank) > 0
        query = np.where(
            low_rank,
            self.q_lora_rank * (d_model + self.n_heads * d_qk),
            d_model * self.n_heads * d_qk,
        )
        latent = d_model * (self.kv_lora_rank + self.qk_rope_head_dim)
        up = self.kv_lora_rank * self.n_heads * (self.qk_nope_head_dim + self.v_head_dim)
        return query + latent + up + self.n_heads * self.v_head_dim * d_model

    def bias_params(self, d_model: Array) -> Array:
        """Biases of the down and output projections of one layer."""
        if not self.bias:
            return 0
        return self.q_lora_rank + self.kv_lora_rank + self.qk_rope_head_dim + d_model

    def norm_params(self) -> Array:
        """Norms of the query and KV latents of one layer."""
        return self.q_lora_rank + self.kv_lora_rank

    def kv_elements(self) -> Array:
        """KV-cache elements per token and layer: the latent and the shared rotary key."""
        return self.kv_lora_rank + self.qk_rope_head_dim

    def score_flops(self, context: Array, *, cached: bool) -> Array:
        """FLOPs of one token against `context` tokens in one layer.

        Decoding from the cache scores in the latent space (the absorbed form, 2·(2r+d_rope) a head);
        training and prefill score with the full heads.
        """
        if cached:
            return 2 * context * self.n_heads * (2 * self.kv_lora_rank + self.qk_rope_head_dim)
        return 2 * context * self.n_heads * (self.qk_nope_head_dim + self.qk_rope_head_dim + self.v_head_dim)


@dataclass(frozen=True, kw_only=True)
class GatedDelta:
    """Linear attention by the gated delta rule (Gated DeltaNet, arXiv 2412.06464, as Qwen3-Next builds it).

    Queries, keys and values pass a short convolution of `conv_width` tokens; each value head then keeps a matrix of
    `key_head_dim` × `value_head_dim`, whatever the context.
    """

    n_key_heads: Array
    n_value_heads: Array
    key_head_dim: Array
    value_head_dim: Array
    conv_width: Array

    @property
    def _channels(self) -> Array:
        """Width of queries, keys and values together."""
        return 2 * self.n_key_heads * self.key_head_dim + self.n_value_heads * self.value_head_dim

    @property
    def _state_elements(self) -> Array:
        return self.n_value_heads * self.key_head_dim * self.value_head_dim

    def matrix_params(self, d_model: Array) -> Array:
        """Parameters of one layer's projections: Q, K and V; the output and its gate; decay and rate of each head."""
        return d_model * (self._channels + 2 * self.n_value_heads * self.value_head_dim + 2 * self.n_value_heads)

    def vector_params(self) -> Array:
        """Convolution, and the two learnt constants of each head's decay, of one layer."""
        return self._channels * self.conv_width + 2 * self.n_value_heads

    def norm_params(self) -> Array:
        """The output norm of one layer."""
        return self.value_head_dim

    def state_bytes(self) -> Array:
        """Bytes that a sequence keeps in one layer: matrices in float32, the convolution's last inputs in 16 bits."""
        return 4 * self._state_elements + 2 * self._channels * np.maximum(self.conv_width - 1, 0)

    def token_flops(self) -> Array:
        """FLOPs of one token in one layer: the convolution, and per head a read by key, an update and a read by query.

        This is the recurrent form, as in decoding; prefill in chunks does some more.
        """
        return 2 * self._channels * self.conv_width + 6 * self._state_elements


NO_LINEAR = GatedDelta(n_key_heads=0, n_value_heads=0, key_head_dim=0, value_head_dim=0, conv_width=0)
Attention = GroupedQuery | Latent
