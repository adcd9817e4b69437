"""Minimise a robust loss from many starts at once: one compiled call, optimistix' BFGS, 64-bit numbers.

The paper (App. D): Σ Huber_δ(ln L̂ − ln L), quasi-Newton from a grid of starts. The sum matters: a mean stops the
solver early, as it did Hoffmann et al.'s.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from numpy.typing import NDArray

from moeconomics.units import Array

EXPLORE_STEPS = 30  # for every start; then the most promising go on
FINISH_STEPS = 1500
REFIT_STEPS = 300  # a bootstrap draw starts next to its minimum
KEEP = 64  # starts that go on, in each thread
THREADS = 2  # one core each: XLA runs a small batched loop on one

LossOf = Callable[[Mapping[str, Array], Mapping[str, Array]], Array]
Data = tuple[Mapping[str, Array], Array, Array]  # law variables, ln loss, weights; one value a row


class Coordinates(Protocol):
    """Where a solver moves: coefficients by name from unbounded coordinates (last axis)."""

    def coefficients(self, u: Array) -> dict[str, Any]:
        """The coefficients at `u`."""
        ...


@dataclass(frozen=True)
class _Held:
    """A space in which one coordinate is fixed: `at` is (index, value)."""

    space: Coordinates
    at: Array

    def coefficients(self, u: Array) -> dict[str, Any]:
        """As `Coordinates`."""
        return self.space.coefficients(jnp.where(jnp.arange(u.shape[-1]) == self.at[0], self.at[1], u))


@dataclass(frozen=True)
class Problem:
    """What is minimised: Σ weight·Huber_δ(ln L̂ − ln L) over a law's coefficients; δ None is Σ weight·r²/2."""

    loss_of: LossOf
    space: Coordinates
    delta: float | None

    def objective(self, u: Array, data: Data) -> Array:
        """The objective at solver coordinates."""
        variables, log_loss, weights = data
        predicted = self.loss_of(self.space.coefficients(u), variables)
        residual = jnp.log(jnp.maximum(predicted, 1e-12)) - log_loss
        error = residual**2 / 2
        if self.delta is not None:
            size = jnp.abs(residual)
            error = jnp.where(size < self.delta, error, self.delta * (size - self.delta / 2))
        return jnp.sum(weights * error)

    def descend(self, u: Array, data: Data, steps: int) -> tuple[Array, Array, Array]:
        """Where BFGS ends from one start, the objective there and whether it converged."""
        # The objective is about 1e-3 in all, so the absolute tolerance has to be far below that.
        solver: Any = optimistix.BFGS(rtol=1e-9, atol=1e-13)
        found: Any = optimistix.minimise(self.objective, solver, u, args=data, max_steps=steps, throw=False)
        return found.value, self.objective(found.value, data), found.result == optimistix.RESULTS.successful

    def search(self, data: Data, starts: Array) -> tuple[Array, Array, Array]:
        """Descend from all starts for a while, and from the most promising to the end."""
        explored, value, _ = jax.vmap(lambda u: self.descend(u, data, EXPLORE_STEPS))(starts)
        order = jnp.argsort(jnp.where(jnp.isfinite(value), value, jnp.inf))[:KEEP]
        return jax.vmap(lambda u: self.descend(u, data, FINISH_STEPS))(explored[order])

    def refit(self, data: Data, log_losses: Array) -> Array:
        """Descend again for each row of ln losses (draws, rows), from the start that the data's weights hold."""
        variables, log_loss, start = data
        one = jnp.ones_like(log_loss)
        return jax.vmap(lambda drawn: self.descend(start, (variables, drawn, one), REFIT_STEPS)[0])(log_losses)

    def pinned(self, data: Data, pins: Array) -> Array:
        """Lowest objective with one coordinate held, for each pin (index, value), from the start that data holds."""
        variables, log_loss, start = data
        plain = (variables, log_loss, jnp.ones_like(log_loss))

        def held(at: Array) -> Array:
            one = Problem(self.loss_of, _Held(self.space, at), self.delta)
            return one.descend(start, plain, REFIT_STEPS)[1]

        return jax.vmap(held)(pins)


@dataclass(frozen=True, kw_only=True)
class Minima:
    """Where the starts that went on ended, best first: coordinates (starts, parameters), objective, convergence."""

    coordinates: NDArray[np.float64]
    objective: NDArray[np.float64]
    converged: NDArray[np.bool_]


def minimise(problem: Problem, data: Data, starts: NDArray[np.float64]) -> Minima:
    """Search from all `starts` (solver coordinates: starts, parameters)."""
    coordinates, value, converged = _in_threads(problem, "search", data, starts)
    order = np.argsort(np.where(np.isfinite(value), value, np.inf), kind="stable")
    return Minima(coordinates=coordinates[order], objective=value[order], converged=converged[order])


def refit(
    problem: Problem, data: Data, start: NDArray[np.float64], log_losses: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Minimise again for each row of ln losses (draws, rows) from one start; coordinates (draws, parameters)."""
    found = _in_threads(problem, "refit", (data[0], data[1], start), log_losses)
    return np.asarray(found)[: len(log_losses)]


def pin(
    problem: Problem,
    data: Data,
    start: NDArray[np.float64],
    index: NDArray[np.int64],
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Lowest objective with coordinate `index` held at `values` (both: pins) and the others fitted anew: (pins,)."""
    pins = np.stack([index.astype(float), values], axis=1)
    return np.asarray(_in_threads(problem, "pinned", (data[0], data[1], start), pins))[: len(pins)]


def _in_threads(problem: Problem, method: str, data: Data, batch: NDArray[np.float64]) -> Any:
    """Run a batched method on a contiguous part of `batch` in each thread, with one compiled program for all."""
    part = -(-len(batch) // THREADS)
    padded = np.resize(batch, (part * THREADS, batch.shape[1]))
    with jax.enable_x64(True):
        exact = jax.tree.map(jnp.asarray, (dict(data[0]), data[1], data[2]))
        parts = [jnp.asarray(padded[thread * part : (thread + 1) * part]) for thread in range(THREADS)]
        program = _compiled(problem, method, *(_signature(one) for one in (exact, parts[0])))
        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(lambda one: program(exact, one), parts))
    return jax.tree.map(lambda *arrays: np.concatenate([np.asarray(array) for array in arrays]), *found)


@lru_cache(maxsize=64)
def _compiled(problem: Problem, method: str, data: Any, batch: Any) -> Any:
    """Compile a method for arrays of given shapes, once."""
    blank: Any = jax.ShapeDtypeStruct
    shapes = [jax.tree.unflatten(tree, [blank(*leaf) for leaf in leaves]) for tree, leaves in (data, batch)]
    return jax.jit(getattr(problem, method)).lower(*shapes).compile()


def _signature(arrays: Any) -> Any:
    """Hashable structure and shapes of nested arrays."""
    leaves, tree = jax.tree.flatten(arrays)
    return tree, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
