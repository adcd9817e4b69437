"""The report of a plan: what to train, for what loss and cost, and what could change it."""

from moeconomics.planning import Candidate, Plan, Variation
from moeconomics.reports.loss_cost import loss_cost_figure
from moeconomics.reports.page import Cell, Chart, Number, Page, Table
from moeconomics.reports.trilemma import trilemma_figure
from moeconomics.units import count_text

COLUMNS = (
    "E",
    "rule",
    "base E",
    "active",
    "total",
    "tokens",
    "loss, nats/token",
    "USD/Mtok output",
    "low",
    "high",
    "GPUs",
)


def plan_page(made: Plan) -> Page:
    """The plan as a page."""
    best = made.recommended
    spread = made.problem.law.fit_error
    loss_interval = (
        f"no interval: {spread}"
        if best.loss_low is None
        else f"{best.loss_low:.4f} to {best.loss_high:.4f}, 90 % of the law's draws"
    )
    price_interval = (
        "no interval: the cost model makes none"
        if best.usd_per_mtok_output_low is None
        else f"{best.usd_per_mtok_output_low:.3g} to {best.usd_per_mtok_output_high:.3g}, the cost model's band"
    )
    order = list(made.candidates)
    return Page(
        title=f"What to train with {made.problem.train_flops:.3g} FLOPs",
        sentence=made.advice.sentence,
        details=(made.advice.reason, *made.advice.comparisons, f"What binds: {'; '.join(made.advice.binds)}"),
        numbers=(
            Number(label="loss, nats/token", value=f"{best.loss:.3f}", interval=loss_interval),
            Number(
                label="USD per million output tokens",
                value=f"{best.usd_per_mtok_output:.3g}",
                interval=price_interval,
            ),
            Number(
                label="training tokens",
                value=count_text(best.tokens),
                interval=f"exact: the budget over the FLOPs of a token, as {made.problem.flop_count} counts them",
            ),
        ),
        charts=(
            Chart(
                figure=trilemma_figure(made),
                words="What training, serving cost and loss buy of one another: loss-optimal models, a line for each "
                "number of experts. The star is the recommended model; off its line it is trained beyond its optimum.",
            ),
            Chart(
                figure=loss_cost_figure(made),
                words="Loss against serving cost, a line for each number of experts; all cost the same to train. "
                f"Recommended: {best.experts} experts, {count_text(best.n_active)} active parameters.",
            ),
        ),
        tables=(
            Table(
                title="Candidates",
                note="Parameters with embeddings. Press a column's name to sort by it.",
                columns=COLUMNS,
                rows=[_row(one) for one in order],
                marked=order.index(best),
            ),
            Table(
                title="If something else changes",
                columns=("what", "to", "experts", "dense size", "tokens", "USD/Mtok output", "note"),
                rows=[_variation(one) for one in (*made.sensitivity, *made.laws)],
            ),
        ),
        provenance=made.provenance,
        warnings=made.warnings,
    )


def _row(one: Candidate) -> list[Cell]:
    return [
        one.experts,
        one.rule.replace("_", "-"),
        one.base_experts,
        (one.n_active, count_text(one.n_active)),
        (one.n_total, count_text(one.n_total)),
        (one.tokens, count_text(one.tokens)),
        one.loss,
        one.usd_per_mtok_output,
        one.usd_per_mtok_output_low,
        one.usd_per_mtok_output_high,
        one.gpus,
    ]


def _variation(one: Variation) -> list[Cell]:
    size, tokens = (None if value is None else (value, count_text(value)) for value in (one.n_dense, one.tokens))
    return [one.what, one.value, one.experts, size, tokens, one.usd_per_mtok_output, one.note or ""]
