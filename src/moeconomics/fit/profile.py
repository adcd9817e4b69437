"""Profile intervals: how far one coefficient may move while the others make the best of it.

The others are fitted anew at each fixed value. An M-estimate's objective is no likelihood; its rise is compared with
the F distribution after scaling by E[ψ²]/E[ψ'], which is σ² for squared errors and allows for the tails that Huber's
function cuts (Heritier & Ronchetti 1994, JASA 89:897; ψ is the derivative of the objective by the residual).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from moeconomics.fit.fit import Fit, data_of
from moeconomics.fit.identify import Interval, deviations
from moeconomics.fit.solve import Problem, pin
from moeconomics.fit.space import EDGE

LEVEL = 0.9
STEPS = np.array([0.5, 1.0, 1.645, 2.2, 3.0, 4.5, 7.0, 12.0, 25.0, 60.0])  # standard deviations from the estimate


def profile(one: Fit) -> dict[str, Interval]:
    """90 % interval of each coefficient; an end is None where it does not close inside the allowed range.

    Rows count as independent; with trunks of several rows the bootstrap is the safer interval.
    """
    shares = one.space.shares(list(one.coefficients.values()))
    step = np.clip(np.nan_to_num(deviations(one), nan=1.0, posinf=1.0), 1e-6, 1.0)
    offsets = np.concatenate([-STEPS[::-1], STEPS])
    at = np.clip(shares[:, None] + step[:, None] * offsets, EDGE, 1 - EDGE)  # (coefficients, values)
    problem = Problem(one.rows.law.loss_of, one.space, one.delta)
    index = np.repeat(np.arange(len(shares)), offsets.size)
    pinned = np.log(at / (1 - at)).ravel()
    best = one.space.inside(one.minima.coordinates[0])
    risen = (pin(problem, data_of(one.rows), best, index, pinned) - one.objective).reshape(at.shape)
    limit = _limit(one)
    half = STEPS.size
    found = {}
    for column, name in enumerate(one.space.names):
        low = _crossing(shares[column], at[column, :half][::-1], risen[column, :half][::-1], limit)
        high = _crossing(shares[column], at[column, half:], risen[column, half:], limit)
        found[name] = (_value(one, name, low), _value(one, name, high))
    return found


def _limit(one: Fit) -> float:
    """Rise of the objective that an interval of `LEVEL` allows."""
    residual, count, free = one.residuals(), len(one.rows), len(one.rows) - len(one.space.names)
    slope = residual if one.delta is None else np.clip(residual, -one.delta, one.delta)
    within = 1.0 if one.delta is None else float(np.mean(np.abs(residual) < one.delta))
    scale = float(np.sum(slope**2)) / free / max(within, 1 / count)
    return scale * float(f_distribution.ppf(LEVEL, 1, free)) / 2


def _crossing(estimate: float, at: NDArray[np.float64], risen: NDArray[np.float64], limit: float) -> float | None:
    """Share at which the rise first passes the limit, its square root taken as linear between values tried."""
    root = np.sqrt(np.maximum(np.nan_to_num(risen, nan=0.0), 0.0))
    beyond = np.flatnonzero(root > np.sqrt(limit))
    if not beyond.size:
        return None
    first = beyond[0]
    before, below = (estimate, 0.0) if first == 0 else (at[first - 1], min(root[first - 1], np.sqrt(limit)))
    return float(before + (at[first] - before) * (np.sqrt(limit) - below) / (root[first] - below))


def _value(one: Fit, name: str, share: float | None) -> float | None:
    if share is None:
        return None
    column = one.space.names.index(name)
    low, high = one.space.low[column], one.space.high[column]
    inner = low + (high - low) * share
    return float(np.exp(inner)) if one.space.log[column] else float(inner)
