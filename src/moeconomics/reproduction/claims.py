"""The paper's stated numbers and conclusions, each with how it is computed from a solved question.

A conclusion in words is a number too: a ratio below 1, a choice of E. A claim's `where` is its place in the paper.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from moeconomics.reproduction.question import BUDGETS, Question
from moeconomics.shapes import counts, load_models
from moeconomics.units import Array, count_text

TOLERANCE = 0.1  # relative, around a printed range
MANY = (4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """`low` to `high` is what the paper states, None an open end; `tolerance` widens it, relative.

    `measure` gives (M, B) of a question; `budgets` are the columns of `BUDGETS` that the paper states it for. `priced`:
    whether serving cost enters. `dense`: whether it is of dense models alone.
    """

    name: str
    text: str
    where: str
    low: float | None
    high: float | None
    unit: str
    measure: Callable[[Question], Array]
    budgets: tuple[float, ...] = BUDGETS
    tolerance: float = TOLERANCE
    priced: bool = True
    dense: bool = False
    lawless: bool = False

    @property
    def paper(self) -> str:
        """The paper's figure in words."""
        if self.low is None:
            return f"below {written(self.high, self.unit)}"
        if self.high is None:
            return f"above {written(self.low, self.unit)}"
        if self.low == self.high:
            return written(self.low, self.unit)
        return f"{written(self.low, self.unit)} to {written(self.high, self.unit)}"

    def values(self, question: Question) -> Array:
        """The claim's number over M and the budgets it is stated for."""
        columns = [BUDGETS.index(budget) for budget in self.budgets]
        return np.broadcast_to(self.measure(question), (question.n_sets, len(BUDGETS)))[:, columns]

    def holds(self, values: Array) -> Array:
        """Whether each value lies within the stated range and its tolerance."""
        low = -np.inf if self.low is None else self.low * (1 - self.tolerance)
        high = np.inf if self.high is None else self.high * (1 + self.tolerance)
        return (values >= low) & (values <= high)


def written(value: float | None, unit: str) -> str:
    """A value in its unit: a share in per cent, parameters with a letter."""
    if value is None or not np.isfinite(value):
        return "n/a"
    if unit == "share":
        return f"{100 * value:.3g} %"
    return count_text(value) if unit == "parameters" else f"{value:.3g}"


def _cost_at_loss(experts: int, base: int) -> Callable[[Question], Array]:
    """Cost of Algorithm 1's model over that of the base."""
    return lambda q: q.cost(q.same_loss(experts, base), experts) / q.base_cost(base)


def _size_at_loss(experts: int, base: int, to: int) -> Callable[[Question], Array]:
    """Size of Algorithm 1's model over the loss-optimal size of `to`."""
    return lambda q: q.paid(q.same_loss(experts, base), experts) / q.paid(q.optimum(to), to)


def _size_at_cost(experts: int, base: int, to: int) -> Callable[[Question], Array]:
    """Size of Algorithm 2's model over the loss-optimal size of `to`."""
    return lambda q: q.paid(q.same_cost(experts, base), experts) / q.paid(q.optimum(to), to)


def _flops_at_loss(experts: int, base: int) -> Callable[[Question], Array]:
    """Training FLOPs of the loss-optimal model that reaches the base's loss, over the base's."""
    return lambda q: q.flops_for(q.optimal_loss(base), experts) / np.array(BUDGETS)


def _cheapest_over_trained(base: int) -> Callable[[Question], Array]:
    """The number of experts whose model of Algorithm 1 costs least."""
    return lambda q: _argmin([q.cost(q.same_loss(e, base), e) for e in MANY if e > base], [e for e in MANY if e > base])


def _cheapest_loss_optimal(q: Question) -> Array:
    """Number of experts whose loss-optimal model of the dense optimum's loss costs least (Fig. 3)."""
    every = (1, *MANY)
    return _argmin([q.cost(q.optimum_at(q.flops_for(q.optimal_loss(1), e), e), e) for e in every], every)


def _argmin(costs: list[Array], experts: tuple[int, ...] | list[int]) -> Array:
    table = np.stack(costs)
    known = np.isfinite(table)
    chosen = np.array(experts, dtype=float)[np.argmin(np.where(known, table, np.inf), axis=0)]
    return np.where(known.any(axis=0), chosen, np.nan)


def _flops_at_cost_and_loss(q: Question) -> Array:
    """Training FLOPs of a 16-expert model with cost and loss of the loss-optimal 4-expert one, over the latter's."""
    loss = q.optimal_loss(4)
    free = q.flops_for(loss, 16)  # where cost does not bind
    bound = q.flops_of_size_for(loss, q.same_cost(16, 4), 16)
    affordable = q.cost(q.optimum_at(free, 16), 16) <= q.base_cost(4)
    return np.min(np.where(affordable, free, bound) / np.array(BUDGETS), axis=1, keepdims=True)


def _more_flops_of_four(q: Question) -> Array:
    """Extra FLOPs of a loss-optimal 4-expert model with the loss of the 8-expert one at the 4-expert one's cost."""
    loss = q.loss(q.same_cost(8, 4), 8)
    return q.flops_for(loss, 4) / np.array(BUDGETS) - 1


def _change_with_budget(measure: Callable[[Question], Array]) -> Callable[[Question], Array]:
    """A ratio at the largest budget over that at the smallest."""
    return lambda q: (lambda values: values[:, -1:] / values[:, :1])(measure(q))


def _cost_exponent(q: Question) -> Array:
    """Slope of ln cost over ln of all parameters, of dense models of 1B to 20B."""
    sizes = np.geomspace(*q.setting.sizes, 1000)
    dense = np.ones(sizes.shape, dtype=int)
    total, usd = q.setting.n_total(sizes, dense), q.setting.cost(sizes, dense)
    inside = (total >= 1e9) & (total <= 20e9) & np.isfinite(usd)
    return np.full((1, 1), np.polyfit(np.log(total[inside]), np.log(usd[inside]), 1)[0])


def _cache_exponent(_: Question) -> Array:
    """Slope of ln(h·l) over ln N without embeddings, of the public dense models."""
    shapes = [model.shape for model in load_models().values() if model.shape.n_experts == 1]
    size = np.array([float(counts(shape).n_total_non_embedding) for shape in shapes])
    width_depth = np.array([float(shape.d_model * shape.n_layers) for shape in shapes])
    return np.full((1, 1), np.polyfit(np.log(size), np.log(width_depth), 1)[0])


FIG5 = (5.15e21, 5.96e21, 8.18e21)
SIZES = (2.12e21, 5.15e21, 5.96e21)
ONE = (5.15e21,)

CLAIMS = (
    Claim(
        name="cost-8-over-4", low=0.477, high=0.51, unit="share", where="§5.2, Fig. 5 left",
        budgets=FIG5,
        text="cost of the over-trained 8-expert model at the loss of the loss-optimal 4-expert one, over the latter's",
        measure=_cost_at_loss(8, 4),
    ),
    Claim(
        name="cost-16-over-4", low=0.47, high=0.52, unit="share", where="§5.2, Fig. 5 left",
        budgets=FIG5,
        text="cost of the over-trained 16-expert model at the loss of the loss-optimal 4-expert one, over the latter's",
        measure=_cost_at_loss(16, 4),
    ),
    Claim(
        name="cost-8-over-dense", low=0.316, high=0.381, unit="share", where="§5.2, Fig. 5 left",
        budgets=FIG5,
        text="cost of the over-trained 8-expert model at the loss of the loss-optimal dense one, over the latter's",
        measure=_cost_at_loss(8, 1),
    ),
    Claim(
        name="about-half-or-less", low=None, high=0.52, unit="share", where="§1",
        budgets=FIG5,
        text="the dearer of the two: over-trained 8- and 16-expert models at the loss of the loss-optimal 4-expert one "
        "cost 47.0 to 52.0 % of it, read as at most that (a one-sided reading, added once the two-sided had been seen)",
        measure=lambda q: np.maximum(_cost_at_loss(8, 4)(q), _cost_at_loss(16, 4)(q)),
    ),
    Claim(
        name="over-trained-16-saves", low=None, high=1.0, unit="share", where="Fig. 4",
        tolerance=0.0,
        text="cost of the over-trained 16-expert model at the loss of the loss-optimal 4-expert one: below 100 % it "
        "beats it on both axes of one budget",
        measure=_cost_at_loss(16, 4),
    ),
    Claim(
        name="over-trained-16-beats-8", low=None, high=1.0, unit="share", where="Fig. 4",
        tolerance=0.0,
        text="cost of the over-trained 16-expert model at the loss of the loss-optimal 8-expert one, over the latter's",
        measure=_cost_at_loss(16, 8),
    ),
    Claim(
        name="cheapest-over-trained", low=8, high=8, unit="experts", where="§5.2, Fig. 5 left",
        tolerance=0.0,
        text="number of experts of the cheapest model at the loss of the dense optimum", budgets=FIG5,
        measure=_cheapest_over_trained(1),
    ),
    Claim(
        name="cost-32-over-16", low=1.0, high=None, unit="times", where="§5.2, Fig. 5 left",
        tolerance=0.0, budgets=FIG5,
        text="cost of the over-trained 32-expert model over that of the 16-expert one, both at the 4-expert one's loss",
        measure=lambda q: _cost_at_loss(32, 4)(q) / _cost_at_loss(16, 4)(q),
    ),
    Claim(
        name="few-experts-cheapest", low=4, high=8, unit="experts", where="abstract, Fig. 3",
        tolerance=0.0,
        text="number of experts of the cheapest model among loss-optimal ones of equal loss",
        measure=_cheapest_loss_optimal,
    ),
    Claim(
        name="flops-at-equal-cost", low=0.316, high=0.316, unit="share", where="§1",
        text="training FLOPs of an over-trained 16-expert model with loss and cost of the loss-optimal 4-expert one, "
        "over the latter's, at the best of the budgets (\"saves up to 68.4 %\")",
        measure=_flops_at_cost_and_loss,
    ),
    Claim(
        name="bounded-cost-8-over-dense", low=0.841, high=0.841, unit="share", where="§5.2, Fig. 6",
        budgets=ONE,
        text="size of the 8-expert model of lowest loss at the dense optimum's cost, over the dense optimum's",
        measure=_size_at_cost(8, 1, 1),
    ),
    Claim(
        name="bounded-cost-32-over-4", low=0.307, high=0.307, unit="share", where="§5.2, Fig. 6",
        budgets=ONE,
        text="size of the 32-expert model of lowest loss at the 4-expert optimum's cost, over the latter's size (lower "
        "end of the stated range)",
        measure=_size_at_cost(32, 4, 4),
    ),
    Claim(
        name="bounded-cost-8-over-4", low=0.695, high=0.695, unit="share", where="§5.2, Fig. 6",
        budgets=ONE,
        text="size of the 8-expert model of lowest loss at the 4-expert optimum's cost, over the latter's size (upper "
        "end of the stated range)",
        measure=_size_at_cost(8, 4, 4),
    ),
    Claim(
        name="more-flops-of-4", low=0.521, high=0.521, unit="share", where="§5.2, Fig. 6",
        budgets=ONE,
        text="extra training FLOPs of a 4-expert model to match the 8-expert one of equal cost",
        measure=_more_flops_of_four,
    ),
    Claim(
        name="size-of-32-for-quality", low=0.3, high=0.3, unit="share", where="§5.2",
        budgets=FIG5,
        text="size of the 32-expert model at the 4-expert optimum's cost, over its own loss-optimal size",
        measure=_size_at_cost(32, 4, 32),
    ),
    Claim(
        name="size-of-16-for-cost", low=0.16, high=0.16, unit="share", where="§5.2",
        budgets=FIG5, priced=False,
        text="size of the over-trained 16-expert model at the 4-expert optimum's loss, over its own loss-optimal size",
        measure=_size_at_loss(16, 4, 16),
    ),
    Claim(
        name="flops-16-over-4", low=0.237, high=0.428, unit="share", where="§5.1, Fig. 3 middle",
        priced=False,
        text="training FLOPs of the loss-optimal 16-expert model at the loss of the 4-expert one, over the latter's",
        measure=_flops_at_loss(16, 4),
    ),
    Claim(
        name="flops-4-over-32", low=2.5, high=3.5, unit="times", where="abstract",
        priced=False,
        text="training FLOPs of the 4-expert model over those of the 32-expert one of equal loss",
        measure=lambda q: 1 / _flops_at_loss(32, 4)(q),
    ),
    Claim(
        name="flops-gap-grows", low=None, high=1.0, unit="times", where="§5.1",
        priced=False, tolerance=0.0,
        text="the ratio of 16- to 4-expert training FLOPs at the largest budget over that at the smallest",
        measure=_change_with_budget(_flops_at_loss(16, 4)),
    ),
    Claim(
        name="size-8-over-dense", low=0.233, high=0.282, unit="share", where="Fig. 5 right",
        budgets=SIZES, priced=False,
        text="size of the over-trained 8-expert model over the loss-optimal dense one, at its loss",
        measure=_size_at_loss(8, 1, 1),
    ),
    Claim(
        name="size-8-over-4", low=0.21, high=0.251, unit="share", where="Fig. 5 right",
        budgets=SIZES, priced=False,
        text="size of the over-trained 8-expert model over the loss-optimal 4-expert one, at the dense optimum's loss",
        measure=_size_at_loss(8, 1, 4),
    ),
    Claim(
        name="size-falls-with-experts", low=None, high=1.0, unit="times", where="Fig. 5 right",
        priced=False, tolerance=0.0,
        text="size of the over-trained 32-expert model over the 8-expert one, both at the dense optimum's loss",
        measure=lambda q: _size_at_loss(32, 1, 1)(q) / _size_at_loss(8, 1, 1)(q),
    ),
    Claim(
        name="size-falls-with-budget", low=None, high=1.0, unit="times", where="Fig. 5 right",
        priced=False, tolerance=0.0,
        text="the ratio of over-trained 8-expert to dense size at the largest budget over that at the smallest",
        measure=_change_with_budget(_size_at_loss(8, 1, 1)),
    ),
    Claim(
        name="dense-optimum-small", low=3.36e9, high=3.36e9, unit="parameters", where="Fig. 5 right",
        budgets=(2.12e21,),
        text="loss-optimal dense size at 2.12e21 FLOPs", priced=False, dense=True,
        measure=lambda q: q.paid(q.optimum(1), 1),
    ),
    Claim(
        name="dense-optimum-large", low=6.14e9, high=6.14e9, unit="parameters", where="Fig. 5 right",
        budgets=(5.96e21,),
        text="loss-optimal dense size at 5.96e21 FLOPs", priced=False, dense=True,
        measure=lambda q: q.paid(q.optimum(1), 1),
    ),
    Claim(
        name="cost-linear-in-size", low=1.0, high=1.0, unit="exponent", where="Fig. 2",
        lawless=True,
        text="exponent of serving cost in all parameters, dense models of 1B to 20B", measure=_cost_exponent,
    ),
    Claim(
        name="cache-exponent", low=2 / 3, high=2 / 3, unit="exponent", where="App. C, Fig. 8",
        priced=False, lawless=True,
        text="exponent of width times layers in N, public dense models", measure=_cache_exponent,
    ),
)  # fmt: skip
