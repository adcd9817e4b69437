"""The two attention families: grouped-query (MHA, GQA, MQA) and multi-head latent attention (MLA).

Each knows its matrices, its vectors (biases, norms, sinks), the KV-cache elements a token leaves behind and
the FLOPs of scoring one token against `context` earlier ones. All fields may be arrays.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from moeconomics.units import Array


@dataclass(frozen=True, kw_only=True)
class GroupedQuery:
    """Grouped-query attention; `n_kv_heads == n_heads` is MHA, `n_kv_heads == 1` is MQA.

    `qk_norm`: "head" normalises each head (Qwen3), "full" the whole projection (OLMoE), "none" neither.
    `sinks`: one learnt logit a head (gpt-oss).
    """

    n_heads: Array
    n_kv_heads: Array
    head_dim: Array
    qkv_bias: bool = False
    out_bias: bool = False
    qk_norm: Literal["none", "head", "full"] = "none"
    sinks: bool = False

    @property
    def kv_heads_to_shard(self) -> Array:
        """Heads over which tensor parallelism can spread the KV cache before it has to copy it."""
        return self.n_kv_heads

    def matrix_params(self, d_model: Array) -> Array:
        """Parameters of the Q, K, V and output projections of one layer."""
        return d_model * self.head_dim * (2 * self.n_heads + 2 * self.n_kv_heads)

    def bias_params(self, d_model: Array) -> Array:
        """Biases and sinks of one layer."""
        qkv = self.head_dim * (self.n_heads + 2 * self.n_kv_heads) if self.qkv_bias else 0
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


Attention = GroupedQuery | Latent
