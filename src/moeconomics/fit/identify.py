"""What the data says of each coefficient, and what it does not: correlations, condition, not identified."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from moeconomics.fit.fit import Fit, data_of

WIDE = 0.5  # a 90 % interval over more than this share of the allowed range says nothing

Interval = tuple[float | None, float | None]  # None: open, up to the end of the range


@dataclass(frozen=True, kw_only=True)
class Identification:
    """`correlation` (parameters, parameters) and `condition` of the column-scaled Jacobian of ln L̂; `not_identified`
    maps a coefficient to the reason."""

    correlation: NDArray[np.float64]
    condition: float
    not_identified: dict[str, str]


def identify(one: Fit, profiles: Mapping[str, Interval]) -> Identification:
    """Read the Jacobian of ln L̂ at the minimum, in the space that the coefficients are fitted in.

    A coefficient is not identified when it ends at an end of its range, or when its 90 % profile or bootstrap interval
    spans more than half of that range. A refit may stay where it starts along a coefficient that nothing depends on,
    so the bootstrap alone would miss it.
    """
    scaled, _, covariance = _scaled(one)
    deviation = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    reasons = {}
    for column, name in enumerate(one.space.names):
        if name in one.at_ends:
            reasons[name] = f"it ends at the {one.at_ends[name]} end of its range"
        elif max(_share(one, column, ends[name]) for ends in (profiles, one.intervals) if ends) > WIDE:
            reasons[name] = "its 90 % interval spans more than half of its allowed range"
    return Identification(
        correlation=covariance / np.outer(deviation, deviation),
        condition=float(np.linalg.cond(scaled)),
        not_identified=reasons,
    )


def deviations(one: Fit) -> NDArray[np.float64]:
    """Standard deviation of each coefficient in shares of its range, from the Jacobian; NaN where nothing depends."""
    _, length, covariance = _scaled(one)
    deviation = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    return np.asarray(one.noise * deviation / np.where(length > 0, length, np.nan))


def _scaled(one: Fit) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Jacobian with columns of length 1, their lengths, and the inverse of its square."""
    jacobian = _jacobian(one)
    length = np.linalg.norm(jacobian, axis=0)
    scaled = jacobian / np.where(length > 0, length, 1.0)
    return scaled, np.asarray(length), np.asarray(np.linalg.pinv(scaled.T @ scaled, rcond=1e-14))


def _share(one: Fit, column: int, ends: Interval) -> float:
    """Width of an interval as a share of the allowed range."""
    at = np.tile(list(one.coefficients.values()), (2, 1))
    for row, end in enumerate(ends):
        at[row, column] = at[row, column] if end is None else end
    low, high = one.space.shares(at)[:, column]
    return float((1.0 if ends[1] is None else high) - (0.0 if ends[0] is None else low))


def _jacobian(one: Fit) -> NDArray[np.float64]:
    """∂ ln L̂ / ∂ (share of each coefficient's range): (rows, parameters)."""
    with jax.enable_x64(True):
        exact = {name: jnp.asarray(values) for name, values in data_of(one.rows)[0].items()}

        def log_loss(shares: jax.Array) -> jax.Array:
            return jnp.log(one.rows.law.loss_of(one.space.at_shares(shares), exact))

        at = one.space.shares(list(one.coefficients.values()))
        return np.asarray(jax.jacfwd(log_loss)(jnp.asarray(at)))
