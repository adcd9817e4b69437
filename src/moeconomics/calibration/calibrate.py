"""`calibrate`: a folder of measurements in, a `Calibration` out."""

from datetime import date
from pathlib import Path

from moeconomics.calibration.engine_fits import Observed, engine_fits, fit_ttft, observe
from moeconomics.calibration.kernel_fits import fit_kernels, fit_links
from moeconomics.serving.coefficients import Band, Calibration, EngineFit, TtftFit

END_TO_END = "e2e_aic_silicon_agg.csv"

# Before any end-to-end row is seen: the kernels as they are.
_UNIT = Band(low=1, middle=1, high=1, rows=0)
_BARE = EngineFit(
    generation="none",
    engine="none",
    floor_us_per_layer=0,
    interference=1,
    residual=1,
    rows=0,
    families=(),
    tpot=_UNIT,
    ttft=_UNIT,
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
    )
    rows, dropped = observe(folder / END_TO_END, kernels)
    return kernels.model_copy(update={"engines": engine_fits(rows), "ttft": fit_ttft(rows)}), rows, dropped
