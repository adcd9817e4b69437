"""Ludziejewski et al. 2025, "Joint MoE Scaling Laws" (arXiv 2502.05172), Eq. 6: the default law.

The published law that has active size, experts and tokens together. Exponents are used as printed, already
negative; with these signs the formula gives the paper's Table 4 to the printed digits.
"""

from moeconomics.laws.law import Coefficients, Law, Parameter, Variables
from moeconomics.laws.saturating import SATURATION, saturating_experts
from moeconomics.units import Array, namespace, power


def loss(c: Coefficients, v: Variables) -> Array:
    """L = a·Ê^δ·N^(α+γ·lnÊ) + b·Ê^ω·D^(β+ζ·lnÊ) + c."""
    e_hat = saturating_experts(v["experts"], c["e_start"], c["e_max"])
    ln_e = namespace(e_hat).log(e_hat)
    size = c["a"] * power(e_hat, c["delta"]) * power(v["n_active"], c["alpha"] + c["gamma"] * ln_e)
    data = c["b"] * power(e_hat, c["omega"]) * power(v["tokens"], c["beta"] + c["zeta"] * ln_e)
    return size + data + c["c"]


JOINT2025 = Law(
    name="joint2025",
    formula="L = a·Ê^δ·N_act^(α+γ·lnÊ) + b·Ê^ω·D^(β+ζ·lnÊ) + c",
    loss_of=loss,
    variables=("n_active", "experts", "tokens"),
    coefficients={
        "a": 35.91, "alpha": -0.1889, "delta": -0.2285, "gamma": 0.0098,
        "b": 35.98, "beta": -0.1775, "omega": 0.5529, "zeta": -0.0259,
        "e_start": 2.0732, "e_max": 290.4521, "c": 1.3637,
    },
    parameters={
        "a": Parameter(low=1e-2, high=1e6, starts=(10, 100), log=True),
        "alpha": Parameter(low=-1, high=0, starts=(-0.1, -0.3)),
        "delta": Parameter(low=-3, high=3, starts=(-0.2,)),
        "gamma": Parameter(low=-0.3, high=0.3, starts=(0.01,)),
        "b": Parameter(low=1e-2, high=1e6, starts=(10, 100), log=True),
        "beta": Parameter(low=-1, high=0, starts=(-0.1, -0.3)),
        "omega": Parameter(low=-3, high=3, starts=(-0.2, 0.5)),
        "zeta": Parameter(low=-0.3, high=0.3, starts=(-0.02,)),
        **SATURATION,
        "c": Parameter(low=0, high=5, starts=(0.5, 1.5)),
    },
    # The authors keep clear of about 400 tokens a parameter, and see the error grow below 1 (their limitations).
    domain={
        "n_active": (79e6, 2.7e9), "experts": (1, 32), "tokens": (0.5e9, 80e9), "tokens_per_active": (1, 400),
    },
    family={"top_k": (1,), "moe_every": (1,), "granularity": (1,), "n_shared_experts": (0,)},
    source="Ludziejewski et al. 2025, arXiv 2502.05172, Eq. 6 and Table 3",
    loss_unit="nats/token, FineWeb-Edu, GPT-2 tokenizer",
    fit_error="RMSE 0.0062 on the fit, 0.0039 on 30 held-out runs",
)  # fmt: skip
