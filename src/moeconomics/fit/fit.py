"""`fit`: coefficients of a law from measured runs, with everything a reader needs to believe them or not."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from moeconomics.errors import BadInput
from moeconomics.fit.rows import Rows, Values
from moeconomics.fit.solve import Data, Minima, Problem, minimise, refit
from moeconomics.fit.space import Space, grid
from moeconomics.laws import INTERVAL_PERCENTILES, Law

PAPER_DELTA = 1e-3  # Huber's δ on ln loss: Hoffmann et al. 2022 and Yun et al. 2024, App. D
REACHED = 1e-4  # relative: a start within this of the best objective has reached it
LEAST_DRAWS = 20  # the 5th and 95th percentile of fewer are its ends
LEAST_DELTA = 1e-6  # below it the objective is lost in the solver's tolerance; no loss is measured that well
OUTLIER = 4.0  # residuals beyond this many robust standard deviations are named; 1 in 16,000 of normal errors


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted law. `objective` is Σ Huber_δ (or Σ r²/2) of ln loss; `rmsle` the root mean square of ln L̂/L.

    `share_best`: of the starts that went on to the end, those that reached the best objective. `at_ends`: the
    coefficients at an end of their range. `draws`: (coefficient → array) of the bootstrap, empty without one.
    """

    rows: Rows
    space: Space
    delta: float | None
    coefficients: dict[str, float]
    objective: float
    rmsle: float
    starts: int
    share_best: float
    converged: bool
    at_ends: dict[str, str]
    minima: Minima
    draws: dict[str, Values]

    @property
    def law(self) -> Law:
        """The law with the fitted coefficients, draws and the data's domain: it predicts and plans."""
        return replace(
            self.rows.law,
            coefficients=self.coefficients,
            draws=self.draws or None,
            noise=self.noise,
            domain={name: (float(v.min()), float(v.max())) for name, v in self.rows.variables.items()},
            fit_error=f"RMSLE {self.rmsle:.4g} on {len(self.rows)} runs",
        )

    @property
    def noise(self) -> float:
        """Standard deviation of ln loss around the law, estimated from the residuals."""
        return self.rmsle * float(np.sqrt(len(self.rows) / (len(self.rows) - len(self.space.names))))

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """90 % bootstrap interval of each coefficient; empty without draws."""
        ends = {name: np.percentile(values, INTERVAL_PERCENTILES) for name, values in self.draws.items()}
        return {name: (float(low), float(high)) for name, (low, high) in ends.items()}

    @property
    def aic(self) -> float:
        """Akaike's criterion of normal errors in ln loss: n·ln(RMSLE²) + 2·k."""
        return len(self.rows) * 2 * float(np.log(self.rmsle)) + 2 * len(self.space.names)

    def residuals(self) -> Values:
        """ln L̂ − ln L of each row."""
        return residuals(self.rows, self.coefficients)

    def outliers(self) -> tuple[str, ...]:
        """Rows whose residual is beyond `OUTLIER` robust standard deviations: named, never dropped."""
        residual = self.residuals()
        spread = 1.4826 * np.median(np.abs(residual - np.median(residual)))
        return tuple(name for name, r in zip(self.rows.names, residual, strict=True) if abs(r) > OUTLIER * spread)


def fit(rows: Rows, *, delta: float | None = PAPER_DELTA) -> Fit:
    """Fit the law of `rows` from its grid of starts: Huber's δ on ln loss, or squared ln loss where δ is None.

    Errors: `BadInput` for a δ that is no number from `LEAST_DELTA` on.
    """
    if delta is not None and not LEAST_DELTA <= delta < np.inf:
        raise BadInput(f"delta {delta:g} must be 0 (squared log error) or a number from {LEAST_DELTA:g} on, as 0.001")
    law = rows.law
    space = Space.of(law.parameters)
    starts = space.coordinates(grid(law.parameters))
    minima = minimise(Problem(law.loss_of, space, delta), data_of(rows), starts)
    return _fit(rows, space, delta, minima, len(starts))


def fit_from(one: Fit, rows: Rows) -> Fit:
    """Fit other rows of the same law, starting where the starts of `one` ended."""
    minima = minimise(_problem(one), data_of(rows), one.space.inside(one.minima.coordinates))
    return _fit(rows, one.space, one.delta, minima, len(one.minima.coordinates))


def bootstrap(one: Fit, draws: int, generator: np.random.Generator) -> Fit:
    """The same fit with draws: refits to losses whose residuals keep or change their sign, all of a group together.

    The wild cluster bootstrap (Cameron, Gelbach & Miller 2008, Rev. Econ. Stat. 90:414): ln L* = ln L̂ ± c·(ln L − ln L̂)
    with one sign for each group (the rows of a trunk). Every draw keeps every size and number of experts, which groups
    drawn with replacement lose from a small grid. c² = G/(G − k) for G groups and k coefficients: residuals are smaller
    than errors.
    Errors: `BadInput` for fewer than `LEAST_DRAWS`, or for no more groups than coefficients.
    """
    if draws < LEAST_DRAWS:
        raise BadInput(f"{draws} bootstrap draws have no 90 % interval; ask for {LEAST_DRAWS} or more, or for 0")
    groups, count = int(one.rows.group.max()) + 1, len(one.space.names)
    if groups <= count:
        raise BadInput(
            f"{groups} independent runs are too few for a bootstrap of {count} coefficients, which takes more of them; "
            f"use --bootstrap 0: the profile intervals remain"
        )
    sign = generator.choice([-1.0, 1.0], size=(draws, groups))[:, one.rows.group]
    residual = one.residuals()
    log_losses = np.log(one.rows.loss) + residual + sign * residual * np.sqrt(groups / (groups - count))
    best = one.space.inside(one.minima.coordinates[0])
    found = refit(_problem(one), data_of(one.rows), best, log_losses)
    return replace(one, draws=_coefficients(one.space, found))


def residuals(rows: Rows, coefficients: dict[str, float]) -> Values:
    """ln L̂ − ln L of each row under given coefficients."""
    predicted = np.asarray(rows.law.loss_of(coefficients, rows.variables), dtype=float)
    return np.asarray(np.log(predicted) - np.log(rows.loss))


def rmsle(rows: Rows, coefficients: dict[str, float]) -> float:
    """Root mean square of ln L̂/L."""
    return float(np.sqrt(np.mean(residuals(rows, coefficients) ** 2)))


def data_of(rows: Rows) -> Data:
    """Rows as the solver takes them, each of weight 1."""
    return rows.variables, np.log(rows.loss), np.ones(len(rows))


def _problem(one: Fit) -> Problem:
    return Problem(one.rows.law.loss_of, one.space, one.delta)


def _fit(rows: Rows, space: Space, delta: float | None, minima: Minima, starts: int) -> Fit:
    best = minima.objective[0]
    coefficients = {name: float(value) for name, value in _coefficients(space, minima.coordinates[0]).items()}
    return Fit(
        rows=rows,
        space=space,
        delta=delta,
        coefficients=coefficients,
        objective=float(best),
        rmsle=rmsle(rows, coefficients),
        starts=starts,
        share_best=float(np.mean(minima.objective <= best * (1 + REACHED))),
        converged=bool(minima.converged[0]),
        at_ends=space.at_ends(coefficients),
        minima=minima,
        draws={},
    )


def _coefficients(space: Space, coordinates: NDArray[np.float64]) -> dict[str, Values]:
    with jax.enable_x64(True):
        found = space.coefficients(jnp.asarray(coordinates))
        return {name: np.asarray(values) for name, values in found.items()}
