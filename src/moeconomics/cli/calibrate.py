"""`moeconomics calibrate`."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from moeconomics.calibration import calibrate as fit_calibration
from moeconomics.calibration import calibrate_machine
from moeconomics.calibration.accuracy import accuracy_page
from moeconomics.cli import options
from moeconomics.cli.output import print_json, say, table, write_files
from moeconomics.errors import BadInput
from moeconomics.hardware import get_chip
from moeconomics.serving.coefficients import Calibration
from moeconomics.serving.profile_table import read_profile


def calibrate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder of ops_*.csv kernel timings and e2e_*.csv runs, or the profile.parquet of one machine.",
        ),
    ],
    gpu: Annotated[
        str | None,
        options.option("NAME|FILE.yaml", "Chip that a profile was measured on.", options.HARDWARE, default="none"),
    ] = None,
    output: Annotated[
        Path, options.option("FILE.yaml", "Where to write the coefficients.", options.OUTPUT, "-o", "--output")
    ] = Path("calibration.yaml"),
    page: Annotated[
        Path | None, options.option("FILE.md", "Also write the accuracy page there.", options.OUTPUT, default="no")
    ] = None,
    json: options.Json = False,
) -> None:
    """Fit the serving model's kernels, links and engines to measurements, and score it on families left out.

    Examples: `moeconomics calibrate ../shared/data/serving -o calibration.yaml`

    `moeconomics calibrate profile.parquet --gpu cpu.yaml -o calibration.yaml`
    """
    if data.suffix == ".parquet":
        if gpu is None or page is not None:
            raise BadInput("a profile needs --gpu, the chip it was measured on, and has no accuracy page")
        _write(calibrate_machine(read_profile(data), get_chip(gpu)), output)
        say(f"Wrote {output}: use it with --gpu {gpu} --calibration {output}.")
        return
    if gpu is not None:
        raise BadInput("--gpu is for a profile; the tables of a folder name their chips")
    found, rows, dropped = fit_calibration(data)
    _write(found, output)
    if page is not None:
        write_files(page.parent, {page.name: accuracy_page(found, rows, dropped, data)})
    if json:
        print_json({"scores": found.scores, "dropped": dropped, "rows": len(rows.tpot_s)})
        return
    table(
        "Error of runs whose family of models was left out of the fit",
        ["", "median", "90 %", "mean"],
        [[name, *(f"{one[key]:.1%}" for key in ("median", "p90", "mean"))] for name, one in found.scores.items()],
    )
    for reason, count in dropped.items():
        say(f"left out: {count} rows, {reason}", "dim")
    say(f"Wrote {output}: {len(found.kernels)} kernels, {len(found.links)} links, {len(found.engines)} engines.")


def _write(found: Calibration, output: Path) -> None:
    text = yaml.safe_dump(found.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=240)
    write_files(output.parent, {output.name: text})
