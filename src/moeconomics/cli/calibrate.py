"""`moeconomics calibrate`."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from moeconomics.calibration import calibrate as fit_calibration
from moeconomics.calibration.accuracy import accuracy_page, scores
from moeconomics.cli import options
from moeconomics.cli.output import print_json, say, table, write_files


def calibrate(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder of ops_*.csv kernel timings and e2e_*.csv runs.")
    ],
    output: Annotated[
        Path, options.option("FILE.yaml", "Where to write the coefficients.", options.OUTPUT, "-o", "--output")
    ] = Path("calibration.yaml"),
    page: Annotated[
        Path | None, options.option("FILE.md", "Also write the accuracy page there.", options.OUTPUT, default="no")
    ] = None,
    json: options.Json = False,
) -> None:
    """Fit the serving model's kernels, links and engines to measurements, and score it on families left out.

    Example: `moeconomics calibrate ../shared/data/serving -o calibration.yaml`
    """
    found, rows, dropped = fit_calibration(data)
    text = yaml.safe_dump(found.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=240)
    write_files(output.parent, {output.name: text})
    scored = scores(rows)
    if page is not None:
        write_files(page.parent, {page.name: accuracy_page(found, rows, dropped, data)})
    if json:
        print_json({"scores": scored, "dropped": dropped, "rows": len(rows.tpot_s)})
        return
    table(
        "Error of runs whose family of models was left out of the fit",
        ["", "median", "90 %", "mean"],
        [[name, *(f"{one[key]:.1%}" for key in ("median", "p90", "mean"))] for name, one in scored.items()],
    )
    for reason, count in dropped.items():
        say(f"left out: {count} rows, {reason}", "dim")
    say(f"Wrote {output}: {len(found.kernels)} kernels, {len(found.links)} links, {len(found.engines)} engines.")
