"""Abnar et al. 2025, "Parameters vs FLOPs" (arXiv 2501.12370), Eq. 6 with Table 3.

N is all parameters; whether with embeddings is unknown, they are included here. Sparsity S = (E − K)/E, so
1 − S is the share of experts a token uses. λ is negative as printed: the third term falls as S → 1. The paper
states its runs by compute (3e19 to 1e21 FLOPs), so sizes and tokens have no domain. The paper's own conclusions
on the best sparsity come from quadratic surfaces, not from this law.
"""

from moeconomics.laws.law import Coefficients, Law, Parameter, Variables
from moeconomics.units import Array


def loss(c: Coefficients, v: Variables) -> Array:
    """L = a/N^α + b/D^β + c/(1−S)^λ + d/((1−S)^δ·N^γ) + e."""
    n, d, share = v["n_total"], v["tokens"], v["expert_share"]
    return (
        c["a"] / n ** c["alpha"]
        + c["b"] / d ** c["beta"]
        + c["c"] / share ** c["lambda"]
        + c["d"] / (share ** c["delta"] * n ** c["gamma"])
        + c["e"]
    )


ABNAR2025 = Law(
    name="abnar2025",
    formula="L = a/N^α + b/D^β + c/(1−S)^λ + d/((1−S)^δ·N^γ) + e",
    loss_of=loss,
    variables=("n_total", "expert_share", "tokens"),
    coefficients={
        "a": 16612.50, "alpha": 0.5962, "b": 5455.67, "beta": 0.3954, "c": 0.4598, "lambda": -0.1666,
        "d": 17.26, "delta": 0.1603, "gamma": 0.1595, "e": 0.94,
    },
    domain={"expert_share": (0.02, 1)},
    family={"granularity": (1, 2)},
    source="Abnar et al. 2025, arXiv 2501.12370, Eq. 6 and Table 3",
    loss_unit="nats/token, data set not verified (believed RedPajama)",
    parameters={
        "a": Parameter(low=1e-2, high=1e9, starts=(10, 5e3), log=True),
        "alpha": Parameter(low=0, high=2, starts=(0.2, 0.6)),
        "b": Parameter(low=1e-2, high=1e9, starts=(10, 5e3), log=True),
        "beta": Parameter(low=0, high=2, starts=(0.2, 0.4)),
        "c": Parameter(low=1e-4, high=1e2, starts=(0.5,), log=True),
        "lambda": Parameter(low=-2, high=2, starts=(-0.2,)),
        "d": Parameter(low=1e-3, high=1e6, starts=(10,), log=True),
        "delta": Parameter(low=-2, high=2, starts=(0.2,)),
        "gamma": Parameter(low=0, high=2, starts=(0.1, 0.3)),
        "e": Parameter(low=0, high=5, starts=(0.5, 1.5)),
    },
    fit_error="MSE 0.00056 on the fit, 0.0058 on held-out runs of S = 0.98",
)  # fmt: skip
