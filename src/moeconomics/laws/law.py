"""`Law`: a published or fitted loss law with what its numbers mean, and `Prediction`, what it says of a model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from moeconomics.errors import BadInput
from moeconomics.laws.variables import VARIABLES
from moeconomics.shapes import ModelShape
from moeconomics.units import Array

Coefficients = Mapping[str, Array]
Variables = Mapping[str, Array]

# 90 % intervals everywhere: the 5th and 95th percentile of the draws.
INTERVAL_PERCENTILES = (5.0, 95.0)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """How a fit treats one coefficient: bounds that keep degenerate corners out, and starting values inside them.

    `log`: the logarithm is fitted, for coefficients that are positive and span orders of magnitude.
    """

    low: float
    high: float
    starts: tuple[float, ...]
    log: bool = False


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Loss of one model with its interval, or the reason there is none, and how far it lies from the data.

    `extrapolation` maps each variable outside the fitted domain to its distance in log10, `unknown_domain` names
    the variables whose range in the data is not known; `departures` says in words where the architecture differs
    from the family the law was fitted on.
    """

    loss: float
    low: float | None
    high: float | None
    no_interval_because: str | None
    extrapolation: dict[str, float]
    unknown_domain: tuple[str, ...]
    departures: tuple[str, ...]

    @property
    def extrapolated(self) -> bool | None:
        """Whether any variable lies outside the fitted domain; None where that domain is not all known."""
        if self.extrapolation:
            return True
        return None if self.unknown_domain else False


@dataclass(frozen=True, kw_only=True)
class Law:
    """A law of the form loss = f(coefficients, variables), written once against the array API.

    `variables` are names in `VARIABLES`. `fixed` holds what never varied in the law's data and has no place in its
    formula: any other value is refused. A coefficient is None where its authors did not print it; `draws`
    (coefficient → array) carry the uncertainty of a fit, `noise` is the standard deviation of ln loss around it.
    `domain` bounds variables in the fitted data; `family` lists the values of architecture features there.
    `parameters` say how the coefficients are fitted; empty for a law that can not be. `predicts` is
    "loss" but for laws of something else, which refuse to give a loss.
    """

    name: str
    formula: str
    loss_of: Callable[[Coefficients, Variables], Array]
    variables: tuple[str, ...]
    coefficients: Mapping[str, float | None]
    domain: Mapping[str, tuple[float, float]]
    source: str
    loss_unit: str
    fit_error: str
    fixed: Mapping[str, float] = field(default_factory=dict)
    family: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    draws: Mapping[str, Array] | None = None
    noise: float | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    predicts: str = "loss"

    def values(self, shape: ModelShape, tokens: Array) -> dict[str, Array]:
        """The law's own variables of `shape` trained on `tokens`, as float arrays."""
        return {name: _value(name, shape, tokens) for name in self.variables}

    def loss(self, shape: ModelShape, tokens: Array) -> Array:
        """Loss in the law's unit; the arrays of `shape` and `tokens` broadcast.

        Errors: `BadInput` where `refusal` has a reason.
        """
        reason = self.refusal(shape, tokens)
        if reason:
            raise BadInput(reason)
        return self.loss_of(self.coefficients, self.values(shape, tokens))

    @property
    def silence(self) -> str | None:
        """Why the law says no loss of anything, or None when it does."""
        if self.predicts != "loss":
            return f"{self.name} predicts {self.predicts}, not a loss"
        if None in self.coefficients.values():
            return f"{self.name} is a form whose authors printed no coefficients; give a fitted file: --law FITTED.json"
        return None

    def refusal(self, shape: ModelShape, tokens: Array) -> str | None:
        """Why the law can not say the loss of `shape` at `tokens`, or None when it can."""
        if self.silence:
            return self.silence
        for name, only in self.fixed.items():
            if not np.allclose(_value(name, shape, tokens), only, rtol=1e-6):
                return f"{self.name} has no variable for {name}: all its data has {name} = {only:g}"
        return None

    def predict(self, shape: ModelShape, tokens: float) -> Prediction:
        """Loss of one model with interval, extrapolation and departures."""
        loss = float(self.loss(shape, tokens))
        values = self.values(shape, tokens)
        low = high = None
        if self.draws is not None:
            low, high = map(float, np.percentile(self.loss_of(self.draws, values), INTERVAL_PERCENTILES))
        return Prediction(
            loss=loss,
            low=low,
            high=high,
            no_interval_because=None if self.draws is not None else f"no draws published ({self.fit_error})",
            extrapolation={name: float(far) for name, far in self.distance(shape, tokens).items() if far > 0},
            unknown_domain=tuple(name for name in self.variables if name not in self.domain),
            departures=self.departures(shape),
        )

    def distance(self, shape: ModelShape, tokens: Array) -> dict[str, Array]:
        """Distance in log10 of each variable of the domain from its range in the data; 0 inside."""
        far = {}
        for name, (low, high) in self.domain.items():
            value = _value(name, shape, tokens)
            with np.errstate(divide="ignore"):  # `low` is 0 where a paper states the upper end only
                far[name] = np.maximum(0.0, np.maximum(np.log10(low / value), np.log10(value / high)))
        return far

    def departures(self, shape: ModelShape) -> tuple[str, ...]:
        """Where one MoE shape differs in kind from those the law was fitted on."""
        if shape.n_experts == 1:
            return ()
        features = {
            "top_k": ("top-{:g} routing", shape.top_k),
            "moe_every": ("an MoE layer every {:g} layers", shape.n_layers / shape.n_moe_layers),
            "granularity": ("granularity {:g}", float(_value("granularity", shape, 0))),
            "n_shared_experts": ("{:g} shared experts", shape.n_shared_experts),
        }
        return tuple(
            f"{text.format(round(value, 2))}; {self.name} was fitted on {' or '.join(f'{v:g}' for v in fitted)}"
            for name, fitted in self.family.items()
            for text, value in [features[name]]
            if not np.any(np.isclose(value, fitted, rtol=0.1))
        )


def _value(name: str, shape: ModelShape, tokens: Array) -> Array:
    return np.asarray(VARIABLES[name].of(shape, tokens), dtype=float)
