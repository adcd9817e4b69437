"""Named architectures that the planner scales up and down: everything about a model but its size.

Size enters as widths and depth in `ladder.py`. Each can be written as a Hugging Face config.
"""

from dataclasses import dataclass

import numpy as np

from moeconomics.errors import unknown_name
from moeconomics.shapes.attention import Attention, GroupedQuery, Latent
from moeconomics.shapes.shape import Layers, ModelShape
from moeconomics.units import Array


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Which layers have experts, how many a token uses, how wide they are and how attention is done.

    `granularity`: d_ff / d_expert. `kv_group`: query heads that share one KV head (1 is MHA).
    `latent`: MLA with DeepSeek-V2-Lite's ranks and head sizes instead of grouped-query attention.
    """

    name: str
    about: str
    moe_layers: Layers
    top_k: int
    granularity: int = 1
    n_shared_experts: int = 0
    kv_group: int = 1
    latent: bool = False
    qk_norm: bool = True

    def shape(
        self, *, vocab_size: Array, d_model: Array, n_layers: Array, d_ff: Array, head_dim: Array, experts: Array
    ) -> ModelShape:
        """A model of this architecture with the given size; E = 1 is its dense counterpart."""
        sparse = np.asarray(experts) > 1
        return ModelShape(
            vocab_size=vocab_size,
            d_model=d_model,
            n_layers=n_layers,
            attention=self._attention(d_model / head_dim, head_dim),
            d_ff=d_ff,
            d_expert=d_ff / self.granularity,
            n_experts=experts,
            top_k=np.where(sparse, self.top_k, 1),
            n_shared_experts=np.where(sparse, self.n_shared_experts, 0),
            d_shared=d_ff / self.granularity,
            moe_layers=self.moe_layers,
        )

    def _attention(self, heads: Array, head_dim: Array) -> Attention:
        if self.latent:
            return Latent(
                n_heads=heads,
                q_lora_rank=0,
                kv_lora_rank=512,
                qk_nope_head_dim=128,
                qk_rope_head_dim=64,
                v_head_dim=128,
            )
        return GroupedQuery(
            n_heads=heads,
            n_kv_heads=heads / self.kv_group,
            head_dim=head_dim,
            qk_norm="head" if self.qk_norm else "none",
        )


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        Architecture(
            name="yun2024",
            about="the paper's: every second FFN is an MoE, top-2 of E experts as wide as the FFN, MHA",
            moe_layers=Layers(every=2),
            top_k=2,
        ),
        Architecture(
            name="joint2025",
            about="Ludziejewski et al. 2025: every FFN is an MoE, top-1 of E experts as wide as the FFN, MHA",
            moe_layers=Layers(),
            top_k=1,
        ),
        Architecture(
            name="mixtral",
            about="every FFN is an MoE, top-2 of E experts as wide as the FFN, 4 query heads per KV head",
            moe_layers=Layers(),
            top_k=2,
            kv_group=4,
            qk_norm=False,
        ),
        Architecture(
            name="deepseek",
            about="fine-grained: 6 of E experts and 2 shared ones, each 1/8 of the FFN; first layer dense; MLA",
            moe_layers=Layers(first=1),
            top_k=6,
            granularity=8,
            n_shared_experts=2,
            latent=True,
            qk_norm=False,
        ),
    )
}


def get_architecture(name: str) -> Architecture:
    """Find an architecture by name. Errors: `BadInput` with the nearest known name."""
    if name not in ARCHITECTURES:
        raise unknown_name("architecture", name, ARCHITECTURES)
    return ARCHITECTURES[name]
