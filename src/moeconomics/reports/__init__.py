"""Figures and pages of plans, fits and serving.

In: a `Plan`, a `Fit`, an `Estimate` or a `Frontier`. Out: Plotly figures, and pages of HTML that hold all they show;
the caller saves them. Theory: Yun et al. 2024 (arXiv 2404.02852) Fig. 1, loss against experts, and Fig. 4, the
loss-cost curve under one training budget. `fit_figures` is imported from its module, as it needs the extra `fit`.
"""

from moeconomics.reports.cost_page import cost_page
from moeconomics.reports.interactivity import interactivity_figure
from moeconomics.reports.loss_cost import loss_cost_figure
from moeconomics.reports.page import html
from moeconomics.reports.pictures import drawn
from moeconomics.reports.plan_page import plan_page

__all__ = ["cost_page", "drawn", "html", "interactivity_figure", "loss_cost_figure", "plan_page"]
