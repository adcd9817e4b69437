"""`Problem`: a resolved question, and the trade-off it poses on relaxed shapes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from moeconomics.laws import Law, repeated
from moeconomics.planning.continuous import Tradeoff
from moeconomics.serving import CostModel, Deployment, cheapest, make_cost_model
from moeconomics.shapes import Architecture, ModelShape, relaxed, train_flops_per_token
from moeconomics.units import Array

WIDTHS = (16.0, 65536.0)  # d_model of the relaxed shapes searched


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Everything that decides a plan. `experts` holds what the law can answer, smallest first.

    `published_law` is the law as it stands; `law` adds the penalty of repeated data where tokens are limited.
    """

    published_law: Law
    unique_tokens: float | None
    architecture: Architecture
    vocab_size: int
    seq_len: int
    flop_count: str
    train_flops: float
    usd_per_train_flop: float
    experts: tuple[int, ...]
    base_experts: int
    deployment: Deployment
    cost_model: str
    lifetime_tokens: float | None

    @cached_property
    def law(self) -> Law:
        """The law that losses are taken from."""
        return self.published_law if self.unique_tokens is None else repeated(self.published_law, self.unique_tokens)

    @cached_property
    def model(self) -> CostModel:
        """The serving cost model."""
        return make_cost_model(self.cost_model, self.deployment)

    def relaxed(self, width: Array, experts: Array) -> ModelShape:
        """Relaxed shape of a given d_model."""
        return relaxed(self.architecture, width, experts, self.vocab_size)

    def flops_per_token(self, shape: ModelShape) -> Array:
        """Training FLOPs per token in the problem's convention."""
        return train_flops_per_token(shape, self.flop_count, self.seq_len)

    def tradeoff(self) -> Tradeoff:
        """Loss, training and serving cost (USD per output token) as functions of (d_model, experts)."""

        def of_shape(function: Callable[..., Array]) -> Callable[..., Array]:
            """`function` of a relaxed shape as one of (width, experts); an unknown width gives an unknown answer."""

            def of_width(width: Array, experts: Array, *rest: Array) -> Array:
                width, experts = np.broadcast_arrays(width, experts)
                known = np.isfinite(width)
                return np.where(known, function(self.relaxed(np.where(known, width, 1.0), experts), *rest), np.nan)

            return of_width

        return Tradeoff(
            loss=of_shape(self.law.loss),
            flops_per_token=of_shape(self.flops_per_token),
            cost=of_shape(lambda shape: cheapest(self.model, shape, self.deployment.gpus).usd_per_token_output),
            sizes=WIDTHS,
        )


def answerable(
    law: Law, architecture: Architecture, vocab_size: int, experts: tuple[int, ...]
) -> tuple[tuple[int, ...], list[str]]:
    """The numbers of experts that a law has an answer for when tokens vary, and why not the others."""
    answered, reasons = [], []
    for number in experts:
        reason = law.refusal(relaxed(architecture, 1024.0, number, vocab_size), np.array([1e9, 1e10]))
        if reason is None:
            answered.append(number)
        else:
            reasons.append(reason)
    return tuple(answered), reasons


def default_base(experts: tuple[int, ...]) -> int:
    """Whose quality to keep unless the user says: the fewest experts above 1, as the paper's 4."""
    return min((number for number in experts if number > 1), default=experts[0])
