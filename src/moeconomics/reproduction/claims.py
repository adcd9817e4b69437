"""The paper's stated numbers and conclusions, each with how it is computed from a solved question.

A conclusion in words is a number too: a ratio below 1, a choice of E. A claim's `where` is its place in the paper.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from moeconomics.reproduction.measures import (
    Measure,
    cache_exponent,
    change_with_budget,
    cheapest,
    cost_at_loss,
    cost_exponent,
    flops_at_cost_and_loss,
    flops_at_loss,
    loss_optimal_of_dense,
    more_flops_of_four,
    over_trained,
    rival,
    size_at_cost,
    size_at_loss,
)
from moeconomics.reproduction.question import Question
from moeconomics.reproduction.scale import BUDGETS, Scale
from moeconomics.units import Array, count_text

TOLERANCE = 0.1  # relative, around a printed range


@dataclass(frozen=True, kw_only=True)
class Claim:
    """`low` to `high` is what the paper states, None an open end; `tolerance` widens it, relative.

    `measure` gives (M, B) of a question; `budgets` are those of `BUDGETS` that the paper states it for. `priced`:
    whether serving cost enters. `dense`: whether it is of dense models alone. `most`: the most experts it speaks of.
    `of_costs`: whether its number is a ratio of two costs; `rival`, of a claim that is a choice: a ratio of two costs
    that is below 1 where the claim holds.
    """

    name: str
    text: str
    where: str
    low: float | None
    high: float | None
    unit: str
    measure: Measure
    budgets: tuple[float, ...] = BUDGETS
    tolerance: float = TOLERANCE
    priced: bool = True
    dense: bool = False
    lawless: bool = False
    most: int = 16
    of_costs: bool = False
    rival: Measure | None = None

    @property
    def heading(self) -> str:
        """What it says, as a sentence begins."""
        return self.text[0].upper() + self.text[1:]

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

    @property
    def accepted(self) -> tuple[float, float]:
        """The stated range with its tolerance."""
        return (
            -np.inf if self.low is None else self.low * (1 - self.tolerance),
            np.inf if self.high is None else self.high * (1 + self.tolerance),
        )

    def unasked(self, scale: Scale) -> str | None:
        """Why the claim has no meaning at another scale than the paper's, or None."""
        if not scale.is_paper and self.unit == "parameters":
            return "an absolute size, of the paper's scale alone"
        if self.most > max(scale.experts):
            return f"of {self.most} experts; the data of this scale have {max(scale.experts)} at most"
        return None

    def values(self, question: Question) -> Array:
        """The claim's number over M and the budgets it is asked at."""
        return self._at_budgets(self.measure, question)

    def holds(self, values: Array) -> Array:
        """Whether each value lies within the stated range and its tolerance."""
        low, high = self.accepted
        return (values >= low) & (values <= high)

    def survives(self, question: Question, values: Array) -> bool | None:
        """Whether the verdict of the law's own `values` (M, B) stays the same within the cost model's error band.

        The worst case: of the two costs one lies at the low end of its band, the other at the high end. Errors of two
        models under one cost model go together, so a verdict that does not survive this may hold all the same. None
        where the cost model has no band, or where the verdict is of no ratio of two costs.
        """
        spread = question.setting.spread if self.priced else None
        if spread is None or not (self.of_costs or self.rival):
            return None
        ratio, (low, high) = values[0], self.accepted
        if self.rival is not None:
            ratio, (low, high) = self._at_budgets(self.rival, question)[0], (-np.inf, 1.0)
        if ((ratio >= low) & (ratio <= high)).all():
            return bool((ratio / spread >= low).all() and (ratio * spread <= high).all())
        return not ((ratio * spread >= low) & (ratio / spread <= high)).all()

    def _at_budgets(self, measure: Measure, question: Question) -> Array:
        every = np.broadcast_to(measure(question), (question.n_sets, len(question.budgets)))
        return every[:, question.scale.columns(self.budgets)]


def written(value: float | None, unit: str) -> str:
    """A value in its unit: a share in per cent, parameters with a letter."""
    if value is None or not np.isfinite(value):
        return "n/a"
    if unit == "share":
        return f"{100 * value:.3g} %"
    return count_text(value) if unit == "parameters" else f"{value:.3g}"


over_trained_of_dense = partial(over_trained, base=1)

FIG5 = (5.15e21, 5.96e21, 8.18e21)
SIZES = (2.12e21, 5.15e21, 5.96e21)
ONE = (5.15e21,)

CLAIMS = (
    Claim(
        name="cost-8-over-4", of_costs=True, low=0.477, high=0.51, unit="share", where="§5.2, Fig. 5 left",
        budgets=FIG5,
        text="cost of the over-trained 8-expert model at the loss of the loss-optimal 4-expert one, over the latter's",
        measure=cost_at_loss(8, 4),
    ),
    Claim(
        name="cost-16-over-4", of_costs=True, low=0.47, high=0.52, unit="share", where="§5.2, Fig. 5 left",
        budgets=FIG5,
        text="cost of the over-trained 16-expert model at the loss of the loss-optimal 4-expert one, over the latter's",
        measure=cost_at_loss(16, 4),
    ),
    Claim(
        name="cost-8-over-dense", of_costs=True, low=0.316, high=0.381, unit="share", where="§5.2, Fig. 5 left",
        budgets=FIG5,
        text="cost of the over-trained 8-expert model at the loss of the loss-optimal dense one, over the latter's",
        measure=cost_at_loss(8, 1),
    ),
    Claim(
        name="about-half-or-less", of_costs=True, low=None, high=0.52, unit="share", where="§1",
        budgets=FIG5,
        text="the dearer of the two: over-trained 8- and 16-expert models at the loss of the loss-optimal 4-expert one "
        "cost 47.0 to 52.0 % of it, read as at most that (a one-sided reading, added once the two-sided had been seen)",
        measure=lambda q: np.maximum(cost_at_loss(8, 4)(q), cost_at_loss(16, 4)(q)),
    ),
    Claim(
        name="over-trained-16-saves", of_costs=True, low=None, high=1.0, unit="share", where="Fig. 4",
        tolerance=0.0,
        text="cost of the over-trained 16-expert model at the loss of the loss-optimal 4-expert one: below 100 % it "
        "beats it on both axes of one budget",
        measure=cost_at_loss(16, 4),
    ),
    Claim(
        name="over-trained-16-beats-8", of_costs=True, low=None, high=1.0, unit="share", where="Fig. 4",
        tolerance=0.0,
        text="cost of the over-trained 16-expert model at the loss of the loss-optimal 8-expert one, over the latter's",
        measure=cost_at_loss(16, 8),
    ),
    Claim(
        name="cheapest-over-trained", low=8, high=8, unit="experts", where="§5.2, Fig. 5 left",
        tolerance=0.0,
        text="number of experts of the cheapest model at the loss of the dense optimum", budgets=FIG5,
        measure=cheapest(over_trained_of_dense), rival=rival(over_trained_of_dense, 8, 8),
    ),
    Claim(
        name="cost-32-over-16", most=32, of_costs=True, low=1.0, high=None, unit="times", where="§5.2, Fig. 5 left",
        tolerance=0.0, budgets=FIG5,
        text="cost of the over-trained 32-expert model over that of the 16-expert one, both at the 4-expert one's loss",
        measure=lambda q: cost_at_loss(32, 4)(q) / cost_at_loss(16, 4)(q),
    ),
    Claim(
        name="few-experts-cheapest", low=4, high=8, unit="experts", where="abstract, Fig. 3",
        tolerance=0.0,
        text="number of experts of the cheapest model among loss-optimal ones of equal loss",
        measure=cheapest(loss_optimal_of_dense), rival=rival(loss_optimal_of_dense, 4, 8),
    ),
    Claim(
        name="flops-at-equal-cost", low=0.316, high=0.316, unit="share", where="§1",
        text="training FLOPs of an over-trained 16-expert model with loss and cost of the loss-optimal 4-expert one, "
        "over the latter's, at the best of the budgets (\"saves up to 68.4 %\")",
        measure=flops_at_cost_and_loss,
    ),
    Claim(
        name="bounded-cost-8-over-dense", low=0.841, high=0.841, unit="share", where="§5.2, Fig. 6",
        budgets=ONE,
        text="size of the 8-expert model of lowest loss at the dense optimum's cost, over the dense optimum's",
        measure=size_at_cost(8, 1, 1),
    ),
    Claim(
        name="bounded-cost-32-over-4", most=32, low=0.307, high=0.307, unit="share", where="§5.2, Fig. 6",
        budgets=ONE,
        text="size of the 32-expert model of lowest loss at the 4-expert optimum's cost, over the latter's size (lower "
        "end of the stated range)",
        measure=size_at_cost(32, 4, 4),
    ),
    Claim(
        name="bounded-cost-8-over-4", low=0.695, high=0.695, unit="share", where="§5.2, Fig. 6",
        budgets=ONE,
        text="size of the 8-expert model of lowest loss at the 4-expert optimum's cost, over the latter's size (upper "
        "end of the stated range)",
        measure=size_at_cost(8, 4, 4),
    ),
    Claim(
        name="more-flops-of-4", low=0.521, high=0.521, unit="share", where="§5.2, Fig. 6",
        budgets=ONE,
        text="extra training FLOPs of a 4-expert model to match the 8-expert one of equal cost",
        measure=more_flops_of_four,
    ),
    Claim(
        name="size-of-32-for-quality", most=32, low=0.3, high=0.3, unit="share", where="§5.2",
        budgets=FIG5,
        text="size of the 32-expert model at the 4-expert optimum's cost, over its own loss-optimal size",
        measure=size_at_cost(32, 4, 32),
    ),
    Claim(
        name="size-of-16-for-cost", low=0.16, high=0.16, unit="share", where="§5.2",
        budgets=FIG5, priced=False,
        text="size of the over-trained 16-expert model at the 4-expert optimum's loss, over its own loss-optimal size",
        measure=size_at_loss(16, 4, 16),
    ),
    Claim(
        name="flops-16-over-4", low=0.237, high=0.428, unit="share", where="§5.1, Fig. 3 middle",
        priced=False,
        text="training FLOPs of the loss-optimal 16-expert model at the loss of the 4-expert one, over the latter's",
        measure=flops_at_loss(16, 4),
    ),
    Claim(
        name="flops-4-over-32", most=32, low=2.5, high=3.5, unit="times", where="abstract",
        priced=False,
        text="training FLOPs of the 4-expert model over those of the 32-expert one of equal loss",
        measure=lambda q: 1 / flops_at_loss(32, 4)(q),
    ),
    Claim(
        name="flops-gap-grows", low=None, high=1.0, unit="times", where="§5.1",
        priced=False, tolerance=0.0,
        text="the ratio of 16- to 4-expert training FLOPs at the largest budget over that at the smallest",
        measure=change_with_budget(flops_at_loss(16, 4)),
    ),
    Claim(
        name="size-8-over-dense", low=0.233, high=0.282, unit="share", where="Fig. 5 right",
        budgets=SIZES, priced=False,
        text="size of the over-trained 8-expert model over the loss-optimal dense one, at its loss",
        measure=size_at_loss(8, 1, 1),
    ),
    Claim(
        name="size-8-over-4", low=0.21, high=0.251, unit="share", where="Fig. 5 right",
        budgets=SIZES, priced=False,
        text="size of the over-trained 8-expert model over the loss-optimal 4-expert one, at the dense optimum's loss",
        measure=size_at_loss(8, 1, 4),
    ),
    Claim(
        name="size-falls-with-experts", most=32, low=None, high=1.0, unit="times", where="Fig. 5 right",
        priced=False, tolerance=0.0,
        text="size of the over-trained 32-expert model over the 8-expert one, both at the dense optimum's loss",
        measure=lambda q: size_at_loss(32, 1, 1)(q) / size_at_loss(8, 1, 1)(q),
    ),
    Claim(
        name="size-falls-with-budget", low=None, high=1.0, unit="times", where="Fig. 5 right",
        priced=False, tolerance=0.0,
        text="the ratio of over-trained 8-expert to dense size at the largest budget over that at the smallest",
        measure=change_with_budget(size_at_loss(8, 1, 1)),
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
        text="exponent of serving cost in all parameters, dense models of 1B to 20B", measure=cost_exponent,
    ),
    Claim(
        name="cache-exponent", low=2 / 3, high=2 / 3, unit="exponent", where="App. C, Fig. 8",
        priced=False, lawless=True,
        text="exponent of width times layers in N, public dense models", measure=cache_exponent,
    ),
)  # fmt: skip
