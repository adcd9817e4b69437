"""Loss, serving cost and training of loss-optimal models in three panels: the paper's Fig. 3."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from moeconomics.planning import Plan, loss_under_budget, rungs
from moeconomics.reports.theme import NEUTRAL, colour_of, curve, log_axis, styled
from moeconomics.units import Array, count_text

LOSS, USD, FLOPS = "nats/token", "USD per million output tokens", "training FLOPs"
AROUND = np.geomspace(1 / 8, 4, 31)  # budgets drawn, over the plan's own


def trilemma(
    experts: Sequence[int], flops: Array, loss_EB: Array, usd_EB: Array, *, marked_usd: Sequence[float] = ()
) -> go.Figure:
    """Each pair of loss, cost (USD per million output tokens) and training over experts E and budgets B.

    A model that can not be served is NaN in `usd_EB`, and left out. `marked_usd`: costs of points that the caller adds,
    which may lie outside the lines.
    """
    figure = make_subplots(
        rows=1, cols=3, subplot_titles=("loss and cost", "loss and training", "cost and training"),
        horizontal_spacing=0.1,
    )  # fmt: skip
    for number, loss, usd in zip(experts, loss_EB, usd_EB, strict=True):
        known = np.isfinite(usd) & np.isfinite(loss)
        curve(figure, number, usd[known], loss[known], (USD, LOSS), row=1, col=1)
        curve(figure, number, flops[known], loss[known], (FLOPS, LOSS), row=1, col=2, listed=False)
        curve(figure, number, flops[known], usd[known], (FLOPS, USD), row=1, col=3, listed=False)
    served = np.append(usd_EB[np.isfinite(usd_EB)], marked_usd)
    figure.update_xaxes(title=f"{USD} (log)", **log_axis(served), col=1)
    for column in (2, 3):
        figure.update_xaxes(title=f"{FLOPS} (log)", **log_axis(flops, scientific=True), col=column)
    figure.update_yaxes(title=f"loss, {LOSS}", col=1)
    figure.update_yaxes(title=f"loss, {LOSS}", col=2)
    figure.update_yaxes(title=f"{USD} (log)", **log_axis(served), col=3)
    return figure


def trilemma_figure(made: Plan) -> go.Figure:
    """The trilemma around a plan's budget: loss-optimal models as lines, its own budget and the recommended model."""
    problem, chosen = made.problem, made.recommended
    table = rungs(problem)
    flops = problem.train_flops * AROUND
    loss_EB, usd_EB = np.empty((2, len(problem.experts), flops.size))
    for column, budget in enumerate(flops):
        loss_ER = np.where(np.isfinite(table.usd_ER), loss_under_budget(problem, table, float(budget)), np.inf)
        best_E1 = np.argmin(loss_ER, axis=1)[:, None]
        loss_EB[:, column] = np.take_along_axis(loss_ER, best_E1, axis=1)[:, 0]
        usd_EB[:, column] = 1e6 * np.take_along_axis(table.usd_ER, best_E1, axis=1)[:, 0]
    price = chosen.usd_per_mtok_output
    figure = trilemma(problem.experts, flops, loss_EB, usd_EB, marked_usd=[price])
    for column in (2, 3):
        figure.add_vline(x=problem.train_flops, line={"color": NEUTRAL, "width": 1}, row=1, col=column)
    words = f"E = {chosen.experts}, {count_text(chosen.n_active)} active, {count_text(chosen.tokens)} tokens"
    for column, (x, y) in enumerate(
        ((price, chosen.loss), (chosen.train_flops, chosen.loss), (chosen.train_flops, price)), start=1
    ):
        figure.add_scatter(
            x=[x],
            y=[y],
            mode="markers",
            name="recommended",
            legendgroup="recommended",
            showlegend=column == 1,
            marker={"color": colour_of(chosen.experts), "symbol": "star", "size": 16},
            hovertemplate=(
                f"recommended: {words}<br>{chosen.loss:.4f} {LOSS}<br>{price:.3g} {USD}<br>"
                f"{chosen.train_flops:.3g} {FLOPS}<extra></extra>"
            ),
            row=1,
            col=column,
        )
    return styled(
        figure,
        "Loss, serving cost and training",
        f"Lines: loss-optimal models of an eighth to four times {problem.train_flops:.3g} training FLOPs (thin line); "
        f"law {problem.law.name}, {problem.deployment.chip.name}, traffic {problem.deployment.traffic.name}; modelled, "
        "not measured",
        width=1100,
        height=400,
    )
