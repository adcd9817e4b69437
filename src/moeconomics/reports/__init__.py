"""Figures and pages of plans, fits, serving and the reproduction.

In: a `Plan`, a `Fit`, an `Estimate`, a `Frontier` or the reproduction's `Finding`s. Out: Plotly figures in one theme,
and pages of HTML that hold all they show; the caller saves them. Theory: Yun et al. 2024 (arXiv 2404.02852) Fig. 1,
loss against experts, Fig. 3, the trilemma, and Fig. 4, the loss-cost curve under one training budget. `fit_figures` and
`fit_page` are imported from their modules, as they need the extra `fit`.
"""

from moeconomics.reports.cost_page import cost_page
from moeconomics.reports.interactivity import interactivity_figure
from moeconomics.reports.loss_cost import loss_cost_figure
from moeconomics.reports.page import html
from moeconomics.reports.pictures import drawn
from moeconomics.reports.plan_page import plan_page
from moeconomics.reports.reproduction_page import reproduction_page
from moeconomics.reports.trilemma import trilemma_figure

__all__ = [
    "cost_page",
    "drawn",
    "html",
    "interactivity_figure",
    "loss_cost_figure",
    "plan_page",
    "reproduction_page",
    "trilemma_figure",
]
