"""A grid of sizes, experts, tokens and seeds to one runs table.

In: a `Grid`, and the folder where its runs are, or will be. Out: what the grid takes before it starts; the runs, each
trained once, in this process or on a Ray cluster; `runs.csv` for `fit`. Theory: Yun et al. 2024 §3.1.
"""

from moeconomics.sweeps.estimates import Calibration, Estimate, calibrate, estimate, gpu_hours
from moeconomics.sweeps.grid import Grid, read_grid, specs_of
from moeconomics.sweeps.sweep import State, forget_failed, lease, run_here, run_one, state_of, write_table

__all__ = [
    "Calibration",
    "Estimate",
    "Grid",
    "State",
    "calibrate",
    "estimate",
    "forget_failed",
    "gpu_hours",
    "lease",
    "read_grid",
    "run_here",
    "run_one",
    "specs_of",
    "state_of",
    "write_table",
]
