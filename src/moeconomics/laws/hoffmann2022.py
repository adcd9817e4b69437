"""Hoffmann et al. 2022, "Training Compute-Optimal LLMs" (arXiv 2203.15556), Eq. 10, and its refit.

N includes embeddings. Approach 3's fit stopped early (its Huber loss was averaged, not summed): it implies about
70 tokens a parameter at Chinchilla's scale where the refit of Besiroglu et al. 2024 (arXiv 2404.10102) gives 20.
`chinchilla2022-unrounded` has the digits of the paper's TeX source, as Besiroglu et al. quote them.
"""

import math
from dataclasses import replace

from moeconomics.laws.law import Coefficients, Law, Parameter, Variables
from moeconomics.laws.variables import DENSE_ONLY
from moeconomics.units import Array, power


def loss(c: Coefficients, v: Variables) -> Array:
    """L = E + A/N^α + B/D^β."""
    return c["e"] + c["a"] / power(v["n_dense"], c["alpha"]) + c["b"] / power(v["tokens"], c["beta"])


CHINCHILLA2022 = Law(
    name="chinchilla2022",
    formula="L = E + A/N^α + B/D^β",
    loss_of=loss,
    variables=("n_dense", "tokens"),
    coefficients={"e": 1.69, "a": 406.4, "b": 410.7, "alpha": 0.34, "beta": 0.28},
    domain={"n_dense": (70e6, 16e9), "tokens": (5e9, 500e9)},
    fixed=DENSE_ONLY,
    source="Hoffmann et al. 2022, arXiv 2203.15556, Eq. 10, as printed",
    parameters={  # the start grid of Hoffmann et al. 2022, App. D.4; a and b are fitted in logarithms
        "a": Parameter(low=1, high=1e12, starts=(1, *(math.exp(k) for k in (5, 10, 15, 20, 25))), log=True),
        "b": Parameter(low=1, high=1e12, starts=(1, *(math.exp(k) for k in (5, 10, 15, 20, 25))), log=True),
        "e": Parameter(low=0.01, high=10, starts=tuple(math.exp(k / 2) for k in range(-2, 3)), log=True),
        "alpha": Parameter(low=0, high=2.5, starts=(0, 0.5, 1, 1.5, 2)),
        "beta": Parameter(low=0, high=2.5, starts=(0, 0.5, 1, 1.5, 2)),
    },
    loss_unit="nats/token, MassiveText",
    fit_error="the fit had not converged; besiroglu2024 is the refit",
)

CHINCHILLA2022_UNROUNDED = replace(
    CHINCHILLA2022,
    name="chinchilla2022-unrounded",
    coefficients={"e": 1.6934, "a": 406.4, "b": 410.7, "alpha": 0.3392, "beta": 0.2849},
    source="Hoffmann et al. 2022, arXiv 2203.15556, TeX source as quoted by arXiv 2404.10102",
)

# The standard errors are no draws: the coefficients are strongly correlated, so no interval follows from them.
BESIROGLU2024 = replace(
    CHINCHILLA2022,
    name="besiroglu2024",
    coefficients={"e": 1.8172, "a": 482.01, "b": 2085.43, "alpha": 0.3478, "beta": 0.3658},
    source="Besiroglu et al. 2024, arXiv 2404.10102: refit to 240 points of Hoffmann et al. 2022, Figure 4",
    fit_error="bootstrap standard errors E 0.03, A 124.58, B 1293.23, α 0.02, β 0.02",
)
