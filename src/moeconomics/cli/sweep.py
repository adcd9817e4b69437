"""`moeconomics sweep`. PyTorch is loaded when it runs, not at every start."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from moeconomics.cli import options
from moeconomics.cli.output import needs_extra, print_json, progress_bar, say, table
from moeconomics.errors import BadInput
from moeconomics.hardware import Chip, get_chip
from moeconomics.units import SECONDS_PER_HOUR, count_text

if TYPE_CHECKING:
    from moeconomics.sweeps import Calibration, Estimate, State
    from moeconomics.training import Progress, RunSpec

SWEEP, RAY = "Sweep", "With --runner ray"
SHOWN_LOSSES = 3  # last rows shown while a sweep runs

Output = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="DIR", help="Folder of the runs and runs.csv.", show_default=False),
]


def sweep(
    grid: Annotated[Path, typer.Argument(metavar="GRID", help="Grid of runs, YAML.", show_default=False)],
    output: Output,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what it would take, and stop.", rich_help_panel=SWEEP)
    ] = False,
    retry: Annotated[
        Literal["failed"] | None,
        options.option("failed", "Train failed runs again.", SWEEP, default="they are left as they are"),
    ] = None,
    runner: Annotated[
        Literal["local", "ray"], typer.Option(help="This process, or a Ray cluster.", rich_help_panel=SWEEP)
    ] = "local",
    gpu: Annotated[
        str, options.option("NAME|FILE.yaml", "Chip to price the sweep on; see `moeconomics hardware`.", SWEEP)
    ] = "H100-SXM-80GB",
    mfu: Annotated[
        float,
        typer.Option(metavar="SHARE", min=0.001, max=1, help="Share of its bf16 peak reached.", rich_help_panel=SWEEP),
    ] = 0.4,
    processes: Annotated[
        int, typer.Option(metavar="N", min=1, help="Processes that train one run together.", rich_help_panel=RAY)
    ] = 1,
    cpus: Annotated[float, typer.Option(metavar="N", min=0, help="CPUs of each process.", rich_help_panel=RAY)] = 1,
    gpus: Annotated[float, typer.Option(metavar="N", min=0, help="GPUs of each process.", rich_help_panel=RAY)] = 0,
    json: options.Json = False,
) -> None:
    """Train the runs of a grid, each once, into one runs table that `moeconomics fit` reads.

    It says first what the grid takes. Stopped and started again, it goes on; several may work in one folder.

    Examples: `moeconomics sweep grid.yaml -o runs --dry-run`, `moeconomics sweep grid.yaml -o runs --retry failed`
    """
    with needs_extra("train", "a sweep"):
        from moeconomics import sweeps
    chip = get_chip(gpu)
    chip.flops("bf16")  # refused now, not after the calibration
    specs = sweeps.specs_of(sweeps.read_grid(grid))
    found = [sweeps.estimate(spec) for spec in specs]
    if retry is not None and not dry_run:
        sweeps.forget_failed(specs, output)
    state = sweeps.state_of(specs, output)
    left = [one for one in found if one.spec in state.left]
    measured = None
    if left:
        with progress_bar("calibrating", counted=False) as advance:
            advance(0, 1, "two shapes, about 20 s")
            measured = sweeps.calibrate(left)
    answer = {"estimate": _estimate_json(found, left, measured, chip, mfu)}
    if not json:
        _print_estimate(found, left, measured, chip, mfu)
    if not dry_run and left:
        assert measured is not None
        run = partial(sweeps.run_here, specs, output)
        if runner == "ray":
            with needs_extra("cluster", "the Ray runner"):
                from moeconomics.sweeps.on_ray import run_on_ray
            run = partial(run_on_ray, specs, output, processes=processes, cpus=cpus, gpus=gpus)
        _run(run, {one.spec.run_id: measured.seconds(one) for one in left})
        state = sweeps.state_of(specs, output)
    if json:
        print_json(answer | _state_json(state, output))
        return
    _print_state(state, output)


def _run(run: Callable[..., None], seconds: dict[str, float]) -> None:
    """Run what is left under a bar that moves by the time each run was estimated to take."""
    share = dict.fromkeys(seconds, 0.0)
    losses: list[str] = []
    with progress_bar("sweep", counted=False) as advance:

        def show(now: str) -> None:
            ended = sum(part == 1 for part in share.values())
            last = f"last losses {' '.join(losses)}" if losses else ""
            words = ", ".join(part for part in (f"{ended} of {len(share)} runs", now, last) if part)
            advance(sum(seconds[name] * part for name, part in share.items()), sum(seconds.values()), words)

        def report(spec: "RunSpec", progress: "Progress") -> None:
            share[spec.run_id] = min(progress.step / progress.steps, 0.999)
            show(f"E={spec.experts} d={spec.d_model}: {progress.loss:.3f}, {progress.tokens_per_s:,.0f} tokens/s")

        def done(spec: "RunSpec", rows: list[dict[str, Any]]) -> None:
            share[spec.run_id] = 1.0
            losses.extend("failed" if row["loss"] is None else f"{row['loss']:.3f}" for row in rows)
            del losses[:-SHOWN_LOSSES]
            show("")

        show("starting")
        run(report=report, done=done)


def _estimate_json(
    found: "list[Estimate]", left: "list[Estimate]", measured: "Calibration | None", chip: Chip, mfu: float
) -> dict[str, Any]:
    from moeconomics.sweeps import gpu_hours

    hours = gpu_hours(sum(one.flops_train for one in left), chip, mfu)
    return {
        "runs": [
            {
                "run_id": one.spec.run_id,
                "n_active": one.n_active,
                "n_total": one.n_total,
                "tokens": one.tokens,
                "flops_train": one.flops_train,
                "hours_here": None if measured is None or one not in left else measured.seconds(one) / SECONDS_PER_HOUR,
            }
            for one in found
        ],
        "runs_left": len(left),
        "flops_train_left": sum(one.flops_train for one in left),
        "hours_here_left": sum(measured.seconds(one) for one in left) / SECONDS_PER_HOUR if measured else 0.0,
        "gpu": chip.name,
        "mfu": mfu,
        "gpu_hours_left": hours,
        "usd_left": _usd(hours, chip),
    }


def _print_estimate(
    found: "list[Estimate]", left: "list[Estimate]", measured: "Calibration | None", chip: Chip, mfu: float
) -> None:
    rows = [
        [
            f"{one.spec.d_model} x {one.spec.n_layers}",
            str(one.spec.experts),
            str(one.spec.seed),
            count_text(one.n_active),
            count_text(one.n_total),
            " ".join(count_text(count) for count in one.spec.tokens),
            f"{one.flops_train:.3g}",
            "done" if one not in left or measured is None else f"{measured.seconds(one) / 60:.1f}",
        ]
        for one in found
    ]
    columns = ["d x layers", "E", "seed", "N active", "N total", "annealed at tokens", "FLOPs", "minutes here"]
    table(f"{len(found)} runs, {sum(len(one.spec.tokens) for one in found)} rows", columns, rows, can_drop=["seed"])
    if not left or measured is None:
        return
    from moeconomics.sweeps import gpu_hours

    flops = sum(one.flops_train for one in left)
    here = sum(measured.seconds(one) for one in left) / SECONDS_PER_HOUR
    hours = gpu_hours(flops, chip, mfu)
    usd = _usd(hours, chip)
    rates = " and ".join(f"{1 / rate:,.0f}" for rate in measured.s_per_token)
    say(
        f"Left: {len(left)} runs, {flops:.3g} FLOPs (matmul count, branches included): {here:.2g} hours here "
        f"(calibrated: {rates} tokens/s at the smallest and largest shape; evaluations not counted), or {hours:.2g} "
        f"hours of one {chip.name}, {'n/a' if usd is None else f'{usd:.2g}'} USD (assumed: {mfu:.0%} of its bf16 peak, "
        f"which small models do not reach; catalogue price)."
    )


def _usd(hours: float, chip: Chip) -> float | None:
    try:
        return hours * chip.price().usd_per_gpu_hour
    except BadInput:  # no price is known
        return None


def _state_json(state: "State", folder: Path) -> dict[str, Any]:
    return {
        "finished": [spec.run_id for spec in state.finished],
        "failed": state.failed,
        "left": [spec.run_id for spec in state.left],
        "table": str(folder / "runs.csv") if state.finished or state.failed else None,
    }


def _print_state(state: "State", folder: Path) -> None:
    for name, reason in state.failed.items():
        say(f"{name} failed: {reason}", "yellow")
    say(f"{len(state.finished)} runs finished, {len(state.failed)} failed, {len(state.left)} left.", "bold")
    if state.failed:
        say("Train failed runs again with --retry failed.")
    if state.finished:
        say(f"Fit a law to them: moeconomics fit {folder / 'runs.csv'} --law joint2025")
