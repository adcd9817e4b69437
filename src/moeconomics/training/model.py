"""The model of a specification: the transformers class of its Hugging Face config, and the objective around it."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from moeconomics.shapes import ModelShape
from moeconomics.shapes.huggingface import to_hf
from moeconomics.training.losses import ChunkedCrossEntropy, Routing, balance_loss, token_losses, z_loss
from moeconomics.training.recipes import Recipe

# Measured (benchmarks/train.py): on a CPU, compiled matrix products beat flash attention on short sequences, and the
# library's grouped products its loop over experts.
PLAIN_ATTENTION_TO = 512  # tokens


def build(shape: ModelShape, seed: int, sequence_length: int) -> PreTrainedModel:
    """A randomly initialised transformers model of `shape`, in float32."""
    config = to_hf(shape, max_position_embeddings=max(4096, sequence_length))
    torch.manual_seed(seed)
    plain = sequence_length <= PLAIN_ATTENTION_TO and not torch.accelerator.is_available()
    return AutoModelForCausalLM.from_config(  # type: ignore[no-any-return, no-untyped-call]
        AutoConfig.for_model(**config),
        dtype=torch.float32,  # the config says bfloat16, in which AdamW's small steps would be lost
        attn_implementation="eager" if plain else "sdpa",
        **({"experts_implementation": "grouped_mm"} if shape.n_moe_layers else {}),
    )


class Objective(nn.Module):
    """A model with its training loss, one module, so that every way of distributing it wraps both together."""

    def __init__(self, model: PreTrainedModel, recipe: Recipe):
        super().__init__()
        self.model = model
        self.recipe = recipe
        self.routings: list[Routing] = []
        self._no_split_modules = model._no_split_modules  # what FSDP's TRANSFORMER_BASED_WRAP shards one by one
        for router in self.routers():
            router.register_forward_hook(self._record)

    def routers(self) -> list[nn.Module]:
        """The routers of the model in the order of its layers; none for a dense model."""
        return [module for name, module in self.model.named_modules() if name.endswith("mlp.gate")]

    def _record(self, _router: nn.Module, _inputs: Any, outputs: tuple[Tensor, Tensor, Tensor]) -> None:
        logits, _, chosen = outputs
        self.routings.append(Routing(logits, chosen))

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Training loss and its cross-entropy part for sequences (batch, length + 1)."""
        cross_entropy: Tensor = ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
            self._hidden(tokens), self._head(), tokens[:, 1:].flatten()
        )
        loss = cross_entropy
        if self.routings:
            loss = loss + self.recipe.z * z_loss(self.routings)
            if not self.has_bias():
                loss = loss + self.recipe.balance * balance_loss(self.routings)
        return loss, cross_entropy.detach()

    def evaluate(self, tokens: Tensor) -> Tensor:
        """Cross-entropy of each target of sequences (batch, length + 1): (batch, length)."""
        return token_losses(self._hidden(tokens), self._head(), tokens[:, 1:].flatten()).view(len(tokens), -1)

    def has_bias(self) -> bool:
        """Whether the routers balance by a bias on the choice instead of a loss."""
        return any(hasattr(router, "e_score_correction_bias") for router in self.routers())

    @torch.no_grad()
    def move_bias(self) -> None:
        """Raise the bias of experts with less than the mean load, lower the others' (DeepSeek-V3, section 2.1.2)."""
        for router, routing in zip(self.routers(), self.routings, strict=True):
            load = routing.load()
            bias = router.get_buffer("e_score_correction_bias")
            bias += self.recipe.bias_step * torch.sign(load.mean() - load)

    def _hidden(self, tokens: Tensor) -> Tensor:
        self.routings.clear()
        hidden: Tensor = self.model.model(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
        if torch.is_autocast_enabled(hidden.device.type):
            hidden = hidden.to(torch.get_autocast_dtype(hidden.device.type))
        return hidden.flatten(0, 1)

    def _head(self) -> Tensor:
        return self.model.lm_head.weight  # type: ignore[no-any-return]
