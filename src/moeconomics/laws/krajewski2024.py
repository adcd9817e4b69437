"""Krajewski, Ludziejewski et al. 2024, fine-grained MoE (arXiv 2402.07871), Eq. 9 with Table 1 and App. D.

N is all parameters without embeddings and routers. G = d_ff/d_expert with d_ff = 4·d_model, so a shape should keep
that width; G·E experts and, by expert choice, G of them a token on average. The expansion rate E never varied
within a fit: 64 in the paper's, 16 in App. D's. The losses are smoothed training losses. The rounded
coefficients give the paper's own optima 0.011 to 0.023 too low. The ranges of the E = 16 runs are unknown:
that law has no domain and reports no extrapolation.
"""

from dataclasses import replace

from moeconomics.laws.law import Coefficients, Law, Parameter, Variables
from moeconomics.units import Array


def loss(c: Coefficients, v: Variables) -> Array:
    """L = c + (g/G^γ + a)/N^α + b/D^β."""
    size = (c["g"] / v["granularity"] ** c["gamma"] + c["a"]) / v["n_total_non_embedding"] ** c["alpha"]
    return c["c"] + size + c["b"] / v["tokens"] ** c["beta"]


KRAJEWSKI2024_E64 = Law(
    name="krajewski2024-e64",
    formula="L = c + (g/G^γ + a)/N^α + b/D^β",
    loss_of=loss,
    variables=("n_total_non_embedding", "granularity", "tokens"),
    coefficients={"a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147, "g": 2.1, "gamma": 0.58, "c": 0.47},
    domain={"n_total_non_embedding": (129e6, 3.7e9), "granularity": (1, 16), "tokens": (16e9, 130e9)},
    fixed={"experts": 64.0},
    family={"moe_every": (1,), "granularity": (1, 2, 4, 8, 16)},
    source="Krajewski et al. 2024, arXiv 2402.07871, Eq. 9 and Table 1",
    loss_unit="nats/token (training loss), C4, GPT-2 tokenizer",
    parameters={
        "a": Parameter(low=1e-2, high=1e6, starts=(5, 50), log=True),
        "alpha": Parameter(low=0, high=2, starts=(0.1, 0.4)),
        "b": Parameter(low=1e-2, high=1e6, starts=(10, 500), log=True),
        "beta": Parameter(low=0, high=2, starts=(0.1, 0.4)),
        "g": Parameter(low=1e-3, high=1e4, starts=(1, 10), log=True),
        "gamma": Parameter(low=0, high=3, starts=(0.5,)),
        "c": Parameter(low=0, high=5, starts=(0.5, 1.5)),
    },
    fit_error="RMSE 0.015 on the fit, 0.019 on held-out runs",
)

KRAJEWSKI2024_E16 = replace(
    KRAJEWSKI2024_E64,
    name="krajewski2024-e16",
    coefficients={"a": 19.64, "alpha": 0.124, "b": 57.07, "beta": 0.169, "g": 1.18, "gamma": 0.986, "c": 0.472},
    domain={},
    fixed={"experts": 16.0},
    family={"moe_every": (1,)},
    source="Krajewski et al. 2024, arXiv 2402.07871, Eq. 9 and App. D",
    fit_error="fit error of the E = 16 runs not known",
)
