"""Figures as PNG and SVG, by kaleido and the Chrome or Chromium of the machine."""

from pathlib import Path
from tempfile import TemporaryDirectory

import plotly.graph_objects as go
import plotly.io as pio

from moeconomics.errors import BadInput

KINDS = ("png", "svg")
HOW = (
    "PNG and SVG pictures need Chrome or Chromium and kaleido: pip install kaleido, and set BROWSER_PATH to the browser"
)


def pictures(figures: dict[str, go.Figure]) -> tuple[dict[str, bytes], str | None]:
    """(file name → content) of every figure in both formats, or none and what is missing."""
    with TemporaryDirectory() as folder:
        files = [(figure, Path(folder) / f"{name}.{kind}") for name, figure in figures.items() for kind in KINDS]
        shown, paths = (list(column) for column in zip(*files, strict=True))
        size = {side: [figure.layout[side] for figure in shown] for side in ("width", "height")}
        try:
            pio.write_images(shown, paths, **size)  # one browser for all; it does not look for the size itself
        except (ValueError, RuntimeError, ImportError) as error:  # Plotly's and kaleido's own errors
            return {}, f"{HOW} ({str(error).strip().splitlines()[0]})"
        return {path.name: path.read_bytes() for path in paths}, None


def drawn(figure: go.Figure, path: Path) -> bytes:
    """One figure in the format of a file name, .png or .svg.

    Errors: `BadInput` for another ending, or when the browser for pictures is missing.
    """
    if path.suffix.removeprefix(".") not in KINDS:
        raise BadInput(f"{path}: a report is .html, a picture of its chart .png or .svg")
    made, missing = pictures({path.stem: figure})
    if missing is not None:
        raise BadInput(missing)
    return made[path.name]
