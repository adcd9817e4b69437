"""Which law to believe for the next, larger run: held-out error first, AIC beside it."""

from dataclasses import dataclass

from moeconomics.errors import BadInput
from moeconomics.fit.fit import Fit
from moeconomics.fit.holdout import Holdout, holdout

CLOSE = 1.1  # held-out errors within this factor do not tell laws apart


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One law's scores: on all rows, and on the rows held out of the fit."""

    law: str
    rmsle: float
    aic: float
    held_out: Holdout


def compare(fits: list[Fit], kind: str) -> tuple[list[Comparison], str]:
    """Score fits of different laws to the same runs, best extrapolation first, and say which to take.

    Errors: `BadInput` for fewer than two laws, or as `holdout`.
    """
    if len({one.rows.law.name for one in fits}) < 2:
        raise BadInput(f"{fits[0].rows.law.name} can not be compared with itself; give another law")
    scores = sorted(
        (Comparison(law=one.rows.law.name, rmsle=one.rmsle, aic=one.aic, held_out=holdout(one, kind)) for one in fits),
        key=lambda score: score.held_out.rmsle_test,
    )
    best, second = scores[0], scores[1]
    errors = f"{best.held_out.rmsle_test:.3g} against {second.held_out.rmsle_test:.3g} of {second.law} on {kind}"
    if second.held_out.rmsle_test < CLOSE * best.held_out.rmsle_test:
        return scores, f"undecided: {best.law} and {second.law} extrapolate alike here ({errors})"
    return scores, f"{best.law} extrapolates better here: {errors}"
