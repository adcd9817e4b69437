"""One combination of law, setting and FLOP convention, solved for all numbers of experts, budgets and draws at once.

Axes: M the law's coefficient sets (its own first, then draws), E numbers of experts and B training budgets of the
scale. Sizes are the setting's. The paper's algorithms are `planning.continuous`, asked elementwise: what it calls
`experts` is here the index of a case, a number of experts under one coefficient set.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from moeconomics.laws import Law
from moeconomics.planning import Tradeoff, bounded_cost, bounded_loss, loss_optimal
from moeconomics.reproduction.scale import PAPER, Scale
from moeconomics.reproduction.setting import Setting
from moeconomics.units import Array

DRAWS = 40  # of a law that has them, for speed
REACH = 30.0  # equal loss is looked for at budgets this many times smaller and larger
STEPS = 81  # budgets, logarithmic, between which losses are interpolated: 1e-5 of a loss


@dataclass(frozen=True, eq=False)
class Question:
    """A law's answers in a setting under a FLOP convention."""

    law: Law
    setting: Setting
    count: str
    scale: Scale = PAPER

    @property
    def budgets(self) -> Array:
        """Training FLOPs, (B,)."""
        return np.array(self.scale.budgets)

    @cached_property
    def coefficients(self) -> dict[str, Array]:
        """Name → values over M."""
        draws = self.law.draws or {}
        return {
            name: np.concatenate([[value], np.asarray(draws[name], dtype=float)[:DRAWS]] if draws else [[value]])
            for name, value in self.law.coefficients.items()
        }

    @cached_property
    def n_sets(self) -> int:
        """Length of axis M."""
        return len(next(iter(self.coefficients.values())))

    @cached_property
    def trade(self) -> Tradeoff:
        """Loss, FLOPs and cost as functions of (size, case, ...)."""
        numbers = np.array(self.scale.experts)

        def experts(case: Array) -> Array:
            return numbers[np.asarray(case).astype(int) % len(numbers)]

        def loss(size: Array, case: Array, tokens: Array) -> Array:
            which = np.asarray(case).astype(int) // len(numbers)
            chosen = {name: values[which] for name, values in self.coefficients.items()}
            return self.law.loss_of(
                chosen, self.setting.variables(self.law.variables, size, experts(case), tokens, self.count)
            )

        return Tradeoff(
            loss=loss,
            flops_per_token=lambda size, case: self.setting.flops_per_token(size, experts(case), self.count),
            cost=lambda size, case: self.setting.cost(size, experts(case)),
            sizes=self.setting.sizes,
        )

    @cached_property
    def case_ME1(self) -> Array:
        """Index of each case."""
        return np.arange(self.n_sets * len(self.scale.experts)).reshape(self.n_sets, len(self.scale.experts), 1)

    def case(self, experts: int) -> Array:
        """Cases of one number of experts, (M, 1)."""
        return self.case_ME1[:, self.scale.experts.index(experts)]

    @cached_property
    def _optimum_MEB(self) -> Array:
        return loss_optimal(self.trade, self.budgets, self.case_ME1)

    def optimum(self, experts: int) -> Array:
        """Loss-optimal size, (M, B)."""
        return self._optimum_MEB[:, self.scale.experts.index(experts)]

    def optimal_loss(self, experts: int) -> Array:
        """Loss of that size, (M, B)."""
        return self.trade.loss_under(self.budgets, self.optimum(experts), self.case(experts))

    def base_cost(self, experts: int) -> Array:
        """Serving cost of the loss-optimal size, (M, B); NaN where no size of that cost is priced."""
        return self.cost(self.optimum(experts), experts)

    @cached_property
    def _found(self) -> dict[tuple[str, int], Array]:
        return {}

    def _bounded(self, kind: str, base: int) -> Array:
        if (kind, base) not in self._found:
            solve = {"loss": bounded_loss, "cost": bounded_cost}[kind]
            bases = np.broadcast_to(self.case(base)[:, None], self.case_ME1.shape)
            self._found[kind, base] = solve(self.trade, self.budgets, bases, self.case_ME1)
        return self._found[kind, base]

    def same_loss(self, experts: int, base: int) -> Array:
        """Algorithm 1: smallest size of no worse loss than the base's loss-optimal model, (M, B)."""
        return self._bounded("loss", base)[:, self.scale.experts.index(experts)]

    def same_cost(self, experts: int, base: int) -> Array:
        """Algorithm 2: size of lowest loss at no higher cost than the base's loss-optimal model, (M, B)."""
        size = self._bounded("cost", base)[:, self.scale.experts.index(experts)]
        return np.where(self.is_priced(self.optimum(base)) & self.is_priced(size), size, np.nan)

    def paid(self, size: Array, experts: int) -> Array:
        """Parameters that a training token pays for: the paper's "model size" under `6nd`."""
        return self.trade.flops_per_token(size, self.case(experts)) / 6

    def cost(self, size: Array, experts: int) -> Array:
        """Serving cost; NaN where the setting does not price the size."""
        return np.where(self.is_priced(size), self.trade.cost(size, self.case(experts)), np.nan)

    def is_priced(self, size: Array) -> Array:
        """Whether the setting knows the cost of a size."""
        low, high = self.setting.priced
        return (size >= low * (1 - 1e-9)) & (size <= high * (1 + 1e-9))

    def loss(self, size: Array, experts: int) -> Array:
        """Loss when the whole budget is spent on the size, (M, B)."""
        return self.trade.loss_under(self.budgets, size, self.case(experts))

    @cached_property
    def _trained(self) -> tuple[Array, Array]:
        """(budgets, losses of loss-optimal models over M, E and these budgets)."""
        budgets = np.geomspace(self.budgets[0] / REACH, self.budgets[-1] * REACH, STEPS)
        sizes = loss_optimal(self.trade, budgets, self.case_ME1)
        return budgets, self.trade.loss_under(budgets, sizes, self.case_ME1)

    def flops_for(self, loss: Array, experts: int) -> Array:
        """Training FLOPs with which the loss-optimal model reaches a loss (M, B); NaN beyond `REACH`."""
        budgets, losses = self._trained
        return np.exp(crossing(np.log(budgets), losses[:, self.scale.experts.index(experts)], loss))

    def flops_of_size_for(self, loss: Array, size: Array, experts: int) -> Array:
        """Training FLOPs with which a given size reaches a loss, (M, B); NaN beyond `REACH`."""
        budgets = np.geomspace(self.budgets[0] / REACH, self.budgets[-1] * REACH, 2 * STEPS)
        case = self.case(experts)[..., None]
        losses = self.trade.loss_under(budgets, size[..., None], case)
        return np.exp(crossing(np.log(budgets), losses, loss))

    def optimum_at(self, budgets: Array, experts: int) -> Array:
        """Loss-optimal size at budgets of one's own, (M, B)."""
        known = np.isfinite(budgets)
        found = loss_optimal(
            self.trade, np.where(known, budgets, self.budgets[0]), np.broadcast_to(self.case(experts), budgets.shape)
        )
        return np.where(known, found, np.nan)

    def distance(self, *, dense: bool) -> dict[str, float]:
        """How far beyond the law's data, in log10, the dense optimum lies, or all models that are asked for."""
        asked = [self._optimum_MEB[0, :1]] if dense else [self._optimum_MEB[0], self._bounded("loss", 4)[0]]
        far: dict[str, float] = {}
        for size_EB in asked:
            cases = self.case_ME1[0, : len(size_EB)]
            tokens = self.trade.tokens(size_EB, cases, self.budgets)
            experts = np.array(self.scale.experts)[: len(size_EB), None]
            values = self.setting.variables(tuple(self.law.domain), size_EB, experts, tokens, self.count)
            for name, (low, high) in self.law.domain.items():
                with np.errstate(divide="ignore"):  # a `low` of 0 is no bound
                    out = np.maximum(np.log10(low / values[name]), np.log10(values[name] / high))
                far[name] = float(np.max(out, initial=far.get(name, 0.0), where=np.isfinite(out)))
        return {name: value for name, value in far.items() if value > 0}


def crossing(x: Array, falling: Array, level: Array) -> Array:
    """Where a curve over x (X) crosses `level` (..., B) downwards, linearly between points; NaN where it does not.

    `falling` is (..., X) or (..., B, X).
    """
    if falling.ndim == np.ndim(level):
        falling = falling[..., None, :]
    falling = np.broadcast_to(falling, (*np.shape(level), len(x)))
    above = falling > np.asarray(level)[..., None]
    first = np.argmin(above, axis=-1)  # first point at or below the level
    found = ~above.all(axis=-1) & (first > 0)
    first = np.maximum(first, 1)
    right = np.take_along_axis(falling, first[..., None], axis=-1)[..., 0]
    left = np.take_along_axis(falling, first[..., None] - 1, axis=-1)[..., 0]
    share = np.where(found, (left - level) / np.where(found, left - right, 1.0), np.nan)
    return np.where(found, x[first - 1] + share * (x[first] - x[first - 1]), np.nan)
