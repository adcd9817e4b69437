"""Figures as PNG and SVG, by kaleido and the Chrome or Chromium of the machine."""

from pathlib import Path

import plotly.graph_objects as go

from moeconomics.errors import BadInput

HOW = (
    "PNG and SVG pictures need Chrome or Chromium and kaleido: pip install kaleido, and set BROWSER_PATH to the browser"
)


def pictures(figures: dict[str, go.Figure]) -> tuple[dict[str, bytes], str | None]:
    """(file name → content) of every figure in both formats, or none and what is missing."""
    try:
        made = {
            f"{name}.{kind}": figure.to_image(format=kind)
            for name, figure in figures.items()
            for kind in ("png", "svg")
        }
    except (ValueError, RuntimeError, ImportError) as error:  # Plotly's and kaleido's own errors
        return {}, f"{HOW} ({str(error).strip().splitlines()[0]})"
    return made, None


def drawn(figure: go.Figure, path: Path) -> bytes:
    """One figure in the format of a file name, .png or .svg.

    Errors: `BadInput` for another ending, or when the browser for pictures is missing.
    """
    if path.suffix not in (".png", ".svg"):
        raise BadInput(f"{path}: a report is .html, a picture of its chart .png or .svg")
    made, missing = pictures({path.stem: figure})
    if missing is not None:
        raise BadInput(missing)
    return made[path.name]
