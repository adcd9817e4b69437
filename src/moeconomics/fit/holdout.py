"""How well a law extrapolates: fit without the largest runs, or without one group, and predict those."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moeconomics.errors import BadInput, unknown_name
from moeconomics.fit.fit import Fit, fit_from, rmsle
from moeconomics.fit.rows import Rows
from moeconomics.units import count_text

SHARE_HELD_OUT = 0.1  # of the rows, by compute
LATEST = 0.8  # of the most tokens


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """RMSLE of the fit on the rows it saw and on those held out."""

    kind: str
    n_train: int
    n_test: int
    rmsle_train: float
    rmsle_test: float


def _largest(values: NDArray[np.float64] | None) -> NDArray[np.bool_] | None:
    return None if values is None else values >= values.max() * (1 - 1e-9)


def _by_compute(rows: Rows) -> NDArray[np.bool_] | None:
    if not np.isfinite(rows.compute).all():
        return None
    return rows.compute >= np.quantile(rows.compute, 1 - SHARE_HELD_OUT)


# Kind → which rows are held out (None: the law or the table has no such variable).
HOLDOUTS: dict[str, Callable[[Rows], NDArray[np.bool_] | None]] = {
    "largest-compute": _by_compute,
    "largest-n": lambda rows: _largest(rows.size()),
    "largest-experts": lambda rows: _largest(rows.variables.get("experts")),
    "latest-tokens": lambda rows: (
        None if "tokens" not in rows.variables else rows.variables["tokens"] > LATEST * rows.variables["tokens"].max()
    ),
}


# Kind → whose values are left out one at a time.
ONE_LEFT_OUT: dict[str, Callable[[Rows], NDArray[np.float64] | None]] = {
    "one-n": lambda rows: rows.size(),
    "one-experts": lambda rows: rows.variables.get("experts"),
    "one-tokens": lambda rows: rows.variables.get("tokens"),
}
MOST_GROUPS = 40  # values of a variable that can be left out in turn; one with more is no grid


def check_kind(kind: str) -> None:
    """Errors: `BadInput` for a kind that there is not, with the nearest that there is."""
    if kind not in {*HOLDOUTS, *ONE_LEFT_OUT}:
        raise unknown_name("holdout", kind, {*HOLDOUTS, *ONE_LEFT_OUT})


def holdouts(one: Fit, kind: str) -> list[Holdout]:
    """Scores of a kind: one of `HOLDOUTS`, or one for each value that a kind of `ONE_LEFT_OUT` leaves out.

    A value without which too few rows are left has no scores (NaN). Errors: as `holdout`, or `BadInput` for a
    variable of too many values.
    """
    if kind not in ONE_LEFT_OUT:
        return [holdout(one, kind)]
    values = ONE_LEFT_OUT[kind](one.rows)
    if values is None:
        raise BadInput(f"holdout {kind}: {one.rows.law.name} has no such variable")
    found = np.unique(values)
    if not 1 < found.size <= MOST_GROUPS:
        raise BadInput(f"holdout {kind}: the runs have {found.size} different values; 2 to {MOST_GROUPS} make groups")
    words = "{:g}".format if kind == "one-experts" else count_text
    return [_scored(one, f"{kind}={words(value)}", values == value) for value in found]


def holdout(one: Fit, kind: str) -> Holdout:
    """Refit without the rows of `kind` and score both parts.

    Errors: `BadInput` for an unknown kind, a variable the law does not have, or too few rows left to fit.
    """
    check_kind(kind)
    test = HOLDOUTS[kind](one.rows)
    if test is None:
        raise BadInput(f"holdout {kind}: {one.rows.law.name} has no such variable")
    scored = _scored(one, kind, test)
    if np.isnan(scored.rmsle_test):
        raise BadInput(f"holdout {kind} leaves {scored.n_train} rows for {len(one.space.names)} coefficients")
    return scored


def _scored(one: Fit, kind: str, test: NDArray[np.bool_]) -> Holdout:
    left = int((~test).sum())
    if left <= len(one.space.names):
        nan = float("nan")
        return Holdout(kind=kind, n_train=left, n_test=int(test.sum()), rmsle_train=nan, rmsle_test=nan)
    train, held = one.rows.select(~test), one.rows.select(test)
    part = fit_from(one, train)
    return Holdout(
        kind=kind,
        n_train=len(train),
        n_test=len(held),
        rmsle_train=part.rmsle,
        rmsle_test=rmsle(held, part.coefficients),
    )
