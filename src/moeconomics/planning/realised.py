"""The same rules on shapes one can train: an exhaustive, vectorised search over the ladder.

Every rung is served on every GPU option and priced; a rule then picks the best rung that keeps its bound, so
"no worse loss" and "no higher cost" hold for the models themselves, not only for the continuous solution.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise

from moeconomics.planning.problem import Problem
from moeconomics.serving import Served, cheapest
from moeconomics.shapes import Architecture, Ladder, ModelShape, ladder, map_dimensions
from moeconomics.units import Array

RUNG_STEP = 1.02  # ratio of neighbouring target sizes
SMALLEST, LARGEST = 1e5, 2e12  # n_dense of the ladder's ends

LOSS_OPTIMAL, BOUNDED_LOSS, BOUNDED_COST, LIFETIME = "loss_optimal", "bounded_loss", "bounded_cost", "lifetime"


@dataclass(frozen=True, kw_only=True)
class Rungs:
    """Every rung with every number of experts. Arrays have axes (experts E, rung R) but for `shape`, flat."""

    shape: ModelShape
    served: Served
    usd_ER: NDArray[np.float64]
    flops_per_token_ER: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a rule picked: the flat index of a rung and the tokens to train it on."""

    rule: str
    experts: int
    base_experts: int | None
    index: int
    tokens: float


@lru_cache(maxsize=16)
def full_ladder(architecture: Architecture, vocab_size: int) -> Ladder:
    """The ladder from `SMALLEST` to `LARGEST` in steps of 2 %."""
    steps = round(np.log(LARGEST / SMALLEST) / np.log(RUNG_STEP))
    return ladder(architecture, np.geomspace(SMALLEST, LARGEST, steps), vocab_size)


def rungs(problem: Problem) -> Rungs:
    """Count and price every rung."""
    shape = full_ladder(problem.architecture, problem.vocab_size).shapes(*problem.experts)
    served = cheapest(problem.model, shape, problem.deployment.gpus)
    axes = (len(problem.experts), -1)
    return Rungs(
        shape=shape,
        served=served,
        usd_ER=served.usd_per_token_output.reshape(axes),
        flops_per_token_ER=np.asarray(problem.flops_per_token(shape), dtype=float).reshape(axes),
    )


def loss_under_budget(problem: Problem, table: Rungs, train_flops: float) -> NDArray[np.float64]:
    """Loss (axes ER) of each rung when the whole budget is spent on it, whether it can be served or not."""
    tokens_ER = train_flops / table.flops_per_token_ER
    return np.asarray(problem.law.loss(table.shape, tokens_ER.ravel())).reshape(tokens_ER.shape)


def choices(problem: Problem, table: Rungs) -> list[Choice]:
    """Every rule's pick that exists: E alone for loss-optimal, (base, E) pairs with base < E for the bounds."""
    usd_ER = table.usd_ER
    loss_ER = np.where(np.isfinite(usd_ER), loss_under_budget(problem, table, problem.train_flops), np.inf)
    rung_count = loss_ER.shape[1]
    optimum_E = np.argmin(loss_ER, axis=1)
    found: list[Choice] = []

    def add(rule: str, row: int, base: int | None, rung: int, tokens: float | None = None) -> None:
        spent = problem.train_flops / table.flops_per_token_ER[row, rung]
        found.append(
            Choice(
                rule=rule,
                experts=problem.experts[row],
                base_experts=None if base is None else problem.experts[base],
                index=row * rung_count + rung,
                tokens=float(spent if tokens is None else tokens),
            )
        )

    rows = [row for row in range(len(problem.experts)) if np.isfinite(loss_ER[row, optimum_E[row]])]
    for row in rows:
        add(LOSS_OPTIMAL, row, None, int(optimum_E[row]))
    for base in rows:
        base_loss, base_usd = loss_ER[base, optimum_E[base]], usd_ER[base, optimum_E[base]]
        for row in (row for row in rows if row > base):
            usd = np.where(loss_ER[row] <= base_loss, usd_ER[row], np.inf)
            if np.isfinite(usd.min()):
                add(BOUNDED_LOSS, row, base, int(np.argmin(usd)))
            loss = np.where(usd_ER[row] <= base_usd, loss_ER[row], np.inf)
            if np.isfinite(loss.min()):
                add(BOUNDED_COST, row, base, int(np.argmin(loss)))
    base = problem.experts.index(problem.base_experts)
    if problem.lifetime_tokens is not None and base in rows:
        base_loss = loss_ER[base, optimum_E[base]]
        tokens_ER, usd_ER = _lifetime_usd(problem, table, loss_ER, base_loss)
        for row in rows:
            if np.isfinite(usd_ER[row].min()):
                rung = int(np.argmin(usd_ER[row]))
                add(LIFETIME, row, base, rung, tokens_ER[row, rung])
    return found


def cut_by_serving(problem: Problem, table: Rungs) -> dict[int, str]:
    """The experts whose loss-optimal rung can not be served within the constraints, and what forbids it."""
    best_E = np.argmin(loss_under_budget(problem, table, problem.train_flops), axis=1)
    limited_ER = table.served.limited_by.reshape(table.usd_ER.shape)
    return {
        experts: str(limited_ER[row, best_E[row]])
        for row, experts in enumerate(problem.experts)
        if not np.isfinite(table.usd_ER[row, best_E[row]])
    }


def _lifetime_usd(
    problem: Problem, table: Rungs, loss_ER: NDArray[np.float64], target: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tokens that bring each rung to the target loss within the budget, and its training + serving cost."""
    able = np.flatnonzero((loss_ER <= target).ravel())
    shape = map_dimensions(table.shape, lambda values: values[able])
    flops_per_token = table.flops_per_token_ER.ravel()[able]
    log_most = np.log(problem.train_flops / flops_per_token)

    def excess(log_tokens: Array, index: Array) -> Array:
        part = map_dimensions(shape, lambda values: values[index])
        return problem.law.loss(part, np.exp(log_tokens)) - target

    found = elementwise.find_root(excess, (log_most - 12, log_most), args=(np.arange(able.size),))
    enough = np.exp(np.where(found.success, found.x, log_most))
    tokens, usd = np.full(loss_ER.size, np.nan), np.full(loss_ER.size, np.inf)
    tokens[able] = enough
    training = problem.usd_per_train_flop * flops_per_token * enough
    usd[able] = training + (problem.lifetime_tokens or 0.0) * table.usd_ER.ravel()[able]
    return tokens.reshape(loss_ER.shape), usd.reshape(loss_ER.shape)
