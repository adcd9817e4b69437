"""The chart of throughput against interactivity, as the field draws it."""

import numpy as np
import plotly.graph_objects as go

from moeconomics.reports.loss_cost import COLOURS
from moeconomics.serving import Frontier

# A number of GPUs has the same colour in every figure of this kind.
GPU_COLOURS = dict(zip((1, 2, 4, 8, 16, 32, 64), COLOURS, strict=False))


def interactivity_figure(points: Frontier, title: str) -> go.Figure:
    """Output tokens/s of a GPU against those of a user: every operating point, and a line through the best."""
    figure = go.Figure()
    for gpus in np.unique(points.gpus):
        for mode, symbol in (("aggregated", "circle"), ("disaggregated", "x")):
            here = (points.gpus == gpus) & (points.mode == mode)
            figure.add_scatter(
                x=points.tok_s_per_user[here],
                y=points.tok_s_per_gpu[here],
                mode="markers",
                name=f"{gpus} GPU{'s' if gpus > 1 else ''}, {mode}",
                marker={"color": GPU_COLOURS.get(int(gpus), COLOURS[-1]), "symbol": symbol, "size": 6, "opacity": 0.6},
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
        line={"color": "#000000", "width": 2},
    )
    figure.update_layout(
        title=title,
        xaxis={"title": "output tokens/s per user (log scale)", "type": "log"},
        yaxis={"title": "output tokens/s per GPU (log scale)", "type": "log"},
        template="plotly_white",
        width=900,
        height=560,
    )
    return figure
