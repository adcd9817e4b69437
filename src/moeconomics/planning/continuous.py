"""The paper's algorithms (App. E) by root finding, over any real-valued trade-off of loss, training and cost.

`size` is whatever real number orders the models (the law's N in the abstract setting, d_model of relaxed
shapes in a plan). Everything is elementwise over arrays of experts; where there is no answer it is NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import elementwise

from moeconomics.units import Array

GRID_POINTS = 96  # to bracket the minimum; the loss under a budget has one


@dataclass(frozen=True, kw_only=True)
class Tradeoff:
    """What decides: loss(size, experts, tokens), FLOPs per training token and serving cost (size, experts).

    `cost` is infinite where a model can not be served. `sizes` is the range searched.
    """

    loss: Callable[[Array, Array, Array], Array]
    flops_per_token: Callable[[Array, Array], Array]
    cost: Callable[[Array, Array], Array]
    sizes: tuple[float, float]

    def tokens(self, size: Array, experts: Array, train_flops: Array) -> Array:
        """D that spends the budget: C / FLOPs per token."""
        return train_flops / self.flops_per_token(size, experts)

    def loss_under(self, train_flops: Array, size: Array, experts: Array) -> Array:
        """Loss of a size when the whole budget is spent on it."""
        return self.loss(size, experts, self.tokens(size, experts, train_flops))


def loss_optimal(trade: Tradeoff, train_flops: Array, experts: Array) -> Array:
    """Size of the lowest loss under the budget among models that can be served (Chinchilla's N_opt per E)."""
    train_flops, experts = np.broadcast_arrays(np.asarray(train_flops, dtype=float), experts)
    low, high = np.log(trade.sizes)
    grid = np.linspace(low, high, GRID_POINTS)
    shape = (GRID_POINTS,) + (1,) * experts.ndim
    losses = trade.loss_under(train_flops, np.exp(grid.reshape(shape)), experts)
    middle = np.clip(np.argmin(losses, axis=0), 1, GRID_POINTS - 2)

    def loss(log_size: Array, number: Array, budget: Array) -> Array:
        return trade.loss_under(budget, np.exp(log_size), number)

    best = elementwise.find_minimum(
        loss, (grid[middle - 1], grid[middle], grid[middle + 1]), args=(experts, train_flops)
    )
    return _largest_servable(trade, np.exp(best.x), experts)


def bounded_loss(trade: Tradeoff, train_flops: Array, base_experts: Array, experts: Array) -> Array:
    """Algorithm 1: the smallest size whose loss under the budget is no worse than the base's optimum."""
    base = loss_optimal(trade, train_flops, base_experts)
    target = trade.loss_under(train_flops, base, base_experts)
    best = loss_optimal(trade, train_flops, experts)

    def excess(log_size: Array, number: Array, budget: Array, wanted: Array) -> Array:
        return trade.loss_under(budget, np.exp(log_size), number) - wanted

    # On the branch below the optimum the loss falls with size, so there is one crossing.
    return _root(excess, trade.sizes[0], best, experts, train_flops, target)


def bounded_cost(trade: Tradeoff, train_flops: Array, base_experts: Array, experts: Array) -> Array:
    """Algorithm 2: the size of lowest loss under the budget that costs no more than the base's optimum."""
    base = loss_optimal(trade, train_flops, base_experts)
    most = trade.cost(base, base_experts)
    best = loss_optimal(trade, train_flops, experts)

    def excess(log_size: Array, number: Array, wanted: Array) -> Array:
        return np.log(trade.cost(np.exp(log_size), number) / wanted)

    crossing = _root(excess, trade.sizes[0], best, experts, most)
    return np.where(trade.cost(best, experts) <= most, best, crossing)


def lifetime(
    trade: Tradeoff,
    train_flops: float,
    base_experts: Array,
    experts: Array,
    usd_per_train_flop: float,
    tokens_served: float,
) -> tuple[Array, Array]:
    """(size, tokens) of the lowest training + serving cost at the loss of the base's optimum.

    Sardana & Frankle 2023 (arXiv 2401.00448) with real serving cost in place of constant utilisation. The
    training budget is a ceiling here. `cost` must be in USD per served token.
    """
    base = loss_optimal(trade, train_flops, base_experts)
    target = np.broadcast_to(trade.loss_under(train_flops, base, base_experts), np.shape(experts))
    upper = loss_optimal(trade, train_flops, experts)
    lower = bounded_loss(trade, train_flops, base_experts, experts)
    able = np.isfinite(lower) & np.isfinite(upper)  # the others never reach that loss within the budget
    lower, upper = np.where(able, lower, trade.sizes[0]), np.where(able, upper, trade.sizes[1])

    def tokens_for(size: Array, number: Array, wanted: Array) -> Array:
        def excess(log_tokens: Array, size: Array, number: Array, wanted: Array) -> Array:
            return trade.loss(size, number, np.exp(log_tokens)) - wanted

        most = trade.tokens(size, number, train_flops)
        found = elementwise.find_root(excess, (np.log(most) - 12.0, np.log(most)), args=(size, number, wanted))
        return np.where(found.success, np.exp(found.x), most)

    def usd(log_size: Array, number: Array, wanted: Array) -> Array:
        size = np.exp(log_size)
        tokens = tokens_for(size, number, wanted)
        training = usd_per_train_flop * trade.flops_per_token(size, number) * tokens
        return training + tokens_served * trade.cost(size, number)

    grid = np.linspace(np.log(lower), np.log(upper), GRID_POINTS)
    lowest = np.argmin(usd(grid, experts, target), axis=0)
    inner = np.clip(lowest, 1, GRID_POINTS - 2)
    triple = [np.take_along_axis(grid, (inner + step)[None], axis=0)[0] for step in (-1, 0, 1)]
    found = elementwise.find_minimum(usd, (triple[0], triple[1], triple[2]), args=(experts, target))
    # Without success the minimum lies at an end: at the lower one the whole budget is spent.
    at_end = np.take_along_axis(grid, lowest[None], axis=0)[0]
    size = np.exp(np.where(found.success, found.x, at_end))
    return np.where(able, size, np.nan), np.where(able, tokens_for(size, experts, target), np.nan)


def _root(excess: Callable[..., Array], low: float, high: Array, *args: Array) -> Array:
    """Size between `low` and `high` where `excess(log size, *args)` changes sign; NaN where it does not."""
    upper, *rest = np.broadcast_arrays(high, *(np.asarray(arg, dtype=float) for arg in args))
    known = np.isfinite([upper, *rest]).all(axis=0)
    log_upper = np.log(np.where(known, upper, 2 * low))
    found = elementwise.find_root(
        excess,
        (np.full_like(log_upper, np.log(low)), log_upper),
        args=tuple(np.where(known, arg, 1.0) for arg in rest),
    )
    return np.where(known & found.success, np.exp(found.x), np.nan)


def _largest_servable(trade: Tradeoff, size: Array, experts: Array) -> Array:
    """`size` where it can be served, else the largest size below it that can; NaN where none can."""

    def forbidden(log_size: Array, number: Array) -> Array:
        return np.where(np.isfinite(trade.cost(np.exp(log_size), number)), -1.0, 1.0)

    low = np.full_like(size, np.log(trade.sizes[0]))
    edge = elementwise.find_root(forbidden, (low, np.log(size)), args=(experts,))
    inside = np.where(edge.success, np.exp(edge.bracket[0]), np.nan)
    return np.where(np.isfinite(trade.cost(size, experts)), size, inside)
