"""Frantar et al. 2023, "Scaling Laws for Sparsely-Connected Foundation Models" (arXiv 2309.08520): T5 on C4.

Weight sparsity, not MoE: S is the share of weights that are zero, N the parameters that are not. Every shape
planned here has S = 0; the S terms are for fits and comparison. Embedding convention and the ranges of the runs:
unknown; embeddings are included here and no extrapolation is reported. T5 is an encoder-decoder. The paper's second
row, ViT on JFT-4B, is of images and no language model: left out.
"""

from moeconomics.laws.law import Coefficients, Law, Parameter, Variables
from moeconomics.laws.variables import DENSE_ONLY
from moeconomics.units import Array


def loss(c: Coefficients, v: Variables) -> Array:
    """L = (a_S·(1−S)^b_S + c_S)·N^−b_N + (a_D/D)^b_D + c."""
    kept = c["a_s"] * (1 - v["weight_sparsity"]) ** c["b_s"] + c["c_s"]
    return kept * v["n_nonzero"] ** -c["b_n"] + (c["a_d"] / v["tokens"]) ** c["b_d"] + c["c"]


FRANTAR2023 = Law(
    name="frantar2023",
    formula="L = (a_S·(1−S)^b_S + c_S)·N^−b_N + (a_D/D)^b_D + c",
    loss_of=loss,
    variables=("n_nonzero", "weight_sparsity", "tokens"),
    coefficients={
        "a_s": 16.8, "b_s": 0.722, "c_s": 45.0, "b_n": 0.245, "a_d": 6.90e8, "b_d": 0.203, "c": 0.651,
    },
    domain={},
    fixed=DENSE_ONLY,
    source="Frantar et al. 2023, arXiv 2309.08520, T5/C4 row",
    loss_unit="nats/token, C4, T5 span corruption",
    parameters={
        "a_s": Parameter(low=1e-3, high=1e6, starts=(10,), log=True),
        "b_s": Parameter(low=0, high=3, starts=(0.5,)),
        "c_s": Parameter(low=1e-3, high=1e6, starts=(10, 100), log=True),
        "b_n": Parameter(low=0, high=2, starts=(0.1, 0.4)),
        "a_d": Parameter(low=1e3, high=1e15, starts=(1e8, 1e10), log=True),
        "b_d": Parameter(low=0, high=2, starts=(0.1, 0.4)),
        "c": Parameter(low=0, high=5, starts=(0.5, 1.5)),
    },
    fit_error="fit error not known",
)  # fmt: skip
