"""`moeconomics fit` and `moeconomics predict`. JAX is loaded when they run, not at every start."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from moeconomics.cli import options
from moeconomics.cli.output import console_status, print_json, say, table, write_files
from moeconomics.errors import BadInput
from moeconomics.laws import get_law
from moeconomics.runs import load_runs, write_runs
from moeconomics.units import count_text

if TYPE_CHECKING:
    from moeconomics.fit import Comparison, Decision, Fit, Holdout, Identification, NextRun

FIT, SCORE = "Fit", "Scores"

Runs = Annotated[
    str,
    typer.Argument(metavar="RUNS", help="Runs table (CSV, JSONL, parquet) or a public set's name.", show_default=False),
]


def fit(
    runs: Runs,
    law: Annotated[str, options.option("NAME", "Form to fit; see `moeconomics laws`.", FIT)] = "joint2025",
    output: Annotated[
        Path | None, options.option("FILE.json", "Write the fitted law.", FIT, "-o", "--output", default="nothing")
    ] = None,
    delta: Annotated[float, options.option("D", "Huber's delta on ln loss; 0 is the squared log error.", FIT)] = 1e-3,
    bootstrap: Annotated[
        int, typer.Option(metavar="N", min=0, max=100_000, help="Bootstrap draws.", rich_help_panel=FIT)
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.", rich_help_panel=FIT)] = 0,
    holdout: Annotated[
        list[str] | None,
        options.option(
            "KIND", "Score without the largest-compute, -n, -experts or latest-tokens runs.", SCORE, default="none"
        ),
    ] = None,
    compare: Annotated[
        list[str] | None,
        options.option("LAW", "Fit these laws too, and say which extrapolates best.", SCORE, default="none"),
    ] = None,
    next_runs: Annotated[
        int, typer.Option(metavar="N", min=0, max=20, help="Name the runs to add next.", rich_help_panel=SCORE)
    ] = 0,
    budget: Annotated[
        float | None, options.option("C", "Training FLOPs of the next runs in all.", SCORE, default="no limit")
    ] = None,
    plot: Annotated[
        Path | None,
        options.option("DIR", "Write the figures as HTML that opens offline.", options.OUTPUT, default="nothing"),
    ] = None,
    json: options.Json = False,
) -> None:
    """Fit a law to your own runs, with intervals, held-out scores and what the data can not say.

    Examples: `moeconomics fit runs.csv --law joint2025 --holdout largest-compute -o law.json`,
    `moeconomics fit runs.csv --law joint2025 --next-runs 3 --budget 1e19`
    """
    room = _room()
    if delta < 0 or not np.isfinite(delta):
        raise BadInput(f"delta {delta:g} must be 0 (squared log error) or a positive number such as 0.001")
    if budget is not None and not 0 < budget < np.inf:
        raise BadInput(f"budget {budget:g} must be a positive number of training FLOPs, as 1e19")
    frame = load_runs(runs)
    width = delta or None
    with console_status("fitting"):
        one = room.fit(room.rows_of(frame, get_law(law)), delta=width)
        if bootstrap:
            one = room.bootstrap(one, bootstrap, np.random.default_rng(seed))
        identified = room.identify(one)
        scores = [room.holdout(one, kind) for kind in holdout or []]
        compared: tuple[list[Comparison], str] | None = None
        missing = {name: room.identifying(one, name) for name in identified.not_identified}
        proposed = room.next_runs(one, next_runs, np.inf if budget is None else budget) if next_runs else None
        if compare:
            others = [room.fit(room.rows_of(frame, get_law(name)), delta=width) for name in compare if name != law]
            compared = room.compare([one, *others], holdout[0] if holdout else "largest-compute")
    if output is not None:
        content = room.fitted_file(one, room.sha256_of(frame)).model_dump_json()
        write_files(output.parent, {output.name: content + "\n"})
    if plot is not None:
        write_files(plot, _figures(one))
    if json:
        print_json(_answer(one, identified, scores, compared) | _proposals(missing, proposed))
    else:
        _print(one, identified, scores, compared)
        _print_proposals(missing, proposed)
        if output is not None:
            say(f"Written to {output}; plan with it: moeconomics plan --law {output}")


def predict(
    law: Annotated[str, typer.Argument(metavar="LAW", help="Fitted-law file, or a law's name.", show_default=False)],
    points: Annotated[
        Path, typer.Option("--csv", metavar="POINTS", help="Points in the runs format.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Table to write.", show_default=False)],
) -> None:
    """Predict losses of given points: adds pred_loss, pred_low, pred_high (90 %) and extrapolated.

    Example: `moeconomics predict law.json --csv points.csv -o out.csv`
    """
    found = _room().predict(get_law(law), load_runs(str(points)))
    write_runs(found, output)
    outside = int(found["extrapolated"].sum())
    say(f"{found.height} predictions written to {output}; {outside} outside the data of the law.")


def _figures(one: "Fit") -> dict[str, str]:
    from moeconomics.reports.fit_figures import fit_figures

    return {f"{name}.html": figure.to_html(include_plotlyjs=True) for name, figure in fit_figures(one).items()}


def _room() -> Any:
    try:
        import moeconomics.fit as room
    except ModuleNotFoundError as error:
        raise BadInput(f"fitting needs {error.name}: pip install 'moeconomics[fit]'") from error
    return room


def _words(one: "Fit") -> str:
    state = "converged" if one.converged else "NOT CONVERGED: the solver ran out of steps"
    return f"{state}; of {one.starts} starts, {one.share_best:.0%} of those that went on reach the best objective"


def _warnings(one: "Fit", identified: "Identification") -> list[str]:
    warnings = list(one.rows.notes)
    warnings += [f"{name} ends at the {end} end of its range" for name, end in one.at_ends.items()]
    warnings += [f"{name} is not identified by this data: {why}" for name, why in identified.not_identified.items()]
    outliers = one.outliers()
    if outliers:
        warnings.append(f"{len(outliers)} outliers, kept in the fit: {', '.join(outliers[:10])}")
    if not one.converged:
        warnings.append("the solver did not converge")
    return warnings


def _answer(
    one: "Fit", identified: "Identification", scores: "list[Holdout]", compared: "tuple[list[Comparison], str] | None"
) -> dict[str, Any]:
    return {
        "law": one.rows.law.name,
        "parameters": one.coefficients,
        "intervals": {name: list(ends) for name, ends in one.intervals.items()},
        "rmsle": one.rmsle,
        "objective": one.objective,
        "aic": one.aic,
        "n_rows": len(one.rows),
        "convergence": _words(one),
        "share_best": one.share_best,
        "condition": identified.condition,
        "correlation": {
            name: dict(zip(one.space.names, map(float, row), strict=True))
            for name, row in zip(one.space.names, identified.correlation, strict=True)
        },
        "not_identified": identified.not_identified,
        "outliers": list(one.outliers()),
        "holdout": {
            score.kind: {
                "rmsle_train": score.rmsle_train,
                "rmsle_test": score.rmsle_test,
                "n_train": score.n_train,
                "n_test": score.n_test,
            }
            for score in scores
        },
        "compare": None
        if compared is None
        else {
            "verdict": compared[1],
            "laws": [
                {"law": score.law, "rmsle": score.rmsle, "aic": score.aic, "rmsle_test": score.held_out.rmsle_test}
                for score in compared[0]
            ],
        },
        "warnings": _warnings(one, identified),
    }


def _proposals(
    missing: "dict[str, NextRun | None]", proposed: "tuple[Decision, list[NextRun]] | None"
) -> dict[str, Any]:
    return {
        "identified_by": {name: None if run is None else asdict(run) for name, run in missing.items()},
        "decision": None if proposed is None else proposed[0].question,
        "next_runs": None if proposed is None else [asdict(run) for run in proposed[1]],
    }


def _print_proposals(missing: "dict[str, NextRun | None]", proposed: "tuple[Decision, list[NextRun]] | None") -> None:
    for name, run in missing.items():
        if run is None:
            say(f"No single run within reach would identify {name}.", "yellow")
        else:
            say(f"A run that would tell most of {name}: {_words_of(run)}.", "yellow")
    if proposed is not None:
        decision, found = proposed
        say(f"\nNext runs, to decide {decision.question}", "bold")
        rows = [
            [
                _words_of(run),
                "n/a" if run.flops is None else f"{run.flops:.3g}",
                f"{np.expm1(run.deviation_before):.0%}",
                f"{np.expm1(run.deviation_after):.0%}",
            ]
            for run in found
        ]
        table("Each given those above it", ["run", "FLOPs", "known to before", "and after"], rows)


def _words_of(run: "NextRun") -> str:
    return ", ".join(f"{name} {count_text(value)}" for name, value in run.variables.items())


def _print(
    one: "Fit", identified: "Identification", scores: "list[Holdout]", compared: "tuple[list[Comparison], str] | None"
) -> None:
    say(f"{one.rows.law.name}: {one.rows.law.formula}", "bold")
    say(f"{len(one.rows)} runs; {_words(one)}.\nObjective {one.objective:.7g}, RMSLE {one.rmsle:.4g}.\n")
    rows = [
        [
            name,
            f"{value:.6g}",
            *(f"{end:.4g}" for end in one.intervals.get(name, ())),
            *[""] * (0 if one.draws else 2),
            "not identified" if name in identified.not_identified else "",
        ]
        for name, value in one.coefficients.items()
    ]
    table("Coefficients with 90 % bootstrap intervals", ["name", "estimate", "low", "high", ""], rows)
    say(f"Scaled condition number of the Jacobian: {identified.condition:.3g}\n")
    if scores:
        held = [
            [one.kind, str(one.n_train), f"{one.rmsle_train:.4g}", str(one.n_test), f"{one.rmsle_test:.4g}"]
            for one in scores
        ]
        table("Held out", ["kind", "rows fitted", "RMSLE", "rows held out", "RMSLE there"], held)
    if compared is not None:
        shown = [
            [one.law, f"{one.rmsle:.4g}", f"{one.aic:.1f}", f"{one.held_out.rmsle_test:.4g}"] for one in compared[0]
        ]
        table("Laws", ["law", "RMSLE", "AIC", "RMSLE held out"], shown)
        say(compared[1], "bold")
    for warning in _warnings(one, identified):
        say(f"Note: {warning}", "yellow")
