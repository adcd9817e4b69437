"""Losses of given points under a law, with 90 % intervals from its draws, and the fitted-law file."""

import hashlib

import numpy as np
import polars as pl

from moeconomics.errors import BadInput
from moeconomics.fit.fit import Fit
from moeconomics.laws import INTERVAL_PERCENTILES, FittedLaw, Law
from moeconomics.runs import variables_for


def predict(law: Law, points: pl.DataFrame) -> pl.DataFrame:
    """`points` (a runs table, losses not needed) with `pred_loss`, `pred_low`, `pred_high` and `extrapolated`.

    Low and high are null for a law without draws. Errors: `BadInput` for a law that says no losses, or variables the
    table can not give.
    """
    if law.silence:
        raise BadInput(law.silence)
    variables = variables_for(points, law.variables).values
    count = points.height
    low = high = np.full(count, np.nan)
    if law.draws is not None:
        columns = {name: np.asarray(values)[:, None] for name, values in law.draws.items()}
        low, high = np.percentile(law.loss_of(columns, variables), INTERVAL_PERCENTILES, axis=0)
    outside = np.zeros(count, dtype=bool)
    for name, (least, most) in law.domain.items():
        if name in variables:
            outside |= (variables[name] < least * (1 - 1e-9)) | (variables[name] > most * (1 + 1e-9))
    return points.with_columns(
        pl.Series("pred_loss", np.asarray(law.loss_of(law.coefficients, variables), dtype=float)),
        pl.Series("pred_low", low, nan_to_null=True),
        pl.Series("pred_high", high, nan_to_null=True),
        pl.Series("extrapolated", outside),
    )


def fitted_file(one: Fit, data_sha256: str) -> FittedLaw:
    """The fitted-law file of a fit; write its `model_dump_json()`."""
    count = len(next(iter(one.draws.values()), ()))
    law = one.law
    return FittedLaw(
        law=one.rows.law.name,
        coefficients=one.coefficients,
        draws=[{name: float(values[row]) for name, values in one.draws.items()} for row in range(count)],
        noise=law.noise or None,
        domain=dict(law.domain),
        data_sha256=data_sha256,
        fit_error=law.fit_error,
    )


def sha256_of(runs: pl.DataFrame) -> str:
    """Hash of a runs table's content, which a law fitted to it carries; the same from CSV and parquet."""
    return hashlib.sha256(runs.write_csv().encode()).hexdigest()
