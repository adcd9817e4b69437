"""Figures of a fit: predicted against measured, residuals by variable, loss against experts (the paper's Fig. 1),
intervals of the coefficients, isoFLOP curves."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from moeconomics.fit import Fit, Interval, IsoFlop
from moeconomics.laws import INTERVAL_PERCENTILES
from moeconomics.reports.theme import (
    ACCENT,
    NEUTRAL,
    SECOND,
    SYMBOLS,
    colour_of,
    experts_axis,
    label_of,
    log_axis,
    pale,
    scale_colour,
    styled,
    symbol_of,
)
from moeconomics.units import count_text

CURVES = 8  # most sizes drawn in the figure of loss against experts
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
    figure.add_scatter(
        x=ends, y=ends, mode="lines", name="equal", line={"color": NEUTRAL, "dash": "dash"}, hoverinfo="skip"
    )
    for name, mask, marker in _kinds(one):
        figure.add_scatter(
            x=measured[mask],
            y=predicted[mask],
            mode="markers",
            name=name,
            text=np.array(one.rows.names)[mask],
            marker=marker,
            hovertemplate="%{text}<br>measured %{x:.4f} nats/token<br>fitted %{y:.4f} nats/token<extra></extra>",
        )
    figure.update_layout(xaxis_title="measured loss, nats/token", yaxis_title="fitted loss, nats/token")
    return _of(figure, one, "Fitted against measured loss")


def _residuals(one: Fit) -> go.Figure:
    names = list(one.rows.variables)
    figure = make_subplots(rows=1, cols=len(names), shared_yaxes=True, horizontal_spacing=0.03)
    for column, name in enumerate(names, start=1):
        values = one.rows.variables[name]
        for kind, mask, marker in _kinds(one):
            figure.add_scatter(
                x=values[mask],
                y=100 * one.residuals()[mask],
                mode="markers",
                name=kind,
                legendgroup=kind,
                showlegend=column == 1 and kind != "runs",
                text=np.array(one.rows.names)[mask],
                marker=marker,
                hovertemplate=f"%{{text}}<br>{name} %{{x:.4g}}<br>%{{y:.2f}} % of the loss<extra></extra>",
                row=1,
                col=column,
            )
        axis = experts_axis(values) if name == "experts" else log_axis(values)
        figure.update_xaxes(title=name, row=1, col=column, **axis)
    figure.update_yaxes(title="fitted − measured, % of loss", row=1, col=1)
    return _of(figure, one, "What the fit leaves over, by each variable")


def _kinds(one: Fit) -> Iterator[tuple[str, NDArray[np.bool_], dict[str, Any]]]:
    """The runs of each number of experts with their marker; all in one for a law without experts."""
    experts = one.rows.variables.get("experts")
    if experts is None:
        yield "runs", np.ones(len(one.rows), dtype=bool), {"color": ACCENT}
        return
    for number in np.unique(experts):
        yield label_of(number), experts == number, {"color": colour_of(number), "symbol": symbol_of(number)}


def _experts(one: Fit) -> go.Figure:
    """Loss against E at the most tokens of each size, with the fit."""
    size, experts = one.rows.size(), one.rows.variables["experts"]
    assert size is not None  # fit_figures asks first
    tokens = one.rows.variables.get("tokens", np.ones(len(one.rows)))
    figure = go.Figure()
    sizes = np.unique(size)
    sizes = sizes[np.linspace(0, len(sizes) - 1, min(CURVES, len(sizes))).round().astype(int)]
    for number, value in enumerate(sizes):
        at_size = size == value
        rows = at_size & (tokens >= tokens[at_size].max() * 0.999)
        colour = scale_colour(number / max(len(sizes) - 1, 1))
        name = f"N = {count_text(float(value))}"
        figure.add_scatter(
            x=experts[rows],
            y=one.rows.loss[rows],
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": SYMBOLS[number]},
            hovertemplate=f"{name}, E = %{{x:g}}<br>%{{y:.4f}} nats/token<extra></extra>",
        )
        grid = np.geomspace(1, experts.max(), 60)
        middle = {key: np.full(60, values[rows][0]) for key, values in one.rows.variables.items()}
        at = middle | {"experts": grid}
        if one.draws:
            columns = {key: values[:, None] for key, values in one.draws.items()}
            low, high = np.percentile(one.rows.law.loss_of(columns, at), INTERVAL_PERCENTILES, axis=0)
            hidden = {"x": grid, "mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
            figure.add_scatter(y=high, **hidden)
            figure.add_scatter(y=low, fill="tonexty", fillcolor=pale(colour), **hidden)
        figure.add_scatter(
            x=grid,
            y=one.rows.law.loss_of(one.coefficients, at),
            mode="lines",
            showlegend=False,
            line={"color": colour, "dash": "dot"},
            hovertemplate=f"the fit, {name}, E = %{{x:.3g}}<br>%{{y:.4f}} nats/token<extra></extra>",
        )
    figure.update_xaxes(title="experts E (log)", **experts_axis(experts))
    figure.update_yaxes(title="loss, nats/token")
    return _of(figure, one, "Loss against the number of experts, each size at its most tokens")


def _intervals(one: Fit, profiles: dict[str, Interval]) -> go.Figure:
    """Each coefficient's intervals within its allowed range; an open profile end is drawn to the range's end."""
    figure = go.Figure()
    names = list(one.space.names)

    def share(name: str, value: float) -> float:
        at = dict(one.coefficients) | {name: value}
        return float(one.space.shares([at[key] for key in names])[names.index(name)])

    kinds: list[tuple[str, str, dict[str, Interval]]] = [("profile", SECOND, profiles)]
    if one.draws:
        kinds.insert(0, ("bootstrap", ACCENT, dict(one.intervals)))
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
        marker={"color": NEUTRAL, "symbol": "line-ns-open", "size": 16, "line": {"width": 3}},
        text=[f"{name} = {value:.4g}" for name, value in one.coefficients.items()],
        name="estimate",
        hovertemplate="%{text}<extra></extra>",
    )
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, autorange="reversed", zeroline=False)
    figure.update_xaxes(range=[-0.02, 1.02], title="share of the allowed range")
    figure.update_layout(legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0})
    return _of(figure, one, "The coefficients' 90 % intervals")


def _isoflop(one: Fit, groups: list[IsoFlop]) -> go.Figure:
    """Loss against size at equal compute, one panel per number of experts, with parabolas and their minima."""
    experts = sorted({group.experts for group in groups if not np.isnan(group.experts)}) or [float("nan")]
    titles = ["" if np.isnan(number) else label_of(number) for number in experts]
    figure = make_subplots(rows=1, cols=len(experts), shared_yaxes=True, subplot_titles=titles)
    computes = sorted({group.flops for group in groups})
    listed: set[str] = set()
    for group in groups:
        column = 1 if np.isnan(group.experts) else experts.index(group.experts) + 1
        at = computes.index(group.flops)
        colour = scale_colour(at / max(len(computes) - 1, 1))
        fine = np.geomspace(group.sizes[0], group.sizes[-1], 80)
        name = f"{group.flops:.2g} FLOPs"
        place = {"row": 1, "col": column}
        figure.add_scatter(
            x=group.sizes,
            y=group.losses,
            mode="markers",
            marker={"color": colour, "symbol": SYMBOLS[at % len(SYMBOLS)]},
            name=name,
            legendgroup=name,
            showlegend=name not in listed,
            hovertemplate=f"{name}<br>N %{{x:.3g}}<br>loss %{{y:.4f}} nats/token<extra></extra>",
            **place,
        )
        listed.add(name)
        figure.add_scatter(
            x=fine,
            y=np.polyval(group.curve, np.log(fine)),
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
                marker={"color": colour, "symbol": "x-thin-open", "size": 12, "line": {"width": 3}},
                showlegend=False,
                hovertemplate=f"{name}: lowest at N %{{x:.3g}}<extra></extra>",
                **place,
            )
    figure.update_xaxes(title="size N (log)", **log_axis(np.concatenate([group.sizes for group in groups])))
    figure.update_yaxes(title="loss, nats/token", col=1)
    return _of(
        figure,
        one,
        "Loss against size at equal compute (crosses: lowest of the parabola)",
        height=max(500, 200 + LEGEND_LINE * len(listed)),
    )


def _end(value: float | None) -> str:
    return "open" if value is None else f"{value:.4g}"


def _of(figure: go.Figure, one: Fit, title: str, *, height: int = 500) -> go.Figure:
    note = f"{one.rows.law.name} fitted to {len(one.rows)} runs, RMSLE {one.rmsle:.3g}"
    return styled(figure, title, note, height=height)
