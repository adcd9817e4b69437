"""Zhao et al. 2025, "Towards a Comprehensive Scaling Law of Mixture-of-Experts" (arXiv 2509.23678).

G is the number of experts a token uses, shared ones included (not the granularity); S the shared ones among them;
N and N_a all and active parameters. Embedding convention: unknown; they are included here. Only upper ends of the
data are stated: N about 9B, D 100B. Reviewers point to a constant learning rate and no uncertainty.
"""

from moeconomics.laws.law import Coefficients, Law, Parameter, Variables
from moeconomics.units import Array


def loss(c: Coefficients, v: Variables) -> Array:
    """L = (eG + f/G + mS² + nS)·(N^−α + k·N_a^−α + h·N_a/N) + a·N^−α + b·D^−β + c·N_a^−α + ε."""
    g, s = v["activated_experts"], v["shared_share"]
    n, n_a = v["n_total"], v["n_active"]
    per_n, per_n_a = n ** -c["alpha"], n_a ** -c["alpha"]
    experts = c["e"] * g + c["f"] / g + c["m"] * s**2 + c["n"] * s
    sizes = per_n + c["k"] * per_n_a + c["h"] * n_a / n
    return experts * sizes + c["a"] * per_n + c["b"] * v["tokens"] ** -c["beta"] + c["c"] * per_n_a + c["epsilon"]


ZHAO2025 = Law(
    name="zhao2025",
    formula="L = (eG + f/G + mS² + nS)·(N^−α + k·N_a^−α + h·N_a/N) + a·N^−α + b·D^−β + c·N_a^−α + ε",
    loss_of=loss,
    variables=("n_total", "n_active", "activated_experts", "shared_share", "tokens"),
    coefficients={
        "e": 0.1577, "f": 7.2446, "m": 5.1395, "n": -3.2363, "k": 0.0013, "h": 0.0450,
        "a": 38.051, "alpha": 0.2383, "b": 27129.05, "beta": 0.4694, "c": 31.096, "epsilon": 1.8182,
    },
    domain={"n_total": (0, 9e9), "tokens": (0, 100e9)},
    source="Zhao et al. 2025, arXiv 2509.23678",
    loss_unit="nats/token, data set not known",
    parameters={
        "e": Parameter(low=1e-4, high=1e2, starts=(0.1,), log=True),
        "f": Parameter(low=1e-3, high=1e3, starts=(5,), log=True),
        "m": Parameter(low=-20, high=20, starts=(1, 5)),
        "n": Parameter(low=-20, high=20, starts=(-1,)),
        "k": Parameter(low=1e-6, high=1e2, starts=(0.01,), log=True),
        "h": Parameter(low=1e-6, high=1e2, starts=(0.05,), log=True),
        "a": Parameter(low=1e-2, high=1e6, starts=(10, 100), log=True),
        "alpha": Parameter(low=0, high=2, starts=(0.2, 0.4)),
        "b": Parameter(low=1e-2, high=1e9, starts=(100, 1e4), log=True),
        "beta": Parameter(low=0, high=2, starts=(0.3, 0.5)),
        "c": Parameter(low=1e-2, high=1e6, starts=(10, 100), log=True),
        "epsilon": Parameter(low=0, high=5, starts=(1, 2)),
    },
    fit_error="446 runs; fit error not known",
)  # fmt: skip
