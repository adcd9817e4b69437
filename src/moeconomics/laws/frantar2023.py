"""Frantar et al. 2023, "Scaling Laws for Sparsely-Connected Foundation Models" (arXiv 2309.08520): T5 on C4.

Weight sparsity, not MoE: S is the share of weights that are zero, N the parameters that are not. Every shape
planned here has S = 0; the S terms are for fits and comparison. Embedding convention and the ranges of the runs:
unknown; embeddings are included here and no extrapolation is reported. T5 is an encoder-decoder. The paper's second
row, ViT on JFT-4B, is of images and no language model: left out.
"""

from moeconomics.laws.law import Coefficients, Law, Variables
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
    fit_error="fit error not known",
)  # fmt: skip
