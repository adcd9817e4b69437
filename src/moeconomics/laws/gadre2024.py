"""Gadre et al. 2024, "Language models scale reliably with over-training" (arXiv 2403.08540), on three data sets.

N includes embeddings. The same as E + A·N^(−2η) + B·D^(−2η) with A = a·6^η, B = b·6^η: Chinchilla's form with equal
exponents. Coefficients are our refit of the public data (mlfoundations/scaling) by its own recipe: five runs per data
set, four at M = 20 and the smallest also at M = 320. The domain is that of those five; the paper checks it up to 6.9B
parameters (M = 20) and 1.4B at M = 640. Always the loss on C4, whatever text was trained on.
"""

from moeconomics.laws.law import Coefficients, Law, Parameter, Variables
from moeconomics.laws.variables import DENSE_ONLY
from moeconomics.units import Array


def loss(c: Coefficients, v: Variables) -> Array:
    """L = E + (a·M^η + b·M^−η)·C^−η with M = D/N and C = 6·N·D."""
    m = v["tokens"] / v["n_dense"]
    compute = 6 * v["n_dense"] * v["tokens"]
    return c["e"] + (c["a"] * m ** c["eta"] + c["b"] * m ** -c["eta"]) * compute ** -c["eta"]


def _gadre2024(train_set: str, held_out: str, coefficients: dict[str, float]) -> Law:
    return Law(
        name=f"gadre2024-{train_set}",
        formula="L = E + (a·M^η + b·M^−η)·C^−η; M = D/N, C = 6ND",
        loss_of=loss,
        variables=("n_dense", "tokens"),
        coefficients=coefficients,
        domain={"n_dense": (10.6e6, 412e6), "tokens": (0.211e9, 8.23e9)},
        fixed=DENSE_ONLY,
        source=f"Gadre et al. 2024, arXiv 2403.08540; refit on its public {train_set} runs",
        loss_unit="nats/token, C4 validation",
        parameters={
            "e": Parameter(low=0.01, high=10, starts=(0.5, 1.5), log=True),
            "a": Parameter(low=1e-2, high=1e6, starts=(10, 500), log=True),
            "b": Parameter(low=1e-2, high=1e6, starts=(10, 500), log=True),
            "eta": Parameter(low=0, high=1, starts=(0.1, 0.3)),
        },
        fit_error=f"off by up to {held_out} on the held-out runs of 1.4B and 6.9B parameters",
    )


# Seven digits: η rounded to four moves the loss by 0.002.
GADRE2024_C4 = _gadre2024("c4", "4.3 %", {"e": 1.508265, "a": 141.2781, "b": 189.5165, "eta": 0.1212363})
GADRE2024_REDPAJAMA = _gadre2024("redpajama", "0.73 %", {"e": 1.836646, "a": 212.2355, "b": 366.6856, "eta": 0.1364252})
GADRE2024_REFINEDWEB = _gadre2024(
    "refinedweb", "1.6 %", {"e": 1.734463, "a": 157.1165, "b": 246.2067, "eta": 0.1271975}
)
