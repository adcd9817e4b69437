"""How a claim's number follows from a solved question: functions of a `Question` that give (M, B), or (M, 1)."""

from collections.abc import Callable

import numpy as np

from moeconomics.reproduction.question import Question
from moeconomics.shapes import counts, load_models
from moeconomics.units import Array

Measure = Callable[[Question], Array]


def cost_at_loss(experts: int, base: int) -> Measure:
    """Cost of Algorithm 1's model over that of the base."""
    return lambda q: q.cost(q.same_loss(experts, base), experts) / q.base_cost(base)


def size_at_loss(experts: int, base: int, to: int) -> Measure:
    """Size of Algorithm 1's model over the loss-optimal size of `to`."""
    return lambda q: q.paid(q.same_loss(experts, base), experts) / q.paid(q.optimum(to), to)


def size_at_cost(experts: int, base: int, to: int) -> Measure:
    """Size of Algorithm 2's model over the loss-optimal size of `to`."""
    return lambda q: q.paid(q.same_cost(experts, base), experts) / q.paid(q.optimum(to), to)


def flops_at_loss(experts: int, base: int) -> Measure:
    """Training FLOPs of the loss-optimal model that reaches the base's loss, over the base's."""
    return lambda q: q.flops_for(q.optimal_loss(base), experts) / q.budgets


def over_trained(q: Question, base: int) -> dict[int, Array]:
    """Size of Algorithm 1's model by number of experts, of all above 1 and the base's."""
    return {e: q.same_loss(e, base) for e in q.scale.experts if e > base}


def loss_optimal_of_dense(q: Question) -> dict[int, Array]:
    """Size of the loss-optimal model that has the dense optimum's loss, by number of experts (Fig. 3)."""
    loss = q.optimal_loss(1)
    return {e: q.optimum_at(q.flops_for(loss, e), e) for e in q.scale.experts}


def cheapest(sizes: Callable[[Question], dict[int, Array]]) -> Measure:
    """The number of experts whose size costs least; NaN where that of one is not known."""

    def chosen(q: Question) -> Array:
        found = sizes(q)
        costs = _costs(q, found)
        numbers = np.array(list(found), dtype=float)
        return np.where(np.isfinite(costs).any(axis=0), numbers[np.argmin(costs, axis=0)], np.nan)

    return chosen


def rival(sizes: Callable[[Question], dict[int, Array]], low: int, high: int) -> Measure:
    """Lowest cost of `low` to `high` experts over the lowest of all others: below 1 where the cheapest is of them."""

    def ratio(q: Question) -> Array:
        found = sizes(q)
        costs = _costs(q, found)
        inside = np.array([low <= number <= high for number in found])
        return np.min(costs[inside], axis=0) / np.min(costs[~inside], axis=0)

    return ratio


def _costs(q: Question, sizes: dict[int, Array]) -> Array:
    """Over (E, M, B): infinite where no model reaches the loss or can be served, NaN in all where one is not priced."""
    table = np.stack([q.cost(size, experts) for experts, size in sizes.items()])
    unknown = np.isfinite(np.stack(list(sizes.values()))) & np.isnan(table)
    return np.where(unknown.any(axis=0), np.nan, np.where(np.isnan(table), np.inf, table))


def flops_at_cost_and_loss(q: Question) -> Array:
    """Training FLOPs of a 16-expert model with cost and loss of the loss-optimal 4-expert one, over the latter's."""
    loss = q.optimal_loss(4)
    free = q.flops_for(loss, 16)  # where cost does not bind
    bound = q.flops_of_size_for(loss, q.same_cost(16, 4), 16)
    affordable = q.cost(q.optimum_at(free, 16), 16) <= q.base_cost(4)
    return np.min(np.where(affordable, free, bound) / q.budgets, axis=1, keepdims=True)


def more_flops_of_four(q: Question) -> Array:
    """Extra FLOPs of a loss-optimal 4-expert model with the loss of the 8-expert one at the 4-expert one's cost."""
    loss = q.loss(q.same_cost(8, 4), 8)
    return q.flops_for(loss, 4) / q.budgets - 1


def change_with_budget(measure: Measure) -> Measure:
    """A ratio at the largest budget over that at the smallest."""
    return lambda q: (lambda values: values[:, -1:] / values[:, :1])(measure(q))


def cost_exponent(q: Question) -> Array:
    """Slope of ln cost over ln of all parameters, of the scale's dense models."""
    low, high = q.scale.dense_totals
    sizes = np.geomspace(*q.setting.priced, 1000)
    dense = np.ones(sizes.shape, dtype=int)
    total, usd = q.setting.n_total(sizes, dense), q.setting.cost(sizes, dense)
    inside = (total >= low) & (total <= high) & np.isfinite(usd)
    return np.full((1, 1), np.polyfit(np.log(total[inside]), np.log(usd[inside]), 1)[0])


def cache_exponent(_: Question) -> Array:
    """Slope of ln(h·l) over ln N without embeddings, of the public dense models."""
    shapes = [model.shape for model in load_models().values() if model.shape.n_experts == 1]
    size = np.array([float(counts(shape).n_total_non_embedding) for shape in shapes])
    width_depth = np.array([float(shape.d_model * shape.n_layers) for shape in shapes])
    return np.full((1, 1), np.polyfit(np.log(size), np.log(width_depth), 1)[0])
