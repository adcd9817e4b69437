"""Counterparts of the figures of Yun et al. 2024: the same axes with a published law and this package's cost models.

The paper's Fig. 7 draws an MoE layer and has no counterpart. Sizes are the corresponding dense size N, as in the paper.
"""

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from moeconomics.laws import DEFAULT_LAW, Law, get_law
from moeconomics.planning import bounded_cost, bounded_loss, loss_optimal
from moeconomics.reports.theme import (
    ACCENT,
    NEUTRAL,
    SECOND,
    SYMBOLS,
    colour_of,
    curve,
    experts_axis,
    label_of,
    log_axis,
    scale_colour,
    styled,
)
from moeconomics.reports.trilemma import trilemma
from moeconomics.reproduction import EXPERTS, Abstract, Question, Setting, Shaped
from moeconomics.shapes import counts, get_architecture, ladder, load_models
from moeconomics.units import Array, count_text

PAPER_BUDGET = 5.15e21
TABLE_1 = ((81_395_712, 768, 12), (184_064_768, 896, 14), (289_406_976, 1024, 16), (679_477_248, 1536, 16))
SWEEP_TOKENS = (2.5e9, 5e9, 10e9, 20e9)
BASES = (1, 4)
LOSS, USD, PARAMETERS, FLOPS = "nats/token", "USD per million output tokens", "parameters", "training FLOPs, 6ND"
RATIO = "size / base's"


def reproduction_figures(
    law: str = DEFAULT_LAW, cost_model: str = "paper", gpu: str = "A100-SXM-40GB"
) -> dict[str, go.Figure]:
    """Every figure by file name. Errors: `BadInput` for an unknown name."""
    setting = Shaped(cost_model=cost_model, gpu=gpu)
    question = Question(get_law(law), setting, "6nd")
    return {
        "fig1-loss-against-experts": _loss_against_experts(question.law),
        "fig2-cost-against-size": _cost_against_size(setting),
        "fig3-trilemma": _trilemma(question),
        "fig4-loss-cost": _loss_cost(question),
        "fig5-bounded-loss": _bounded(question, "bounded_loss"),
        "fig6-bounded-cost": _bounded(question, "bounded_cost"),
        "fig8-cache-against-size": _cache_against_size(),
    }


def _loss_against_experts(law: Law) -> go.Figure:
    figure = make_subplots(
        rows=1, cols=len(SWEEP_TOKENS), shared_yaxes=True, horizontal_spacing=0.03,
        subplot_titles=[f"D = {count_text(tokens)} tokens" for tokens in SWEEP_TOKENS],
    )  # fmt: skip
    fine = np.geomspace(EXPERTS[0], EXPERTS[-1], 60)
    for column, tokens in enumerate(SWEEP_TOKENS, start=1):
        for row, (size, *_) in enumerate(TABLE_1):
            colour = scale_colour(row / (len(TABLE_1) - 1))
            name = f"N = {count_text(size)}"
            for experts, mode in ((fine, "lines"), (np.array(EXPERTS), "markers")):
                values = Abstract().variables(law.variables, np.array(float(size)), experts, np.array(tokens), "6nd")
                figure.add_scatter(
                    x=experts, y=law.loss_of(law.coefficients, values), mode=mode, name=name,
                    line={"color": colour, "dash": "dot"}, marker={"color": colour, "symbol": SYMBOLS[row]}, row=1,
                    col=column, showlegend=column == 1 and mode == "markers", legendgroup=str(size),
                    hovertemplate=f"{name}, E = %{{x:.3g}}<br>%{{y:.4f}} {LOSS}<extra></extra>",
                )  # fmt: skip
    figure.update_xaxes(title="experts E (log)", **experts_axis(EXPERTS))
    figure.update_yaxes(title=f"loss, {LOSS}", col=1)
    return styled(
        figure,
        "Loss against experts at the sizes and tokens of the paper's sweep (Fig. 1)",
        f"law {law.name}, not fitted to these runs, whose losses are not published; markers: the sweep's numbers of "
        "experts",
        width=1100,
    )


def _cost_against_size(setting: Setting) -> go.Figure:
    """A curve ends where no number of GPUs holds the model."""
    figure = go.Figure()
    sizes = np.geomspace(*setting.sizes, 900)
    shown = []
    for experts in EXPERTS:
        n = _n(setting, sizes)
        usd = setting.cost(sizes, np.full(sizes.shape, experts)) * 1e6
        keep = (n >= 5e8) & (n <= 3e10) & np.isfinite(usd)
        curve(figure, experts, n[keep], usd[keep], (PARAMETERS, USD))
        shown.append(usd[keep])
    figure.update_xaxes(title="size N, parameters (log)", **log_axis((5e8, 3e10)))
    figure.update_yaxes(title=f"{USD} (log)", **log_axis(np.concatenate(shown)))
    return styled(figure, "Serving cost against size (Fig. 2)", _note(setting))


def _trilemma(question: Question) -> go.Figure:
    budgets = np.geomspace(3e20, 1e22, 25)
    size_EB = loss_optimal(question.trade, budgets, question.case_ME1[0])
    loss_EB = question.trade.loss_under(budgets, size_EB, question.case_ME1[0])
    usd_EB = 1e6 * question.trade.cost(size_EB, question.case_ME1[0])
    return styled(
        trilemma(EXPERTS, budgets, loss_EB, usd_EB),
        "Loss, training and serving cost of loss-optimal models (Fig. 3)",
        _note(question.setting, question),
        width=1100,
        height=400,
    )


def _loss_cost(question: Question) -> go.Figure:
    """Each curve holds the sizes up to a third above the loss-optimal one, which is marked."""
    figure = go.Figure()
    best_E = loss_optimal(question.trade, np.array(PAPER_BUDGET), question.case_ME1[0, :, 0])
    shown = []
    for row, experts in enumerate(EXPERTS):
        case = question.case_ME1[0, row]
        # Sizes are widths: N grows with their third power.
        sizes = best_E[row] * np.append(np.geomspace(0.4, 1.1, 160), 1.0)
        loss = question.trade.loss_under(np.array(PAPER_BUDGET), sizes, case)
        usd = 1e6 * question.trade.cost(sizes, case)
        keep = np.isfinite(usd[:-1])
        curve(figure, experts, usd[:-1][keep], loss[:-1][keep], (USD, LOSS))
        figure.add_scatter(
            x=usd[-1:], y=loss[-1:], mode="markers", showlegend=False, legendgroup=label_of(experts),
            marker={"color": colour_of(experts), "size": 11},
            hovertemplate=f"{label_of(experts)}, loss-optimal<br>%{{x:.4g}} {USD}<br>%{{y:.4f}} {LOSS}<extra></extra>",
        )  # fmt: skip
        shown.append(usd[np.isfinite(usd)])
    figure.update_xaxes(title=f"{USD} (log)", **log_axis(np.concatenate(shown)))
    figure.update_yaxes(title=f"loss, {LOSS}")
    return styled(
        figure,
        f"Loss against serving cost, {PAPER_BUDGET:.3g} training FLOPs (Fig. 4)",
        f"dots: loss-optimal, to their left over-trained; {_note(question.setting, question)}",
    )


def _bounded(question: Question, rule: str) -> go.Figure:
    """Rows: base; left what is bought, right the size over the base's optimum."""
    solve: Callable[..., Array] = {"bounded_loss": bounded_loss, "bounded_cost": bounded_cost}[rule]
    left, heading = {
        "bounded_loss": ("cost / base's", "Lowest serving cost at the loss of a loss-optimal base (Fig. 5)"),
        "bounded_cost": (
            "loss − base's, nats/token",
            "Lowest loss at the serving cost of a loss-optimal base (Fig. 6)",
        ),
    }[rule]
    budgets = np.geomspace(2e21, 1e22, 9)
    names = [f"{words}, base {label_of(base)}" for base in BASES for words in (left.split(",")[0], RATIO)]
    figure = make_subplots(rows=2, cols=2, subplot_titles=names, vertical_spacing=0.16, horizontal_spacing=0.12)
    trade, cases = question.trade, question.case_ME1[0]
    for row, base in enumerate(BASES, start=1):
        at = cases[EXPERTS.index(base)]
        optimum = loss_optimal(trade, budgets, at)
        size_EB = solve(trade, budgets, np.broadcast_to(at, cases.shape), cases)
        bought_EB = (
            trade.cost(size_EB, cases) / trade.cost(optimum, at)
            if rule == "bounded_loss"
            else trade.loss_under(budgets, size_EB, cases) - trade.loss_under(budgets, optimum, at)
        )
        ratio_EB = _n(question.setting, size_EB) / _n(question.setting, optimum)
        for experts in (e for e in EXPERTS if e > base):
            index = EXPERTS.index(experts)
            curve(figure, experts, budgets, bought_EB[index], (FLOPS, left), row=row, col=1, listed=row == 1)
            curve(figure, experts, budgets, ratio_EB[index], (FLOPS, RATIO), row=row, col=2, listed=False)
        figure.update_yaxes(title=left, rangemode="tozero", row=row, col=1)
        figure.update_yaxes(title=RATIO, rangemode="tozero", tickformat=".0%", row=row, col=2)
    if rule == "bounded_loss":
        figure.update_yaxes(tickformat=".0%", col=1)
    # Room at the left keeps the first label off the vertical axis's 0.
    figure.update_xaxes(range=np.log10([1.7e21, 1.1e22]).tolist(), **log_axis(budgets, scientific=True))
    figure.update_xaxes(title=f"{FLOPS} (log)", row=2)
    return styled(figure, heading, _note(question.setting, question), width=1000, height=640)


def _cache_against_size() -> go.Figure:
    """h·l decides the KV cache of MHA: 2·h·l elements a token."""
    shapes = [(model.name, model.shape) for model in load_models().values() if np.all(model.shape.n_experts == 1)]
    made = ladder(get_architecture("yun2024"), np.geomspace(1e8, 1e11, 25), 50_304).shapes(1)
    named = [
        ("this package's ladder", counts(made).n_total_non_embedding, made.d_model * made.n_layers, None, ACCENT),
        (
            "public dense models",
            np.array([float(counts(shape).n_total_non_embedding) for _, shape in shapes]),
            np.array([float(shape.d_model * shape.n_layers) for _, shape in shapes]),
            [name for name, _ in shapes],
            SECOND,
        ),
        (
            "the paper's Table 1",
            *np.array([(n, h * layers) for n, h, layers in TABLE_1], dtype=float).T,
            None,
            NEUTRAL,
        ),
    ]
    figure = go.Figure()
    for (name, n, hl, text, colour), symbol in zip(named, ("circle-open", "diamond", "square"), strict=True):
        figure.add_scatter(
            x=n ** (2 / 3), y=hl, name=name, mode="markers", text=text or [name] * len(n),
            marker={"color": colour, "symbol": symbol, "size": 9},
            hovertemplate="%{text}<br>h·l %{y:.4g} (width times layers)<extra></extra>",
        )  # fmt: skip
    _, n, hl, *_ = named[0]
    factor = float(np.exp(np.mean(np.log(hl / n ** (2 / 3)))))
    ends = np.array([5e7, 2e11]) ** (2 / 3)
    figure.add_scatter(
        x=ends,
        y=factor * ends,
        mode="lines",
        name=f"h·l = {factor:.3g}·N^(2/3)",
        line={"color": ACCENT, "dash": "dot"},
        hoverinfo="skip",
    )
    slope = float(np.polyfit(np.log(n), np.log(hl), 1)[0])
    figure.update_xaxes(title="N^(2/3), N without embeddings (log)", type="log", dtick=1, exponentformat="power")
    figure.update_yaxes(title="h·l: width times layers (log)", type="log", dtick=1, exponentformat="power")
    return styled(
        figure,
        "Width times depth against size (Fig. 8)",
        f"on the ladder h·l grows as N^{slope:.2f}; the paper: 2/3",
    )


def _n(setting: Setting, size: Array) -> Array:
    """The corresponding dense size."""
    return setting.flops_per_token(size, np.ones(np.shape(size), dtype=int), "6nd") / 6


def _note(setting: Setting, question: Question | None = None) -> str:
    law = "" if question is None else f"law {question.law.name}; "
    return f"{law}cost model {setting.name}, ShareGPT traffic, up to 8 GPUs; modelled, not measured"
