"""Kaplan et al. 2020, "Scaling Laws for Neural Language Models" (arXiv 2001.08361), Eq. 1.5 with Table 2.

N excludes embeddings. No irreducible term. D is not single-epoch compute: runs stopped early, with 10 % dropout.
Read in a secondary note, not in the paper.
"""

from moeconomics.laws.law import Coefficients, Law, Parameter, Variables
from moeconomics.laws.variables import DENSE_ONLY
from moeconomics.units import Array


def loss(c: Coefficients, v: Variables) -> Array:
    """L = [(Nc/N)^(αN/αD) + Dc/D]^αD."""
    size = (c["n_c"] / v["n_dense_non_embedding"]) ** (c["alpha_n"] / c["alpha_d"])
    data = c["d_c"] / v["tokens"]
    return (size + data) ** c["alpha_d"]


KAPLAN2020 = Law(
    name="kaplan2020",
    formula="L = [(Nc/N)^(αN/αD) + Dc/D]^αD",
    loss_of=loss,
    variables=("n_dense_non_embedding", "tokens"),
    coefficients={"alpha_n": 0.076, "alpha_d": 0.103, "n_c": 6.4e13, "d_c": 1.8e13},
    domain={"n_dense_non_embedding": (768, 1.5e9), "tokens": (22e6, 23e9)},
    fixed=DENSE_ONLY,
    source="Kaplan et al. 2020, arXiv 2001.08361, Table 2",
    loss_unit="nats/token, WebText2",
    parameters={
        "alpha_n": Parameter(low=0.005, high=1, starts=(0.05, 0.2)),
        "alpha_d": Parameter(low=0.005, high=1, starts=(0.05, 0.2)),
        "n_c": Parameter(low=1e8, high=1e20, starts=(1e11, 1e14), log=True),
        "d_c": Parameter(low=1e8, high=1e20, starts=(1e11, 1e14), log=True),
    },
    fit_error="fit error not known",
)
