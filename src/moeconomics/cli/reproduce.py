"""`moeconomics reproduce`."""

import csv
from io import StringIO
from pathlib import Path
from typing import Annotated

from moeconomics.cli import options
from moeconomics.cli.output import json_text, print_json, progress_bar, say, table, write_files
from moeconomics.reproduction import (
    CPU,
    Finding,
    Summary,
    asked_laws,
    granularity_alone,
    how_they_move,
    markdown,
    summarise,
)
from moeconomics.reproduction import reproduce as ask

TITLE = "Claims of Yun et al. 2024 (arXiv 2404.02852) over laws, cost models and counts of training FLOPs"


def reproduce(
    law: Annotated[
        list[str] | None,
        options.option("NAME|FILE.json|all", "Laws to ask.", "Laws", "--law", default="all that are known"),
    ] = None,
    profile: Annotated[
        list[Path] | None,
        options.option(
            "FILE.parquet",
            "Latencies of tiny models (`moeconomics profile`) that price the claims at the CPU study's scale.",
            "Cost models",
            "--profile",
            default="none",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        options.option(
            "DIR",
            "Also write the claims (claims.csv, claims.json), reproduction.md, report.html and the figures there.",
            options.OUTPUT,
            "-o",
            "--output",
            default="nothing",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Ask the paper's stated numbers of every law, cost model and count of training FLOPs, with a verdict each.

    Examples: `moeconomics reproduce -o reproduction/`,
    `moeconomics reproduce --law all --law mine.json --profile profile.parquet`
    """
    if output is not None:
        write_files(output, {})  # what can not be written is said before the work
    with progress_bar("claims") as advance:
        findings = ask(law, advance=advance, profiles=profile or [])
    laws = asked_laws(law)
    moves, grains = how_they_move(laws), granularity_alone(laws)
    summaries, tiny = summarise(findings), summarise(findings, CPU)
    note = None
    rows = [one.to_dict() for one in findings]
    answer = {
        "claims": rows,
        "summary": [one.to_dict() for one in summaries],
        "summary_cpu_study": [one.to_dict() for one in tiny],
        "moves": [one.to_dict() for one in moves],
        "granularity": [one.to_dict() for one in grains],
    }
    if output is not None:
        text = StringIO()
        writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        tables = {
            "claims.json": json_text(answer),
            "claims.csv": text.getvalue(),
            "reproduction.md": markdown(findings, moves, grains),
        }
        write_files(output, tables)
        note = _write_report(output, findings)
    if json:
        print_json(answer)
        return
    _print(TITLE, summaries)
    for one in summaries:
        say("\n" + one.sentence)
    if tiny:
        _print(f"\n{CPU.title}: laws of tiny models", tiny)
    if moves and output is None:
        say("\nHow the headlines move over chips, formats and architectures: -o DIR writes it, or --json.")
    if output is not None:
        say(f"\nWritten to {output}: every combination in claims.csv, the page report.html and its figures.")
    if note is not None:
        say(note, "yellow")


def _print(title: str, summaries: list[Summary]) -> None:
    table(
        title,
        ["claim", "paper", "ours", "agree", "differ", "undecided", "standing", "in the band"],
        [
            [
                *(s.claim.name, s.claim.paper, s.ours_text, str(s.agree), str(s.differ), str(s.undecided), s.standing),
                f"{s.surviving} of {s.banded}" if s.banded else "n/a",
            ]
            for s in summaries
        ],
        text_columns=2,
        can_drop=["in the band"],
    )


def _write_report(folder: Path, findings: list[Finding]) -> str | None:
    """Write the report and every figure; what keeps pictures from being made is said, not raised."""
    from moeconomics.reports import html, reproduction_page
    from moeconomics.reports.pictures import pictures
    from moeconomics.reports.reproduction_figures import reproduction_figures

    figures = reproduction_figures()
    write_files(folder, {"report.html": html(reproduction_page(findings, figures))})
    write_files(folder, {f"{name}.html": figure.to_html(include_plotlyjs=True) for name, figure in figures.items()})
    made, missing = pictures(figures)
    write_files(folder, made)
    return missing
