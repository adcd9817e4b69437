"""Figures of a fit: predicted against measured, residuals by variable, loss against experts (the paper's Fig. 1)."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from moeconomics.fit import Fit
from moeconomics.reports.loss_cost import COLOURS
from moeconomics.units import count_text

CURVES = len(COLOURS)  # most sizes drawn in the figure of loss against experts


def fit_figures(one: Fit) -> dict[str, go.Figure]:
    """All figures that the law's variables allow, by file name."""
    figures = {"predicted": _predicted(one), "residuals": _residuals(one)}
    if "experts" in one.rows.variables and one.rows.size() is not None:
        figures["experts"] = _experts(one)
    return figures


def _predicted(one: Fit) -> go.Figure:
    measured = one.rows.loss
    predicted = measured * np.exp(one.residuals())
    ends = [float(min(measured.min(), predicted.min())), float(max(measured.max(), predicted.max()))]
    figure = go.Figure()
    figure.add_scatter(x=ends, y=ends, mode="lines", name="equal", line={"color": COLOURS[-1], "dash": "dash"})
    figure.add_scatter(
        x=measured,
        y=predicted,
        mode="markers",
        name="runs",
        text=list(one.rows.names),
        marker={"color": COLOURS[1], "size": 6},
        hovertemplate="%{text}<br>measured %{x:.4f}<br>fitted %{y:.4f}<extra></extra>",
    )
    return _styled(figure, one, "measured loss, nats/token", "fitted loss, nats/token")


def _residuals(one: Fit) -> go.Figure:
    names = list(one.rows.variables)
    figure = make_subplots(rows=1, cols=len(names), shared_yaxes=True, horizontal_spacing=0.03)
    for column, name in enumerate(names, start=1):
        figure.add_scatter(
            x=one.rows.variables[name],
            y=100 * one.residuals(),
            mode="markers",
            showlegend=False,
            text=list(one.rows.names),
            marker={"color": COLOURS[column % len(COLOURS)], "size": 5},
            hovertemplate=f"%{{text}}<br>{name} %{{x:.4g}}<br>%{{y:.2f}} %<extra></extra>",
            row=1,
            col=column,
        )
        figure.update_xaxes(type="log", title=name, row=1, col=column)
    figure.update_yaxes(title="fitted − measured, % of the loss", row=1, col=1)
    return _styled(figure, one)


def _experts(one: Fit) -> go.Figure:
    """Loss against E at the most tokens of each size, with the fit."""
    size, experts = one.rows.size(), one.rows.variables["experts"]
    assert size is not None  # fit_figures asks first
    tokens = one.rows.variables.get("tokens", np.ones(len(one.rows)))
    figure = go.Figure()
    sizes = np.unique(size)
    for number, value in enumerate(sizes[np.linspace(0, len(sizes) - 1, min(CURVES, len(sizes))).round().astype(int)]):
        at_size = size == value
        rows = at_size & (tokens >= tokens[at_size].max() * 0.999)
        colour = COLOURS[number % len(COLOURS)]
        figure.add_scatter(
            x=experts[rows],
            y=one.rows.loss[rows],
            mode="markers",
            name=f"N = {count_text(float(value))}",
            marker={"color": colour, "size": 7},
        )
        grid = np.geomspace(1, experts.max(), 60)
        middle = {name: np.full(60, values[rows][0]) for name, values in one.rows.variables.items()}
        curve = one.rows.law.loss_of(one.coefficients, middle | {"experts": grid})
        figure.add_scatter(x=grid, y=curve, mode="lines", showlegend=False, line={"color": colour, "dash": "dot"})
    figure.update_xaxes(type="log")
    return _styled(figure, one, "experts E", "loss at the most tokens of each size, nats/token")


def _styled(figure: go.Figure, one: Fit, x: str | None = None, y: str | None = None) -> go.Figure:
    figure.update_layout(
        title=f"{one.rows.law.name} fitted to {len(one.rows)} runs<br><sup>RMSLE {one.rmsle:.3g}</sup>",
        template="plotly_white",
        width=900,
        height=520,
    )
    if x is not None:
        figure.update_layout(xaxis_title=x, yaxis_title=y)
    return figure
