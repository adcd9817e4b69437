"""The loss-cost curves of a plan: what quality each number of experts gives for what serving cost."""

import numpy as np
import plotly.graph_objects as go

from moeconomics.planning import Candidate, Plan, loss_under_budget, pareto, rungs
from moeconomics.units import count_text

# Okabe and Ito's colour-blind-safe palette; a number of experts has the same colour in every figure.
COLOURS = ("#000000", "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
RULE_MARKS = {"loss_optimal": "circle", "bounded_loss": "diamond", "lifetime": "square"}


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
        name = "dense" if experts == 1 else f"E = {experts}"
        colour = COLOURS[row % len(COLOURS)]
        figure.add_scatter(
            x=usd[keep], y=loss_ER[row][keep], name=name, mode="lines", line={"color": colour, "width": 2}
        )
        for one in (one for one in shown if one.experts == experts):
            figure.add_scatter(
                x=[one.usd_per_mtok_output],
                y=[one.loss],
                mode="markers",
                showlegend=False,
                marker={
                    "color": colour,
                    "size": 14 if one == made.recommended else 9,
                    "symbol": "star" if one == made.recommended else RULE_MARKS[one.rule],
                    "line": {"color": "white", "width": 1},
                },
                hovertemplate=(
                    f"{name}, {one.rule.replace('_', '-')}<br>{count_text(one.n_active)} active, "
                    f"{count_text(one.n_total)} total<br>{count_text(one.tokens)} tokens<br>"
                    "%{y:.4f} nats/token<br>%{x:.3g} USD per million output tokens<extra></extra>"
                ),
            )
    chosen = made.recommended
    figure.add_annotation(
        x=np.log10(chosen.usd_per_mtok_output),
        y=chosen.loss,
        text=(
            f"recommended: E = {chosen.experts}, {count_text(chosen.n_active)} active, "
            f"{count_text(chosen.tokens)} tokens"
        ),
        showarrow=True,
        arrowhead=2,
        ax=-20,
        ay=55,
    )
    figure.update_layout(
        title=(
            f"Loss and serving cost of models that cost {problem.train_flops:.3g} FLOPs to train<br>"
            f"<sup>law {problem.law.name}; {problem.deployment.chip.name}, traffic "
            f"{problem.deployment.traffic.name}; circles: loss-optimal, diamonds: cheapest at the quality of E = "
            f"{problem.base_experts}; modelled, not measured</sup>"
        ),
        xaxis={"title": "USD per million output tokens (log scale)", "type": "log"},
        yaxis={"title": "loss, nats/token"},
        template="plotly_white",
        legend={"title": "experts"},
        width=900,
        height=520,
    )
    return figure


def _marked(made: Plan, one: Candidate) -> bool:
    base = one.base_experts in (None, made.problem.base_experts)
    return one == made.recommended or (one.rule in RULE_MARKS and base)
