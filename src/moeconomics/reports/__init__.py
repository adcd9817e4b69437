"""Figures of plans, fits and serving.

In: a `Plan`, a `Fit` or a `Frontier`. Out: Plotly figures, which the caller shows or saves. Theory: Yun et al. 2024
(arXiv 2404.02852) Fig. 1, loss against experts, and Fig. 4, the loss-cost curve under one training budget.
`fit_figures` is imported from its module, as it needs the extra `fit`.
"""

from moeconomics.reports.interactivity import interactivity_figure
from moeconomics.reports.loss_cost import loss_cost_figure
from moeconomics.reports.pictures import drawn

__all__ = ["drawn", "interactivity_figure", "loss_cost_figure"]
