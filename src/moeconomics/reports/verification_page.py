"""The report of a verification: what a plan predicted, and what its models then did."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from moeconomics.reports.page import Cell, Chart, Number, Page, Table
from moeconomics.reports.theme import NEUTRAL, colour_of, styled
from moeconomics.units import count_text
from moeconomics.verification import BASE, Outcome, Trial, name_of

PROVENANCE = {
    "loss predicted": "fitted: the plan's law; interval from its draws",
    "loss measured": "measured: nats/token on validation documents, mean over the seeds",
    "cost predicted": "modelled: the plan's cost model; its band",
    "cost measured": "measured: tokens/s in vLLM with more requests waiting than run, at the plan's price",
}


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """A predicted number with its interval and a measured one with its own, of one model."""

    model: Trial
    predicted: float
    interval: tuple[float | None, float | None]
    measured: float
    measured_interval: tuple[float | None, float | None]


def verification_page(outcome: Outcome) -> Page:
    """The comparison as a page."""
    chosen, base = outcome.pair(BASE)
    quality, cost, both, *_ = outcome.claims()
    half = outcome.loss_half_width
    return Page(
        title="What the plan predicted, and what was measured",
        sentence=(
            f"{both.claim[0].upper()}{both.claim[1:]}: {both.verdict} here. The {name_of(chosen)} model costs "
            f"{chosen.usd / base.usd:.1%} of the {name_of(base)} one to serve and its loss "
            f"differs by {quality.measured:+.4f} nats/token ({quality.why})."
        ),
        details=outcome.reasons(),
        numbers=(
            Number(
                label="loss of the recommended model, nats/token",
                value=f"{chosen.loss:.3f}" + ("" if half is None else f" ± {half:.3f}"),
                interval=f"predicted {chosen.candidate.loss:.3f}"
                + _span(chosen.candidate.loss_low, chosen.candidate.loss_high, ".3f"),
            ),
            Number(
                label="USD per million output tokens",
                value=f"{chosen.usd:.3g}",
                interval=f"predicted {chosen.candidate.usd_per_mtok_output:.3g}"
                + _span(chosen.candidate.usd_per_mtok_output_low, chosen.candidate.usd_per_mtok_output_high, ".3g"),
            ),
            Number(
                label=f"of the {name_of(base)} model's cost",
                value=f"{chosen.usd / base.usd:.1%}",
                interval=f"predicted {cost.predicted:.1%}; {cost.why}",
            ),
        ),
        charts=tuple(
            Chart(
                figure=figure, words=f"Per model, {what}: a circle is predicted with its interval, a diamond measured."
            )
            for what, figure in verification_figures(outcome).items()
        ),
        tables=(
            Table(
                title="Models",
                note="Parameters with embeddings; loss in nats/token, cost in USD per million output tokens.",
                columns=(
                    *("model", "E", "active", "total", "tokens", "epochs", "loss predicted", "low", "high"),
                    *("loss measured", "cost predicted", "low", "high", "cost measured", "tokens/s measured"),
                ),
                rows=[_row(one) for one in outcome.models],
            ),
            Table(
                title="Claims",
                columns=("claim", "claimed", "predicted", "measured", "low", "high", "verdict", "why"),
                rows=[
                    [c.claim, c.claimed, c.predicted, c.measured, c.measured_low, c.measured_high, c.verdict, c.why]
                    for c in outcome.claims()
                ],
            ),
        ),
        provenance={**PROVENANCE, **{name.replace("_", " "): words for name, words in outcome.facts.items()}},
        warnings=(
            "One seed of each model: the losses measured have no interval."
            if half is None
            else f"{outcome.seeds} seeds of each model: a measured loss is their mean, with a 90 % interval by "
            f"Student's t and one spread for all models, {outcome.seed_sd:.4f} nats/token.",
            "One machine: the costs measured have only the interval of their repeats.",
            f"What is tested is this plan at its own scale: {count_text(chosen.candidate.n_active)} active parameters, "
            f"{chosen.candidate.train_flops:.3g} training FLOPs.",
        ),
    )


def verification_figures(outcome: Outcome) -> dict[str, go.Figure]:
    """Loss and cost, by what they show: each model's prediction above what was measured of it."""
    half = outcome.loss_half_width
    losses = [
        _Pair(
            model=one,
            predicted=one.candidate.loss,
            interval=(one.candidate.loss_low, one.candidate.loss_high),
            measured=one.loss,
            measured_interval=(None, None) if half is None else (one.loss - half, one.loss + half),
        )
        for one in outcome.models
    ]
    costs = [
        _Pair(
            model=one,
            predicted=one.candidate.usd_per_mtok_output,
            interval=(one.candidate.usd_per_mtok_output_low, one.candidate.usd_per_mtok_output_high),
            measured=one.usd,
            measured_interval=(one.usd_per_mtok(one.tok_s_high), one.usd_per_mtok(one.tok_s_low)),
        )
        for one in outcome.models
    ]
    return {
        "loss": _figure("Loss, predicted and measured", "lines: 90 % intervals", "nats/token", losses),
        "cost": _figure(
            "Serving cost, predicted and measured",
            "lines: band of the prediction, extremes of the repeats",
            "USD/Mtok output",
            costs,
        ),
    }


def _figure(title: str, note: str, unit: str, pairs: Sequence[_Pair]) -> go.Figure:
    figure = go.Figure()
    for pair in pairs:
        name = name_of(pair.model)
        colour = colour_of(pair.model.candidate.experts)
        points = [
            ("predicted", pair.predicted, pair.interval, "circle-open", NEUTRAL),
            ("measured", pair.measured, pair.measured_interval, "diamond", colour),
        ]
        for kind, value, (low, high), symbol, shade in points:
            bars = {} if low is None or high is None else {"array": [high - value], "arrayminus": [value - low]}
            figure.add_scatter(
                x=[value],
                y=["<br>".join([*name.split(), kind])],  # short lines leave room on a phone
                mode="markers",
                marker={"symbol": symbol, "size": 12, "color": shade},
                error_x={"visible": bool(bars), "color": shade, "thickness": 2, **bars},
                hovertemplate=f"{name}, {kind}<br>%{{x:.4g}} {unit}<extra></extra>",
            )
    figure.update_xaxes(title=unit)
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(showlegend=False)
    return styled(figure, title, note, height=420)


def _row(one: Trial) -> list[Cell]:
    plan = one.candidate
    sizes: list[Cell] = [(value, count_text(value)) for value in (plan.n_active, plan.n_total, one.tokens)]
    return [
        name_of(one),
        plan.experts,
        *sizes,
        one.tokens / one.unique_tokens,
        plan.loss,
        plan.loss_low,
        plan.loss_high,
        one.loss,
        plan.usd_per_mtok_output,
        plan.usd_per_mtok_output_low,
        plan.usd_per_mtok_output_high,
        one.usd,
        one.tok_s,
    ]


def _span(low: float | None, high: float | None, form: str) -> str:
    return ", without interval" if low is None or high is None else f", {low:{form}} to {high:{form}}"
