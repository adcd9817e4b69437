"""The loss-cost curves of a plan: what quality each number of experts gives for what serving cost."""

import numpy as np
import plotly.graph_objects as go

from moeconomics.planning import Candidate, Plan, loss_under_budget, pareto, rungs
from moeconomics.reports.theme import colour_of, curve, label_of, log_axis, styled
from moeconomics.units import count_text

RULE_MARKS = {"loss_optimal": "circle", "bounded_loss": "diamond", "lifetime": "square"}
USD, LOSS = "USD per million output tokens", "nats/token"


def loss_cost_figure(made: Plan) -> go.Figure:
    """Loss against USD per million output tokens, a curve for each E.

    A curve holds the models that spend the whole budget and that no other of the same E beats on both axes; it ends
    at the loss-optimal one.
    """
    problem = made.problem
    table = rungs(problem)
    loss_ER = loss_under_budget(problem, table, problem.train_flops)
    figure = go.Figure()
    shown = [one for one in made.candidates if _marked(made, one)]
    cheapest = min(one.usd_per_mtok_output for one in shown)
    dearest = max(one.usd_per_mtok_output for one in shown)
    for row, experts in enumerate(problem.experts):
        usd = table.usd_ER[row] * 1e6
        best = pareto(usd, loss_ER[row])
        keep = best[(usd[best] > cheapest / 2) & (usd[best] < dearest * 2)]
        curve(figure, experts, usd[keep], loss_ER[row][keep], (USD, LOSS))
        for one in (one for one in shown if one.experts == experts):
            figure.add_scatter(
                x=[one.usd_per_mtok_output],
                y=[one.loss],
                mode="markers",
                showlegend=False,
                legendgroup=label_of(experts),
                marker={
                    "color": colour_of(experts),
                    "size": 16 if one == made.recommended else 10,
                    "symbol": "star" if one == made.recommended else RULE_MARKS[one.rule],
                },
                hovertemplate=(
                    f"{label_of(experts)}, {one.rule.replace('_', '-')}<br>{count_text(one.n_active)} active, "
                    f"{count_text(one.n_total)} total<br>{count_text(one.tokens)} tokens<br>"
                    f"%{{y:.4f}} {LOSS}<br>%{{x:.3g}} {USD}<extra></extra>"
                ),
            )
    chosen = made.recommended
    figure.add_annotation(
        x=np.log10(chosen.usd_per_mtok_output),
        y=chosen.loss,
        text=f"recommended: E = {chosen.experts}<br>{count_text(chosen.n_active)} active, "
        f"{count_text(chosen.tokens)} tokens",
        align="left",
        showarrow=True,
        arrowhead=2,
        ax=0,
        ay=60,
    )
    figure.update_xaxes(title=f"{USD} (log)", **log_axis([cheapest / 2, dearest * 2]))
    figure.update_yaxes(title=f"loss, {LOSS}")
    return styled(
        figure,
        f"Loss and serving cost of models that cost {problem.train_flops:.3g} FLOPs to train",
        f"law {problem.law.name}; {problem.deployment.chip.name}, traffic {problem.deployment.traffic.name}; circles: "
        f"loss-optimal, diamonds: cheapest at the quality of E = {problem.base_experts}; modelled, not measured",
    )


def _marked(made: Plan, one: Candidate) -> bool:
    base = one.base_experts in (None, made.problem.base_experts)
    return one == made.recommended or (one.rule in RULE_MARKS and base)
