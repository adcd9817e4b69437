"""`moeconomics reproduce`."""

import csv
from io import StringIO
from pathlib import Path
from typing import Annotated

from moeconomics.cli import options
from moeconomics.cli.output import json_text, print_json, progress_bar, say, table, write_files
from moeconomics.reproduction import Finding, markdown, summarise
from moeconomics.reproduction import reproduce as ask


def reproduce(
    law: Annotated[
        list[str] | None,
        options.option("NAME|FILE.json", "Laws to ask.", "Laws", "--law", default="all that are known"),
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

    Example: `moeconomics reproduce -o reproduction/`
    """
    if output is not None:
        write_files(output, {})  # what can not be written is said before the work
    with progress_bar("claims") as advance:
        findings = ask(law, advance=advance)
    summaries = summarise(findings)
    note = None
    rows = [one.to_dict() for one in findings]
    answer = {"claims": rows, "summary": [one.to_dict() for one in summaries]}
    if output is not None:
        text = StringIO()
        writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        tables = {
            "claims.json": json_text(answer),
            "claims.csv": text.getvalue(),
            "reproduction.md": markdown(findings),
        }
        write_files(output, tables)
        note = _write_report(output, findings)
    if json:
        print_json(answer)
        return
    table(
        "Claims of Yun et al. 2024 (arXiv 2404.02852) over laws, cost models and counts of training FLOPs",
        ["claim", "paper", "ours", "agree", "differ", "undecided", "standing"],
        [
            [s.claim.name, s.claim.paper, s.ours_text, str(s.agree), str(s.differ), str(s.undecided), s.standing]
            for s in summaries
        ],
        text_columns=2,
    )
    for one in summaries:
        say("\n" + one.sentence)
    if output is not None:
        say(f"\nWritten to {output}: every combination in claims.csv, the page report.html and its figures.")
    if note is not None:
        say(note, "yellow")


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
