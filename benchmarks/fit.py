"""How fast the Chinchilla fit and a bootstrap are, against SciPy's L-BFGS-B with the same gradient in the same run.

SciPy runs from every 20th of the 4,500 starts, one after the other, and its time is multiplied by 20. Needs the data:
MOECONOMICS_DATA. The last line printed is a JSON object:

  speedup_vs_scipy   SciPy's time over ours, compilation included
  objective          ours
  bootstrap_s        1,000 refits of joint2025 to the 671 rows of Clark et al.'s S-BASE curves
"""

import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from scipy.optimize import minimize

from moeconomics.fit import PAPER_DELTA, Rows, bootstrap, fit, rows_of
from moeconomics.fit.fit import data_of
from moeconomics.fit.solve import Problem
from moeconomics.fit.space import Space, grid
from moeconomics.laws import get_law
from moeconomics.runs import load_runs

EVERY = 20


def scipy_s(rows: Rows) -> float:
    """Seconds SciPy would take for all starts."""
    space = Space.of(rows.law.parameters)
    problem = Problem(rows.law.loss_of, space, PAPER_DELTA)
    with jax.enable_x64(True):
        data = jax.tree.map(jnp.asarray, data_of(rows))
        both = jax.jit(jax.value_and_grad(lambda u: problem.objective(u, data)))
        starts = space.coordinates(grid(rows.law.parameters))[::EVERY]
        both(jnp.asarray(starts[0]))

        def value(u: np.ndarray) -> tuple[float, np.ndarray]:
            found, slope = both(jnp.asarray(u))
            return float(found), np.asarray(slope)

        start = time.perf_counter()
        for u in starts:
            minimize(value, u, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-12})
        return (time.perf_counter() - start) * EVERY


def main() -> None:
    runs = load_runs("chinchilla_epoch").filter(pl.col("excluded_by_besiroglu") == 0)
    rows = rows_of(runs, get_law("chinchilla2022"))
    start = time.perf_counter()
    found = fit(rows)
    ours_s = time.perf_counter() - start
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
    print(f"Chinchilla: {ours_s:.1f} s, SciPy {theirs_s:.0f} s; bootstrap {bootstrap_s:.1f} s")
    answer = {
        "speedup_vs_scipy": round(theirs_s / ours_s, 1),
        "objective": found.objective,
        "bootstrap_s": round(bootstrap_s, 1),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
