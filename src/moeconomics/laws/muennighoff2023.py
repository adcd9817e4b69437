"""Muennighoff et al. 2023, "Scaling Data-Constrained Language Models" (arXiv 2305.16264): repeated tokens.

A repeated token is worth less than a new one: D tokens drawn from U unique ones count as D' ≤ D, and the
parameters N beyond the U_N that are compute-optimal for U count as N' ≤ N. Coefficients are the unrounded ones
of the authors' code; A/B give U_N = (A/B)^(1/α)·U_D = 0.051·U_D, the compute-optimal line of α = β.
Embedding convention of N: unknown; they are included here. The domain is that of the 182 public runs
(huggingface/datablations; 0.1B to 178B unique tokens). Over-repetition that harms was left out of the fit.
"""

import math
from dataclasses import replace

from moeconomics.errors import BadInput
from moeconomics.laws.law import Coefficients, Law, Parameter, Variables
from moeconomics.laws.variables import DENSE_ONLY
from moeconomics.units import Array, namespace

R_STAR_D = 15.387756


def least(one: Array, other: Array) -> Array:
    """The smaller of two, either of which may be a plain number, by the library of their product."""
    return namespace(one * other).minimum(one, other)


def diminishing(total: Array, unique: Array, r_star: Array) -> Array:
    """X' = U + U·R*·(1 − exp(−R/R*)) with U = min(unique, X) and R = X/U − 1: what X is worth.

    >>> round(float(diminishing(100e9, 200e9, R_STAR_D) / 1e9), 9)  # all unique
    100.0
    >>> round(float(diminishing(400e9, 100e9, R_STAR_D) / 1e9), 1)  # 4 epochs
    372.6
    """
    u = least(total, unique)
    worn = (total / u - 1) / r_star  # R/R*
    return u + u * r_star * (1 - namespace(worn).exp(-worn))


def loss(c: Coefficients, v: Variables) -> Array:
    """L = E + A/N'^α + B/D'^α."""
    n, d = v["n_dense"], v["tokens"]
    u_d = least(d, v["unique_tokens"])
    u_n = (c["a"] / c["b"]) ** (1 / c["alpha"]) * u_d
    size = c["a"] / diminishing(n, u_n, c["r_star_n"]) ** c["alpha"]
    data = c["b"] / diminishing(d, u_d, c["r_star_d"]) ** c["alpha"]
    return c["e"] + size + data


MUENNIGHOFF2023 = Law(
    name="muennighoff2023",
    formula="L = E + A/N'^α + B/D'^α; X' = U + U·R*·(1 − exp(−R/R*)), R = max(X/U − 1, 0)",
    loss_of=loss,
    variables=("n_dense", "tokens", "unique_tokens"),
    coefficients={
        "a": math.exp(6.255414), "b": math.exp(7.3049974), "e": math.exp(0.6254804), "alpha": 0.3526596,
        "r_star_n": 5.309743, "r_star_d": R_STAR_D,
    },
    domain={"n_dense": (7.1e6, 8.7e9), "tokens": (0.1e9, 900e9)},
    fixed=DENSE_ONLY,
    source="Muennighoff et al. 2023, arXiv 2305.16264; unrounded coefficients from the authors' code",
    loss_unit="nats/token, C4",
    parameters={
        "a": Parameter(low=1, high=1e9, starts=(50, 2e3), log=True),
        "b": Parameter(low=1, high=1e9, starts=(50, 5e3), log=True),
        "e": Parameter(low=0.01, high=10, starts=(0.5, 1.5), log=True),
        "alpha": Parameter(low=0, high=2, starts=(0.2, 0.5)),
        "r_star_n": Parameter(low=0.1, high=1e3, starts=(5,), log=True),
        "r_star_d": Parameter(low=0.1, high=1e3, starts=(5, 20), log=True),
    },
    fit_error="RMSLE 0.110 on the 182 public runs, on average 7 % too low; some are far over-fitted",
)  # fmt: skip


def repeated(law: Law, unique_tokens: float) -> Law:
    """`law` for training on at most `unique_tokens` different tokens, in as many epochs as the tokens need.

    The law sees D' = U + U·R*·(1 − exp(−R/R*)), R = max(D/U − 1, 0), U = min(unique_tokens, D), in place of D;
    R* = 15.39 is Muennighoff's for tokens. Domain and fixed values are still those of the real tokens D.
    N' is not applied to other laws: its U_N = 0.051·U_D is the compute-optimal line of Muennighoff's own
    coefficients. A law that has `unique_tokens` (`muennighoff2023`) is given them and applies N' and D' itself.

    Errors: `BadInput` for a law without tokens, or `unique_tokens` that are not finite and positive.
    """
    if "tokens" not in law.variables:
        raise BadInput(f"{law.name} has no variable for tokens, so it can not say what repeated ones are worth")
    if not (math.isfinite(unique_tokens) and unique_tokens > 0):
        raise BadInput(f"unique tokens {unique_tokens} is not a finite number above 0")
    own = "unique_tokens" in law.variables

    def loss_of(c: Coefficients, v: Variables) -> Array:
        if own:
            return law.loss_of(c, {**v, "unique_tokens": unique_tokens})
        return law.loss_of(c, {**v, "tokens": diminishing(v["tokens"], unique_tokens, R_STAR_D)})

    return replace(
        law,
        name=f"{law.name}+repeated",
        formula=f"{law.formula}; of {unique_tokens:g} unique tokens",
        loss_of=loss_of,
        source=f"{law.source}; repeated tokens: Muennighoff et al. 2023, arXiv 2305.16264",
    )
