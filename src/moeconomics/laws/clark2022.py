"""Clark et al. 2022, "Unified Scaling Laws for Routed Language Models" (arXiv 2202.01169), Table 3.

One law a router: S-BASE, RL-R (reinforcement learning) and HASH. Logarithms are base 10. N is the dense model
evaluated per token; the authors' public data count it without embeddings. All runs saw 130B tokens, so the law
has no D. Coefficients are printed to three decimals: enough to move L by 1.5 %, and far too coarse for the size
at which routing stops to help. `fit_error` is of these rounded ones on the public runs; refits reach 0.007.
`family` is silent on expert width and shared experts: neither is in the data.
"""

from moeconomics.laws.law import Coefficients, Law, Parameter, Variables
from moeconomics.laws.saturating import SATURATION, saturating_experts
from moeconomics.units import Array, namespace


def loss(c: Coefficients, v: Variables) -> Array:
    """log10 L = a·log10 N + b·log10 Ê + c·log10 N·log10 Ê + d."""
    e_hat = saturating_experts(v["experts"], c["e_start"], c["e_max"])
    log_n = namespace(v["n_dense_non_embedding"]).log10(v["n_dense_non_embedding"])
    log_e = namespace(e_hat).log10(e_hat)
    return 10 ** (c["a"] * log_n + c["b"] * log_e + c["c"] * log_n * log_e + c["d"])


def _clark2022(router: str, rmsle: float, coefficients: dict[str, float]) -> Law:
    return Law(
        name=f"clark2022-{router}",
        formula="log10 L = a·log10 N + b·log10 Ê + c·log10 N·log10 Ê + d",
        loss_of=loss,
        variables=("n_dense_non_embedding", "experts"),
        coefficients=coefficients,
        parameters={
            "a": Parameter(low=-1, high=0, starts=(-0.05, -0.2)),
            "b": Parameter(low=-1, high=1, starts=(-0.1, 0.0)),
            "c": Parameter(low=-0.3, high=0.3, starts=(0.0, 0.01)),
            "d": Parameter(low=-2, high=5, starts=(1.0,)),
            **SATURATION,
        },
        domain={"n_dense_non_embedding": (15e6, 1.3e9), "experts": (1, 512)},
        fixed={"tokens": 130e9},
        family={"top_k": (1,), "moe_every": (2,)},
        source="Clark et al. 2022, arXiv 2202.01169, Table 3",
        loss_unit="nats/token, MassiveText",
        fit_error=f"RMSLE {rmsle} of the printed, three-decimal coefficients on the public runs",
    )


CLARK2022_S_BASE = _clark2022(
    "s-base", 0.0086, {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "e_start": 1.847, "e_max": 314.478}
)
CLARK2022_RL_R = _clark2022(
    "rl-r", 0.0178, {"a": -0.083, "b": -0.126, "c": 0.012, "d": 1.111, "e_start": 1.880, "e_max": 469.982}
)
CLARK2022_HASH = _clark2022(
    "hash", 0.0121, {"a": -0.087, "b": -0.136, "c": 0.012, "d": 1.157, "e_start": 4.175, "e_max": 477.741}
)
