"""Fit the operator model to measurements, and say how far it can be trusted.

In: a folder of kernel timings (`ops_*.csv`) and end-to-end rows (`e2e_*.csv`), or a measured profile of one machine.
Out: a `Calibration` with a count of rows and an error for each coefficient, and the accuracy report. Kernels come
first, from their own timings; end-to-end rows then fix a floor a layer, prefill's interference and one residual factor
for each chip generation and engine. Theory: the saturating efficiencies of Calculon (SC 2023) and AIConfigurator
(arXiv 2601.06288); families of models are left out in turn, as rows of one model are not independent.
"""

from moeconomics.calibration.calibrate import calibrate
from moeconomics.calibration.machine_fits import calibrate_machine, cells_of, left_out, predicted_over_measured

__all__ = ["calibrate", "calibrate_machine", "cells_of", "left_out", "predicted_over_measured"]
