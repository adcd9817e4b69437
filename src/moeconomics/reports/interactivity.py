"""The chart of throughput against interactivity, as the field draws it."""

import numpy as np
import plotly.graph_objects as go

from moeconomics.reports.theme import NEUTRAL, colour_of, log_axis, styled
from moeconomics.serving import Frontier


def interactivity_figure(points: Frontier, title: str) -> go.Figure:
    """Output tokens/s of a GPU against those of a user: every operating point, and a line through the best.

    A number of GPUs has one colour in every figure of this kind.
    """
    figure = go.Figure()
    for gpus in np.unique(points.gpus):
        for mode, symbol in (("aggregated", "circle"), ("disaggregated", "x")):
            here = (points.gpus == gpus) & (points.mode == mode)
            if not here.any():
                continue
            figure.add_scatter(
                x=points.tok_s_per_user[here],
                y=points.tok_s_per_gpu[here],
                mode="markers",
                name=f"{gpus} GPU{'s' if gpus > 1 else ''}, {mode}",
                marker={"color": colour_of(int(gpus)), "symbol": symbol, "opacity": 0.75},
                customdata=np.stack(
                    [points.layout[here], points.batch[here].astype(str), points.usd_per_mtok_output[here].round(3)],
                    axis=-1,
                ),
                hovertemplate=(
                    "%{customdata[0]} parallel, batch %{customdata[1]}<br>%{y:.4g} tokens/s per GPU<br>"
                    "%{x:.4g} tokens/s per user<br>%{customdata[2]} USD per million output tokens<extra></extra>"
                ),
            )
    order = np.argsort(points.tok_s_per_user[points.best])
    figure.add_scatter(
        x=points.tok_s_per_user[points.best][order],
        y=points.tok_s_per_gpu[points.best][order],
        mode="lines",
        name="best",
        line={"color": NEUTRAL},
        hovertemplate="best: %{y:.4g} tokens/s per GPU<br>%{x:.4g} tokens/s per user<extra></extra>",
    )
    figure.update_xaxes(title="output tokens/s per user (log)", **log_axis(points.tok_s_per_user))
    figure.update_yaxes(title="output tokens/s per GPU (log)", **log_axis(points.tok_s_per_gpu))
    return styled(figure, title, height=540)
