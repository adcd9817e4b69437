"""From a runs table to a law with intervals.

In: a runs table (`runs`) and a law's form with bounds and starts for its coefficients. Out: a `Fit` with draws, its
identification and held-out scores, and the fitted-law file that plans use. Needs the extra `fit` (JAX, optimistix).
Theory: Yun et al. 2024 (arXiv 2404.02852) App. D; Hoffmann et al. 2022 App. D.4; Besiroglu et al. 2024 (2404.10102).
"""

from moeconomics.fit.compare import Comparison, compare
from moeconomics.fit.fit import PAPER_DELTA, Fit, bootstrap, fit, fit_from, rmsle
from moeconomics.fit.holdout import HOLDOUTS, ONE_LEFT_OUT, Holdout, check_kind, holdout, holdouts
from moeconomics.fit.identify import Identification, Interval, identify
from moeconomics.fit.isoflop import Exponents, IsoFlop, Optimum, exponents, isoflop
from moeconomics.fit.next_runs import Decision, NextRun, decision_of, identifying, next_runs
from moeconomics.fit.predict import fitted_file, predict, sha256_of
from moeconomics.fit.profile import profile
from moeconomics.fit.rows import Rows, rows_of

__all__ = [
    "HOLDOUTS",
    "ONE_LEFT_OUT",
    "PAPER_DELTA",
    "Comparison",
    "Decision",
    "Exponents",
    "Fit",
    "Holdout",
    "Identification",
    "Interval",
    "IsoFlop",
    "NextRun",
    "Optimum",
    "Rows",
    "bootstrap",
    "check_kind",
    "compare",
    "decision_of",
    "exponents",
    "fit",
    "fit_from",
    "fitted_file",
    "holdout",
    "holdouts",
    "identify",
    "identifying",
    "isoflop",
    "next_runs",
    "predict",
    "profile",
    "rmsle",
    "rows_of",
    "sha256_of",
]
