"""Which further runs would tell most about a question: what each would take from the variance of its answer.

In the linear regime the draws of a fit scatter as the inverse of its Fisher information F. A run with ln loss y and
noise σ adds ∇y·∇yᵀ/σ² to F; by the matrix inversion lemma it lowers the variance of an answer g, a function of the
coefficients, by cov(g, y)²/(var y + σ²) (Chaloner & Verdinelli 1995, Stat. Sci. 10:273, c-optimality).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

GOOD_ENOUGH = 0.5  # a run that brings this share of what the best one brings may win by its price


@dataclass(frozen=True, kw_only=True)
class Informative:
    """A chosen run: its index, and the standard deviation of the answer before and after it, over all chosen so far."""

    index: int
    deviation_before: float
    deviation_after: float


def most_informative(
    answer: Values, log_loss: Values, noise: float, flops: Values | None, *, count: int, budget: float = np.inf
) -> list[Informative]:
    """Choose up to `count` runs one after the other, each given those before it.

    `answer` (draws); `log_loss` (draws, runs) ln loss of each possible run; `noise` its standard deviation; `flops`
    (runs) their cost, at most `budget` in all. Each choice takes most variance per FLOP among the affordable runs
    that take at least half of what the best of them takes: without that floor the smallest run always wins, and tells
    next to nothing. None for `flops`: most variance alone.
    """
    answer = answer - answer.mean()
    log_loss = log_loss - log_loss.mean(axis=0)
    draws = len(answer)
    cost = np.ones(log_loss.shape[1]) if flops is None else flops
    left = np.inf if flops is None else budget
    chosen: list[Informative] = []
    while len(chosen) < count:
        variance = (log_loss**2).mean(axis=0) + noise**2
        gain = np.where(cost <= left, (answer @ log_loss / draws) ** 2 / variance, 0.0)
        before = float(np.sqrt((answer**2).mean()))
        if gain.max() <= 1e-12 * before**2:
            break
        best = int(np.argmax(np.where(gain >= GOOD_ENOUGH * gain.max(), gain / cost, 0.0)))
        # Ensemble square-root update (Whitaker & Hamill 2002, MWR 130:1913): the draws as they scatter after the run.
        share = 1 / (1 + np.sqrt(noise**2 / variance[best])) / variance[best]
        seen = log_loss[:, best].copy()
        answer = answer - share * seen * (answer @ seen / draws)
        log_loss = log_loss - share * np.outer(seen, seen @ log_loss / draws)
        left -= cost[best]
        chosen.append(
            Informative(index=best, deviation_before=before, deviation_after=float(np.sqrt((answer**2).mean())))
        )
    return chosen
