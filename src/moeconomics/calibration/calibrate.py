"""`calibrate`: a folder of measurements in, a `Calibration` out."""

from datetime import date
from pathlib import Path

from moeconomics.calibration.accuracy import scores
from moeconomics.calibration.engine_fits import Observed, engine_fits, fit_ttft, left_out, observe
from moeconomics.calibration.kernel_fits import fit_kernels, fit_links
from moeconomics.serving.coefficients import Calibration, EngineFit, TtftFit

END_TO_END = "e2e_aic_silicon_agg.csv"

# Before any end-to-end row is seen: the kernels as they are.
_BARE = EngineFit(
    generation="none",
    engine="none",
    floor_us_per_layer=0,
    host_us_per_step=0,
    host_us_per_sequence=0,
    interference=1,
    residual=1,
    rows=0,
    concurrency=0,
    families=(),
    tpot=None,
    ttft=None,
)


def calibrate(folder: Path) -> tuple[Calibration, Observed, dict[str, int]]:
    """Fit kernels, links and engines to a folder's tables.

    Gives also the end-to-end rows with the kernels' parts, and the rows left out by reason. Errors: `BadInput` naming
    the file or column that is missing.
    """
    kernels = Calibration(
        source=f"{folder.name}: ops_*.csv, {END_TO_END}",
        date=date.today().isoformat(),
        kernels=tuple(fit_kernels(folder)),
        links=tuple(fit_links(folder)),
        engines=(_BARE,),
        ttft=TtftFit(overhead_ms=0, prompt=1, burst=0, rows=0),
        scores={},
    )
    rows, dropped = observe(folder / END_TO_END, kernels)
    tpot, ttft = left_out(rows)
    fitted = {
        "engines": engine_fits(rows, tpot, ttft),
        "ttft": fit_ttft(rows),
        "scores": scores(rows, tpot, ttft),
    }
    return kernels.model_copy(update=fitted), rows, dropped
