"""Figures of a fit: predicted against measured, residuals by variable, loss against experts (the paper's Fig. 1),
intervals of the coefficients, isoFLOP curves."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from moeconomics.fit import Fit, Interval, IsoFlop
from moeconomics.fit.rows import Values
from moeconomics.laws import INTERVAL_PERCENTILES
from moeconomics.reports.loss_cost import COLOURS
from moeconomics.units import count_text

CURVES = len(COLOURS)  # most sizes drawn in the figure of loss against experts
TICKS = 5  # most labels of a logarithmic axis
LEGEND_LINE = 29  # height of one entry, pixels


def fit_figures(one: Fit, profiles: dict[str, Interval], groups: list[IsoFlop]) -> dict[str, go.Figure]:
    """All figures that the law's variables and the runs allow, by file name."""
    figures = {"predicted": _predicted(one), "residuals": _residuals(one), "intervals": _intervals(one, profiles)}
    if groups:
        figures["isoflop"] = _isoflop(one, groups)
    if np.unique(one.rows.variables.get("experts", ())).size > 1 and one.rows.size() is not None:
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
        figure.update_xaxes(title=name, row=1, col=column, **_log_axis(one.rows.variables[name]))
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
        at = middle | {"experts": grid}
        if one.draws:
            columns = {name: values[:, None] for name, values in one.draws.items()}
            low, high = np.percentile(one.rows.law.loss_of(columns, at), INTERVAL_PERCENTILES, axis=0)
            figure.add_scatter(x=grid, y=high, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip")
            figure.add_scatter(
                x=grid,
                y=low,
                mode="lines",
                line={"width": 0},
                fill="tonexty",
                fillcolor=_pale(colour),
                showlegend=False,
                hoverinfo="skip",
            )
        curve = one.rows.law.loss_of(one.coefficients, at)
        figure.add_scatter(x=grid, y=curve, mode="lines", showlegend=False, line={"color": colour, "dash": "dot"})
    figure.update_xaxes(**_log_axis(experts))
    words = "loss at the most tokens of each size, nats/token"
    return _styled(figure, one, "experts E (dotted: the fit; band: its 90 % interval)", words)


def _intervals(one: Fit, profiles: dict[str, Interval]) -> go.Figure:
    """Each coefficient's intervals within its allowed range; an open profile end is drawn to the range's end."""
    figure = go.Figure()
    names = list(one.space.names)

    def share(name: str, value: float) -> float:
        at = dict(one.coefficients) | {name: value}
        return float(one.space.shares([at[key] for key in names])[names.index(name)])

    kinds: list[tuple[str, str, dict[str, Interval]]] = [("profile", COLOURS[2], profiles)]
    if one.draws:
        kinds.insert(0, ("bootstrap", COLOURS[1], dict(one.intervals)))
    for offset, (kind, colour, intervals) in zip((0.15, -0.15), kinds, strict=False):
        for row, name in enumerate(names):
            low, high = intervals[name]
            ends = [0.0 if low is None else share(name, low), 1.0 if high is None else share(name, high)]
            figure.add_scatter(
                x=ends,
                y=[row + offset] * 2,
                mode="lines",
                line={"color": colour, "width": 4, "dash": "dot" if None in (low, high) else "solid"},
                name=f"{kind} (dotted: an end is open)" if kind == "profile" else kind,
                legendgroup=kind,
                showlegend=row == 0,
                hovertemplate=f"{name}, {kind}: {_end(low)} to {_end(high)}<extra></extra>",
            )
    figure.add_scatter(
        x=[share(name, one.coefficients[name]) for name in names],
        y=list(range(len(names))),
        mode="markers",
        marker={"color": "black", "symbol": "line-ns-open", "size": 14},
        name="estimate",
    )
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, autorange="reversed")
    figure.update_xaxes(range=[-0.02, 1.02])
    return _styled(figure, one, "share of the allowed range (of its logarithm where that is fitted)", "")


def _isoflop(one: Fit, groups: list[IsoFlop]) -> go.Figure:
    """Loss against size at equal compute, one panel per number of experts, with parabolas and their minima."""
    experts = sorted({group.experts for group in groups if not np.isnan(group.experts)}) or [float("nan")]
    titles = ["" if np.isnan(number) else f"E = {number:g}" for number in experts]
    figure = make_subplots(rows=1, cols=len(experts), shared_yaxes=True, subplot_titles=titles)
    computes = sorted({group.flops for group in groups})
    listed: set[str] = set()
    for group in groups:
        column = 1 if np.isnan(group.experts) else experts.index(group.experts) + 1
        colour = sample_colorscale("Viridis", [0.9 * computes.index(group.flops) / max(len(computes) - 1, 1)])[0]
        fine = np.geomspace(group.sizes[0], group.sizes[-1], 80)
        name = f"{group.flops:.2g} FLOPs"
        place = {"row": 1, "col": column}
        figure.add_scatter(
            x=group.sizes,
            y=group.losses,
            mode="markers",
            marker={"color": colour, "size": 6},
            name=name,
            legendgroup=name,
            showlegend=name not in listed,
            hovertemplate=f"{name}<br>N %{{x:.3g}}<br>loss %{{y:.4f}} nats/token<extra></extra>",
            **place,
        )
        listed.add(name)
        curve = np.polyval(group.curve, np.log(fine))
        figure.add_scatter(
            x=fine,
            y=curve,
            mode="lines",
            line={"color": colour, "width": 1},
            showlegend=False,
            hoverinfo="skip",
            **place,
        )
        if np.isfinite(group.parabola.n):
            figure.add_scatter(
                x=[group.parabola.n],
                y=[group.parabola.loss],
                mode="markers",
                marker={"color": colour, "symbol": "x", "size": 10},
                showlegend=False,
                hovertemplate=f"{name}: lowest at N %{{x:.3g}}<extra></extra>",
                **place,
            )
    figure.update_xaxes(title="size N", **_log_axis(np.concatenate([group.sizes for group in groups])))
    figure.update_yaxes(title="loss, nats/token", col=1)
    figure = _styled(figure, one)
    return figure.update_layout(height=max(figure.layout.height, 200 + LEGEND_LINE * len(listed)))


def _log_axis(values: Values) -> dict[str, Any]:
    """A logarithmic axis with a tick at every power of ten, and at 2 and 5 times it where those are few."""
    low, high = float(values.min()), float(values.max())
    if low <= 0:
        return {}
    for steps in ((1, 2, 5), (1,)):
        ticks = [m * 10.0**k for k in range(int(np.log10(low)) - 1, int(np.log10(high)) + 2) for m in steps]
        ticks = [tick for tick in ticks if 0.9 * low <= tick <= 1.1 * high]
        if len(ticks) <= TICKS:
            break
    return {"type": "log", "tickvals": ticks, "ticktext": [count_text(tick) for tick in ticks]}


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"


def _end(value: float | None) -> str:
    return "open" if value is None else f"{value:.4g}"


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
