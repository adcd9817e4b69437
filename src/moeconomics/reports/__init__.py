"""Figures of a plan.

In: a `Plan`. Out: Plotly figures, which the caller shows or saves. Theory: Yun et al. 2024 (arXiv 2404.02852)
Fig. 4, the loss-cost curve under one training budget.
"""

from moeconomics.reports.loss_cost import loss_cost_figure

__all__ = ["loss_cost_figure"]
