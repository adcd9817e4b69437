"""Yun et al. 2024, "Toward Inference-optimal Mixture-of-Expert LLMs" (arXiv 2404.02852), Eq. 4: a form to be fitted.

The paper prints none of its ten coefficients; use a fitted-law file. It writes "log" without a base: the interaction
term is read with natural logarithms (in base 10, d would be ln(10)² times as large). `a`, `b`, `c` and `f` are
the A, B, C and F of the formula, not their logarithms. N is the corresponding dense model, without embeddings like
the sizes in the paper's Table 1, whose range is the domain.
"""

from moeconomics.laws.law import Coefficients, Law, Parameter, Variables
from moeconomics.laws.saturating import SATURATION, saturating_experts
from moeconomics.units import Array, namespace, power


def loss(c: Coefficients, v: Variables) -> Array:
    """ln L = ln(A/N^α + B/Ê^β + C/D^γ + F) + d·lnN·lnÊ."""
    n, d = v["n_dense_non_embedding"], v["tokens"]
    e_hat = saturating_experts(v["experts"], c["e_start"], c["e_max"])
    terms = c["a"] / power(n, c["alpha"]) + c["b"] / power(e_hat, c["beta"]) + c["c"] / power(d, c["gamma"]) + c["f"]
    interaction = c["d"] * namespace(n).log(n) * namespace(e_hat).log(e_hat)
    return terms * namespace(interaction).exp(interaction)


YUN2024 = Law(
    name="yun2024",
    formula="ln L = ln(A/N^α + B/Ê^β + C/D^γ + F) + d·lnN·lnÊ",
    loss_of=loss,
    variables=("n_dense_non_embedding", "experts", "tokens"),
    coefficients=dict.fromkeys(("a", "b", "c", "f", "alpha", "beta", "gamma", "d", "e_start", "e_max")),
    # Bounds keep out the corners without meaning that an unbounded fit finds (alpha < 0, E_max = E_start).
    parameters={
        "a": Parameter(low=1e-2, high=1e9, starts=(10, 500), log=True),
        "b": Parameter(low=1e-6, high=1e3, starts=(0.1, 1), log=True),
        "c": Parameter(low=1e-2, high=1e9, starts=(10, 500), log=True),
        "f": Parameter(low=0, high=5, starts=(0.5, 1.5)),
        "alpha": Parameter(low=0, high=2, starts=(0.1, 0.4)),
        "beta": Parameter(low=0, high=2, starts=(0.1, 0.5)),
        "gamma": Parameter(low=0, high=2, starts=(0.1, 0.4)),
        "d": Parameter(low=-0.1, high=0.1, starts=(-0.002, 0.002)),
        **SATURATION,
    },
    domain={"n_dense_non_embedding": (81.4e6, 679e6), "experts": (1, 32), "tokens": (2.5e9, 20e9)},
    family={"top_k": (2,), "moe_every": (2,), "granularity": (1,), "n_shared_experts": (0,)},
    source="Yun et al. 2024, arXiv 2404.02852, Eq. 4",
    loss_unit="nats/token, of the data it is fitted to (the paper: SlimPajama)",
    fit_error="the paper: RMSLE 0.0039",
)
