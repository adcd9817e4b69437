"""`moeconomics fit` and `moeconomics predict`. JAX is loaded when they run, not at every start."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from moeconomics.cli import options
from moeconomics.cli.fit_text import FitAnswer, answer_json, notes_of, print_fit
from moeconomics.cli.output import print_json, progress_bar, say, write_files
from moeconomics.errors import BadInput
from moeconomics.laws import get_law
from moeconomics.runs import load_runs, read_points, write_table

FIT, SCORE = "Fit", "Scores"
ADDED = ("pred_loss", "pred_low", "pred_high", "extrapolated")

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
    delta: Annotated[float, options.option("D", "Huber's delta on ln loss; 0: squared log error.", FIT)] = 1e-3,
    bootstrap: Annotated[
        int, typer.Option(metavar="N", min=0, max=100_000, help="Bootstrap draws.", rich_help_panel=FIT)
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.", rich_help_panel=FIT)] = 0,
    holdout: Annotated[
        list[str] | None,
        options.option(
            "KIND",
            "Score without the largest-compute, -n, -experts or latest-tokens runs, or one-n, -experts, -tokens each.",
            SCORE,
            default="none",
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
        options.option(
            "DIR",
            "Write report.html, one page that opens offline, and its figures as HTML, PNG and SVG.",
            options.OUTPUT,
            default="nothing",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Fit a law to your own runs, with intervals, held-out scores and what the data can not say.

    Examples: `moeconomics fit runs.csv --law joint2025 --holdout largest-compute -o law.json`,
    `moeconomics fit runs.csv --law joint2025 --next-runs 3 --budget 1e19`
    """
    room = _room()
    _check(law, output, bootstrap, next_runs, budget)
    for kind in holdout or []:
        room.check_kind(kind)
    for folder in [path for path in (output and output.parent, plot) if path is not None]:
        write_files(folder, {})  # what can not be written is said before the work
    frame = load_runs(runs)
    width = delta or None
    others = [room.rows_of(frame, get_law(name)) for name in dict.fromkeys(compare or []) if name != law]
    if compare and not others:
        raise BadInput(f"--compare {law}: a law can not be compared with itself; give another")
    with progress_bar("fitting") as advance:
        stages = 3 + len(holdout or []) + len(others)
        advance(0, stages, law)
        one = room.fit(room.rows_of(frame, get_law(law)), delta=width)
        advance(1, stages, "bootstrap")
        generator = np.random.default_rng(seed)
        one = room.bootstrap(one, bootstrap, generator) if bootstrap else one
        advance(2, stages, "profiles")
        profiles = room.profile(one)
        identified = room.identify(one, profiles)
        answer = FitAnswer(
            fit=one,
            identified=identified,
            profiles=profiles,
            missing={name: room.identifying(one, name) for name in identified.not_identified},
            groups=room.isoflop(one, generator),
            proposed=room.next_runs(one, next_runs, np.inf if budget is None else budget) if next_runs else None,
        )
        for done, kind in enumerate(holdout or [], start=3):
            advance(done, stages, kind)
            answer.scores.extend(room.holdouts(one, kind))
        if others:
            fits = [one]
            for done, rows in enumerate(others, start=3 + len(holdout or [])):
                advance(done, stages, rows.law.name)
                fits.append(room.fit(rows, delta=width))
            kind = next((kind for kind in holdout or [] if kind in room.HOLDOUTS), "largest-compute")
            answer.compared = room.compare(fits, kind)
        advance(stages, stages, "done")
    sha256 = room.sha256_of(frame)
    if output is not None:
        content = room.fitted_file(one, sha256).model_dump_json()
        write_files(output.parent, {output.name: content + "\n"})
    note = None if plot is None else _plot(answer, plot, runs, sha256)
    if json:
        print_json(answer_json(answer))
        return
    print_fit(answer)
    if plot is not None:
        say(f"Report: {plot / 'report.html'}")
    if note is not None:
        say(note, "yellow")
    if output is not None:
        say(f"Written to {output}; plan with it: moeconomics plan --law {output}")


def predict(
    law: Annotated[str, typer.Argument(metavar="LAW", help="Fitted-law file, or a law's name.", show_default=False)],
    points: Annotated[
        Path,
        typer.Option(
            "--csv", metavar="POINTS", help="Points in the runs format; losses are not needed.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Table to write.", show_default=False)],
) -> None:
    """Predict losses of given points: adds pred_loss, pred_low, pred_high (90 %) and extrapolated.

    Example: `moeconomics predict law.json --csv points.csv -o out.csv`
    """
    given, known = read_points(points)
    found = _room().predict(get_law(law), known)
    write_table(given.with_columns(found[name] for name in ADDED), output)
    outside = int(found["extrapolated"].sum())
    say(f"{found.height} predictions written to {output}; {outside} outside the data of the law.")


def _check(law: str, output: Path | None, bootstrap: int, next_runs: int, budget: float | None) -> None:
    """Refuse what does not go together before any work. Errors: `BadInput`."""
    if law.endswith(".json"):
        raise BadInput(f"law {law} is a fitted law; fit its form by name, as --law joint2025")
    if output is not None and output.suffix != ".json":
        raise BadInput(f"--output {output}: a law is written to a file named .json, as law.json")
    if budget is not None and not 0 < budget < np.inf:
        raise BadInput(f"budget {budget:g} must be a positive number of training FLOPs, as 1e19")
    if budget is not None and not next_runs:
        raise BadInput("--budget is what the next runs may cost: give their number too, as --next-runs 3")
    if next_runs and not bootstrap:
        raise BadInput("--next-runs needs the bootstrap's draws: ask for some, as --bootstrap 1000")


def _plot(answer: FitAnswer, folder: Path, runs: str, sha256: str) -> str | None:
    """Write the report and every figure; what keeps pictures from being made is said, not raised."""
    from moeconomics.reports import html
    from moeconomics.reports.fit_figures import fit_figures
    from moeconomics.reports.fit_page import fit_page
    from moeconomics.reports.pictures import pictures

    figures = fit_figures(answer.fit, answer.profiles, answer.groups)
    page = fit_page(
        answer.fit,
        answer.identified,
        answer.profiles,
        figures,
        groups=answer.groups,
        scores=answer.scores,
        compared=answer.compared,
        proposed=answer.proposed,
        warnings=notes_of(answer),
        runs=runs,
        sha256=sha256,
    )
    write_files(folder, {"report.html": html(page)})
    write_files(folder, {f"{name}.html": figure.to_html(include_plotlyjs=True) for name, figure in figures.items()})
    made, missing = pictures(figures)
    write_files(folder, made)
    return missing


def _room() -> Any:
    try:
        import moeconomics.fit as room
    except ModuleNotFoundError as error:
        raise BadInput(f"fitting needs {error.name}: pip install 'moeconomics[fit]'") from error
    return room
