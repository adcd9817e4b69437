"""The report of a fit: which law, how well it holds the runs, what they do not say, and what it would decide."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from moeconomics.errors import BadInput
from moeconomics.fit import (
    Comparison,
    Decision,
    Fit,
    Holdout,
    Identification,
    Interval,
    IsoFlop,
    NextRun,
    Optimum,
    decision_of,
    exponents,
)
from moeconomics.fit.rows import SIZES
from moeconomics.laws import INTERVAL_PERCENTILES
from moeconomics.reports.page import Cell, Chart, Number, Page, Table
from moeconomics.units import count_text

AHEAD = 10.0  # the loss is told for this many times the largest compute of the data
RUNS = 200  # most runs in the table, those with the largest residuals
WORDS = {
    "predicted": "The loss of each run as measured and as the law has it; on the dashed line they are equal.",
    "residuals": "What the fit leaves over, against each of the law's variables: a slope or a bow is what the law's "
    "form can not follow.",
    "intervals": "Each coefficient's interval within its allowed range (of the logarithm where that is fitted); "
    "one that fills its range is not identified by these runs.",
    "isoflop": "Loss against size at equal compute, with a parabola through each group and its lowest point.",
    "experts": "Measured losses, the fitted law (dotted) and its 90 % interval over the number of experts.",
}


def fit_page(
    one: Fit,
    identified: Identification,
    profiles: Mapping[str, Interval],
    figures: Mapping[str, go.Figure],
    *,
    groups: Sequence[IsoFlop],
    scores: Sequence[Holdout],
    compared: tuple[list[Comparison], str] | None,
    proposed: tuple[Decision, list[NextRun]] | None,
    warnings: Sequence[str],
    runs: str,
    sha256: str,
) -> Page:
    """A fit as a page. `runs`: where the table is from, `sha256`: its content's hash; `figures` by `fit_figures`."""
    law, missing = one.rows.law, identified.not_identified
    charts = {name: Chart(figure=figure, words=WORDS[name]) for name, figure in figures.items()}
    first = charts.pop("predicted")
    says = "every coefficient is identified" if not missing else f"not identified: {', '.join(missing)}"
    state = "" if one.converged else "NOT CONVERGED: the solver ran out of steps. "
    return Page(
        title=f"{law.name} fitted to {len(one.rows)} runs",
        sentence=(
            f"{state}{law.name} holds the loss of {len(one.rows)} runs to an RMSLE of {one.rmsle:.3g}, about "
            f"{100 * one.rmsle:.2g} % of a loss; of its {len(one.space.names)} coefficients {says}."
        ),
        details=_details(one, identified, groups, compared),
        numbers=(_typical(one), _ahead(one), _decided(one)),
        charts=(first,),
        tables=[
            table for table in _tables(one, identified, profiles, groups, scores, compared, proposed) if table.rows
        ],
        more=list(charts.values()),
        provenance={
            "runs (measured)": f"{runs}, {len(one.rows)} rows with a loss in nats/token; sha256 {sha256}",
            "form of the law": f"{law.formula}; {law.source}",
            "coefficients (fitted)": (
                "sum of squared log errors"
                if one.delta is None
                else f"sum of Huber losses of ln loss, δ = {one.delta:g}"
            )
            + f", BFGS from {one.starts} starts",
            "intervals (fitted)": (
                f"90 %: wild bootstrap over runs, {len(next(iter(one.draws.values())))} draws" if one.draws else "90 %"
            )
            + "; profile: how far one coefficient moves while the others make the best of it",
        },
        warnings=warnings or ("Nothing in the data speaks against this fit.",),
    )


def _typical(one: Fit) -> Number:
    low, high = 100 * np.percentile(one.residuals(), INTERVAL_PERCENTILES)
    return Number(
        label="RMSLE, root mean square of ln fitted/measured",
        value=f"{one.rmsle:.3g}",
        interval=f"90 % of the runs: fitted {low:+.2g} % to {high:+.2g} % of the measured loss",
    )


def _ahead(one: Fit) -> Number:
    """The loss of the run of most compute with size and tokens grown alike."""
    label = (
        f"{one.rows.law.loss_unit} expected at {AHEAD:g} times the compute of the largest run, size and tokens alike"
    )
    if not np.isfinite(one.rows.compute).all():
        return Number(label=label, value="n/a", interval="the runs' compute is not known")
    largest = int(np.argmax(one.rows.compute))
    grown = {
        name: float(values[largest]) * (np.sqrt(AHEAD) if name in (*SIZES, "tokens", "unique_tokens") else 1.0)
        for name, values in one.rows.variables.items()
    }
    loss = float(one.rows.law.loss_of(one.coefficients, grown))
    if not one.draws:
        return Number(label=label, value=f"{loss:.4g}", interval="no interval: no bootstrap was asked for")
    low, high = np.percentile(one.rows.law.loss_of(one.draws, grown), INTERVAL_PERCENTILES)
    return Number(label=label, value=f"{loss:.4g}", interval=f"{low:.4g} to {high:.4g}, 90 % of the bootstrap's draws")


def _decided(one: Fit) -> Number:
    """What the law would decide, as `decision_of` puts it."""
    try:
        decision = decision_of(one)
    except BadInput:
        reason = "no bootstrap was asked for" if not one.draws else "the law has no size and tokens to choose"
        return Number(label="size to train", value="n/a", interval=f"not known: {reason}")
    low, middle, high = (
        count_text(float(end)) for end in np.exp(np.percentile(decision.answer, (INTERVAL_PERCENTILES[0], 50, 95)))
    )
    return Number(
        label=f"parameters: {decision.question}", value=middle, interval=f"{low} to {high}, 90 % of the draws"
    )


def _details(
    one: Fit,
    identified: Identification,
    groups: Sequence[IsoFlop],
    compared: tuple[list[Comparison], str] | None,
) -> list[str]:
    lines = [
        f"Of {one.starts} starts, {one.share_best:.0%} of those that went on reach the best objective, "
        f"{one.objective:.7g}.",
        f"The scaled condition number of the Jacobian is {identified.condition:.3g}.",
    ]
    if compared is not None:
        lines.append(f"Against other laws: {compared[1]}.")
    for found in exponents(list(groups)):
        lines.append(
            f"By isoFLOP groups{'' if np.isnan(found.experts) else f' of E = {found.experts:g}'}, {found.method}: the "
            f"best size grows as compute to the power {found.a:.3f} ({found.low:.3f} to {found.high:.3f})."
        )
    return lines


def _tables(
    one: Fit,
    identified: Identification,
    profiles: Mapping[str, Interval],
    groups: Sequence[IsoFlop],
    scores: Sequence[Holdout],
    compared: tuple[list[Comparison], str] | None,
    proposed: tuple[Decision, list[NextRun]] | None,
) -> list[Table]:
    worst = np.argsort(-np.abs(one.residuals()))[:RUNS]
    variables = one.rows.variables
    return [
        Table(
            title="Coefficients",
            note="90 % intervals: bootstrap over runs, and profile; open is an end that does not close in the range.",
            columns=("name", "estimate", "low", "high", "profile low", "profile high", "identified"),
            rows=[
                [
                    name,
                    _small(one, name, value),
                    *(_small(one, name, end) for end in one.intervals.get(name, (None, None))),
                    *("open" if end is None else _small(one, name, end) for end in profiles[name]),
                    f"no: {identified.not_identified[name]}" if name in identified.not_identified else "yes",
                ]
                for name, value in one.coefficients.items()
            ],
        ),
        Table(
            title="Held out",
            note="Fitted without these rows, the law's error on them; RMSLE is about the relative error.",
            columns=("kind", "rows fitted", "RMSLE", "rows held out", "RMSLE there"),
            rows=[
                [score.kind, score.n_train, _known(score.rmsle_train), score.n_test, _known(score.rmsle_test)]
                for score in scores
            ],
        ),
        Table(
            title="Laws compared",
            columns=("law", "RMSLE", "AIC", "RMSLE held out"),
            rows=[
                [score.law, score.rmsle, _known(score.aic), _known(score.held_out.rmsle_test)]
                for score in (compared[0] if compared else ())
            ],
        ),
        Table(
            title="isoFLOP groups: size of lowest loss",
            note="Bias: the parabola on the fitted law's own losses at these sizes.",
            columns=(
                "E",
                "FLOPs",
                "runs",
                "parabola N",
                "low",
                "high",
                "direct N",
                "low",
                "high",
                "bias of the parabola",
            ),
            rows=[_group(group) for group in groups],
        ),
        Table(
            title=f"Next runs, to decide {proposed[0].question}" if proposed else "Next runs",
            note="Each given those above it; the size is known to within a factor.",
            columns=("run", "FLOPs", "factor before", "factor after"),
            rows=[
                [
                    ", ".join(f"{name} {_written(name, value)}" for name, value in run.variables.items()),
                    run.flops,
                    float(np.exp(run.deviation_before)),
                    float(np.exp(run.deviation_after)),
                ]
                for run in (proposed[1] if proposed else ())
            ],
        ),
        Table(
            title="Runs" if len(one.rows) <= RUNS else f"The {RUNS} runs farthest from the fit",
            note="Farthest from the fit first. Press a column's name to sort by it.",
            columns=("run", *variables, "measured", "fitted", "fitted − measured, %"),
            rows=[
                [
                    one.rows.names[row],
                    *((float(values[row]), _written(name, values[row])) for name, values in variables.items()),
                    float(one.rows.loss[row]),
                    float(one.rows.loss[row] * np.exp(one.residuals()[row])),
                    float(100 * np.expm1(one.residuals()[row])),
                ]
                for row in worst
            ],
        ),
    ]


def _group(one: IsoFlop) -> list[Cell]:
    optima = [cell for found in (one.parabola, one.direct) for cell in _optimum(found)]
    return [_known(one.experts), one.flops, int(one.sizes.size), *optima, _share(one.bias)]


def _optimum(one: Optimum) -> list[Cell]:
    return [None if np.isnan(size) else (float(size), count_text(size)) for size in (one.n, one.low, one.high)]


def _written(name: str, value: float) -> str:
    return f"{value:g}" if name == "experts" else count_text(float(value))


def _share(value: float) -> Cell:
    return None if np.isnan(value) else (value, f"{value:+.1%}")


def _known(value: float) -> Cell:
    return value if np.isfinite(value) else None


def _small(one: Fit, name: str, value: float | None) -> Cell:
    """A coefficient; what is nothing beside an allowed range that begins at 0 is 0."""
    column = one.space.names.index(name)
    if value is not None and not one.space.log[column]:
        nothing = 1e-9 * (one.space.high[column] - one.space.low[column])
        return 0.0 if abs(value) < nothing else value
    return value
