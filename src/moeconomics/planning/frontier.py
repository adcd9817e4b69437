"""The Pareto frontier of (training cost, serving cost, loss) over all rungs, experts and budgets up to one's own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moeconomics.planning.problem import Problem
from moeconomics.planning.realised import Rungs, loss_under_budget

BUDGET_SHARES = 2.0 ** -np.arange(6, -1, -1)  # 1/64 of the budget to all of it


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """Models that no other model beats on all three axes; 1-d arrays, `index` into the flat rungs."""

    index: NDArray[np.int64]
    train_flops: NDArray[np.float64]
    tokens: NDArray[np.float64]
    loss: NDArray[np.float64]


def frontier(problem: Problem, table: Rungs) -> Frontier:
    """Sweep the budgets upwards; a model stays if it beats all that cost no more to train on loss or on cost."""
    usd = table.usd_ER.ravel()
    flops_per_token = table.flops_per_token_ER.ravel()
    best_usd, best_loss = np.empty(0), np.empty(0)
    parts = []
    for budget in problem.train_flops * BUDGET_SHARES:
        loss = loss_under_budget(problem, table, budget).ravel()
        index = pareto(usd, loss)
        index = index[~_beaten(usd[index], loss[index], best_usd, best_loss)]
        parts.append((index, np.full(index.size, budget), budget / flops_per_token[index], loss[index]))
        best_usd, best_loss = np.append(best_usd, usd[index]), np.append(best_loss, loss[index])
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Frontier(index=columns[0], train_flops=columns[1], tokens=columns[2], loss=columns[3])


def pareto(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of the finite points that no other point beats in both coordinates, by rising x.

    >>> pareto(np.array([1.0, 2.0, 3.0, 1.5]), np.array([3.0, 2.0, 2.5, np.inf])).tolist()
    [0, 1]
    """
    order = np.lexsort((y, x))
    order = order[np.isfinite(x[order]) & np.isfinite(y[order])]
    lowest_before = np.minimum.accumulate(np.append(np.inf, y[order]))[:-1]
    return order[y[order] < lowest_before]


def _beaten(
    x: NDArray[np.float64], y: NDArray[np.float64], by_x: NDArray[np.float64], by_y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which points (x, y) have one of (by_x, by_y) at or below them in both coordinates."""
    order = np.argsort(by_x)
    lowest_y = np.minimum.accumulate(np.append(np.inf, by_y[order]))
    return lowest_y[np.searchsorted(by_x[order], x, side="right")] <= y
