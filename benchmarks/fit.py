"""How fast the Chinchilla fit and a bootstrap are, against SciPy's L-BFGS-B on the same objective in the same run.

SciPy runs from every 20th of the 4,500 starts, one after the other, and its time is multiplied by 20. Needs the data:
MOECONOMICS_DATA. The last line printed is a JSON object:

  speedup_vs_scipy   SciPy's time over ours, once compiled
  speedup_cold       the same for the first fit of a process, compilation included
  objective          ours
  bootstrap_s        1,000 refits of joint2025 to the 671 rows of Clark et al.'s S-BASE curves
"""

import json
import time

import numpy as np
import polars as pl
from scipy.optimize import minimize

from moeconomics.fit import PAPER_DELTA, Rows, bootstrap, fit, rows_of
from moeconomics.fit.space import grid
from moeconomics.laws import get_law
from moeconomics.runs import load_runs

EVERY = 20


def scipy_s(rows: Rows) -> float:
    """Seconds SciPy would take for all starts, with the gradient written out in NumPy (as Besiroglu et al. do)."""
    log_n, log_d = (np.log(rows.variables[name]) for name in ("n_dense", "tokens"))
    log_loss = np.log(rows.loss)

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        a, b, e, alpha, beta = x
        terms = np.exp(np.stack([a - alpha * log_n, b - beta * log_d, np.full_like(log_n, e)]))
        total = terms.sum(axis=0)
        residual = np.log(total) - log_loss
        size = np.abs(residual)
        small = size < PAPER_DELTA
        error = np.where(small, residual**2 / 2, PAPER_DELTA * (size - PAPER_DELTA / 2))
        slope = np.where(small, residual, PAPER_DELTA * np.sign(residual)) * terms / total
        return error.sum(), np.array(
            [slope[0].sum(), slope[1].sum(), slope[2].sum(), -(slope[0] * log_n).sum(), -(slope[1] * log_d).sum()]
        )

    starts = grid(rows.law.parameters)[::EVERY]
    start = time.perf_counter()
    for x in np.concatenate([np.log(starts[:, :3]), starts[:, 3:]], axis=1):
        minimize(value, x, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-12})
    return (time.perf_counter() - start) * EVERY


def main() -> None:
    runs = load_runs("chinchilla_epoch").filter(pl.col("excluded_by_besiroglu") == 0)
    rows = rows_of(runs, get_law("chinchilla2022"))
    start = time.perf_counter()
    fit(rows)
    cold_s = time.perf_counter() - start
    start = time.perf_counter()
    found = fit(rows)
    ours_s = time.perf_counter() - start
    with np.errstate(over="ignore", invalid="ignore"):  # L-BFGS-B's line search leaves the sensible range
        theirs_s = scipy_s(rows)
    curves = load_runs("clark2022_routed_curves").filter(
        pl.col("law_family").is_in(["clark2022-s-base", "clark2022-dense"])
        & (pl.col("routing_frequency") == 0.5)
        & (pl.col("top_k") == 1)
        & (pl.col("flop_increase") == 1)
        & (pl.col("step") % 20_000 == 10_000)
        & pl.col("step").is_between(30_000, 230_000)
    )
    joint = fit(rows_of(curves, get_law("joint2025")), delta=None)
    start = time.perf_counter()
    bootstrap(joint, 1000, np.random.default_rng(0))
    bootstrap_s = time.perf_counter() - start
    print(f"Chinchilla: {ours_s:.1f} s ({cold_s:.1f} s cold), SciPy {theirs_s:.0f} s; bootstrap {bootstrap_s:.1f} s")
    answer = {
        "speedup_vs_scipy": round(theirs_s / ours_s, 1),
        "speedup_cold": round(theirs_s / cold_s, 1),
        "objective": found.objective,
        "bootstrap_s": round(bootstrap_s, 1),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
