"""`RunSpec`: everything that decides what a training run gives, from a YAML file or a sweep; its hash is its name."""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field, ValidationError, model_validator

from moeconomics.boundary import Strict, read_yaml, within
from moeconomics.errors import invalid
from moeconomics.shapes import Ladder, ModelShape, counts, get_architecture, pick
from moeconomics.training.data import DataSpec
from moeconomics.training.recipes import RECIPES, Recipe, get_recipe

Name = Annotated[str, AfterValidator(lambda name: name.strip())]


class RunSpec(Strict):
    """One training run: a model, data and a recipe; annealed at each of `tokens`.

    `d_ff` null is 8/3·d_model to the next 32, Llama's. `lr` null is the recipe's own rule. With the recipe "wsd" a run
    is a trunk with one decay branch for each token count; "yun2024" (cosine) takes one count. Matrix products are in
    `precision`, parameters and optimiser in float32. `accumulate`: parts that a batch is computed in.
    """

    architecture: Name = "yun2024"
    d_model: Annotated[int, within(8, 1e6, "")]
    n_layers: Annotated[int, within(1, 1e4, "layers")]
    head_dim: Annotated[int, within(2, 1e4, "")] = 32
    d_ff: Annotated[int, within(8, 1e7, "")] | None = None
    experts: Annotated[int, within(1, 1e5, "experts")] = 1
    tokens: tuple[Annotated[float, within(1, 1e15, "tokens")], ...] = Field(min_length=1)
    recipe: Name = "wsd"
    lr: Annotated[float, within(1e-8, 1, "")] | None = None
    seed: Annotated[int, within(0, 2**31, "")] = 0
    data: DataSpec = DataSpec()
    sequence_length: Annotated[int, within(2, 1e6, "tokens")] = 256
    batch_tokens: Annotated[int, within(2, 1e9, "tokens")] = 8192
    accumulate: Annotated[int, within(1, 1e6, "parts")] = 1
    precision: Literal["bf16", "fp32"] = "bf16"
    evaluation_tokens: Annotated[int, within(2, 1e10, "tokens")] = 500_000

    @model_validator(mode="after")
    def _whole(self) -> "RunSpec":
        recipe, architecture = get_recipe(self.recipe), get_architecture(self.architecture)
        if recipe.schedule == "cosine" and len(self.tokens) > 1:
            raise ValueError(f"recipe {recipe.name} anneals once: give one token count, or take the recipe wsd")
        if list(self.tokens) != sorted(set(self.tokens)):
            raise ValueError(f"tokens {list(self.tokens)} must rise and not repeat")
        if self.batch_tokens % (self.sequence_length * self.accumulate):
            raise ValueError(
                f"batch_tokens {self.batch_tokens} must be a multiple of sequence_length {self.sequence_length} x "
                f"accumulate {self.accumulate}"
            )
        if self.steps[0] < 10:
            raise ValueError(
                f"tokens {self.tokens[0]:g} are {self.steps[0]} steps of {self.batch_tokens} tokens; at least 10 are "
                f"needed: give more tokens or a smaller batch_tokens"
            )
        if not architecture.latent and self.d_model % self.head_dim:
            raise ValueError(f"d_model {self.d_model} must be a multiple of head_dim {self.head_dim}")
        if 1 < self.experts < architecture.top_k:
            raise ValueError(f"{self.experts} experts are fewer than the {architecture.top_k} that a token uses")
        return self

    @cached_property
    def plan(self) -> Recipe:
        """The recipe itself."""
        return RECIPES[self.recipe]

    @property
    def steps(self) -> tuple[int, ...]:
        """Optimiser steps to each token count."""
        return tuple(round(count / self.batch_tokens) for count in self.tokens)

    @property
    def batch_sequences(self) -> int:
        """Sequences of one optimiser step."""
        return self.batch_tokens // self.sequence_length

    @property
    def run_id(self) -> str:
        """Readable start and hash of the whole specification, the numbers of its recipe included."""
        text = json.dumps([self.model_dump(mode="json"), self.plan.as_json()], sort_keys=True)
        name = f"{self.architecture}-d{self.d_model}-l{self.n_layers}-e{self.experts}-s{self.seed}"
        return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    def shape(self, vocab_size: int) -> ModelShape:
        """The model. Errors: `BadInput` for dimensions that the architecture can not have."""
        d_ff = self.d_ff or 32 * -(-8 * self.d_model // 96)
        sizes = (np.array([size]) for size in (self.d_model, self.n_layers, d_ff, self.head_dim))
        return pick(Ladder(get_architecture(self.architecture), vocab_size, *sizes).shapes(self.experts), 0)

    def peak_lr(self, shape: ModelShape) -> float:
        """The given learning rate, or what the recipe's rule says for the model."""
        return self.lr or self.plan.peak_lr(float(counts(shape).n_active_non_embedding), self.experts)


def read_spec(path: Path) -> RunSpec:
    """Read a YAML file. Errors: `BadInput` with the field, what was given and what is allowed."""
    try:
        return RunSpec.model_validate(read_yaml(path))
    except ValidationError as error:
        raise invalid(f"specification {path}", error, RunSpec.model_fields) from error
