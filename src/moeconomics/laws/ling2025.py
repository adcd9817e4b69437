"""Tian et al. 2025 (Ling team), "Towards Greater Leverage" (arXiv 2507.17702): efficiency leverage, not a loss.

EL = C_dense/C_MoE at equal loss. A = (E_a + E_s)/(E + E_s); G = 2·d_model/d_expert, half of Krajewski's definition.
C = M·D with M the non-embedding FLOPs per token; M's exact definition is in an appendix we have not seen, and is
read here as 6·active non-embedding parameters. The bases of the logarithms are not stated: log10 for C and log2
for G are inferred, since they alone give the paper's ">7×" and its best G of about 12.
Fitted for EL < 6, checked above.
"""

from moeconomics.laws.law import Coefficients, Law, Variables
from moeconomics.units import Array, namespace


def leverage(c: Coefficients, v: Variables) -> Array:
    """EL = Â^(α_C + γ·(log2 G)² + β·log2 G), α_C = a + d·log10 C, 1/Â = 1/(A + (1/A_start−1/A_max)⁻¹) + 1/A_max."""
    log_g = namespace(v["ling_granularity"]).log2(v["ling_granularity"])
    log_c = namespace(v["train_flops_non_embedding"]).log10(v["train_flops_non_embedding"])
    a_hat = 1 / (1 / (v["activation_ratio"] + 1 / (1 / c["a_start"] - 1 / c["a_max"])) + 1 / c["a_max"])
    alpha_c = c["a"] + c["d"] * log_c
    return a_hat ** (alpha_c + c["gamma"] * log_g**2 + c["beta"] * log_g)


LING2025 = Law(
    name="ling2025",
    formula="EL = Â^(a + d·log10 C + γ·(log2 G)² + β·log2 G)",
    loss_of=leverage,
    variables=("activation_ratio", "ling_granularity", "train_flops_non_embedding"),
    coefficients={
        "a": 1.23, "d": -7.61e-2, "gamma": 1.67e-2, "beta": -1.17e-1, "a_start": 1.63e-2, "a_max": 5.28e16,
    },
    domain={
        "activation_ratio": (0.008, 1),
        "ling_granularity": (2, 16),
        "train_flops_non_embedding": (1e18, 3e20),
    },
    source="Tian et al. 2025, arXiv 2507.17702, Tables 1-3",
    loss_unit="none: a ratio of training FLOPs",
    fit_error="fit error not known",
    predicts="efficiency leverage over a dense model",
)  # fmt: skip
