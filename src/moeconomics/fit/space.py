"""From bounded coefficients to the unbounded space that a solver moves in, and back.

A coefficient x in [low, high] is x = low + (high − low)·σ(u), in logarithms where it is fitted in logarithms.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from moeconomics.laws import Parameter
from moeconomics.units import Array

EDGE = 1e-3  # share of a parameter's range that counts as its end; starts are kept this far inside
INSIDE = 0.05  # refits start this far inside: at a share of 0.01 some still stay at the end they start from


@dataclass(frozen=True)
class Space:
    """The parameters of a law in a fixed order; ends are of the logarithm where `log` is true."""

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    log: tuple[bool, ...]

    @classmethod
    def of(cls, parameters: Mapping[str, Parameter]) -> "Space":
        """The space of a law's parameters."""

        def end(parameter: Parameter, value: float) -> float:
            return float(np.log(value)) if parameter.log else value

        return cls(
            names=tuple(parameters),
            low=tuple(end(one, one.low) for one in parameters.values()),
            high=tuple(end(one, one.high) for one in parameters.values()),
            log=tuple(one.log for one in parameters.values()),
        )

    def coefficients(self, u: Array) -> dict[str, Any]:
        """Coefficients by name from solver coordinates with the parameters on the last axis."""
        return self.at_shares(jax.nn.sigmoid(u))

    def at_shares(self, shares: Array) -> dict[str, Any]:
        """Coefficients by name from shares of their ranges, 0 at the lower end and 1 at the upper."""
        low, high = jnp.asarray(self.low), jnp.asarray(self.high)
        inner = low + (high - low) * shares
        values = jnp.where(jnp.asarray(self.log), jnp.exp(inner), inner)
        return {name: values[..., column] for column, name in enumerate(self.names)}

    def shares(self, coefficients: Array) -> NDArray[np.float64]:
        """Shares of the ranges at which coefficients lie (last axis: parameters)."""
        low, high, values = np.array(self.low), np.array(self.high), np.asarray(coefficients, dtype=float)
        inner = np.where(self.log, np.log(np.where(self.log, values, 1.0)), values)
        return np.asarray((inner - low) / (high - low))

    def coordinates(self, coefficients: Array) -> NDArray[np.float64]:
        """Solver coordinates of coefficients (last axis: parameters), moved inside their bounds."""
        share = np.clip(self.shares(coefficients), EDGE, 1 - EDGE)
        return np.asarray(np.log(share / (1 - share)))

    def inside(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solver coordinates moved off the ends of the ranges, where the slope vanishes and no solver moves."""
        most = np.log((1 - INSIDE) / INSIDE)
        return np.clip(u, -most, most)

    def at_ends(self, coefficients: Mapping[str, float]) -> dict[str, str]:
        """The parameters that lie at an end of their range, and which end."""
        shares = self.shares([coefficients[name] for name in self.names])
        ends = {name: "lower" if share <= EDGE else "upper" for name, share in zip(self.names, shares, strict=True)}
        return {name: ends[name] for name, share in zip(self.names, shares, strict=True) if not EDGE < share < 1 - EDGE}


def grid(parameters: Mapping[str, Parameter]) -> NDArray[np.float64]:
    """Every combination of the parameters' starting values: (starts, parameters)."""
    return np.array(list(itertools.product(*(parameter.starts for parameter in parameters.values()))))
