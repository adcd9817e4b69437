"""The look of every figure: one Plotly template, and one colour, dash and symbol for each number of experts.

Colours keep 3:1 against the white and the dark ground of pages, and differ for colour-blind eyes in hue or in dash.
"""

from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from plotly.colors import sample_colorscale

from moeconomics.units import Array, count_text

NAME = "moeconomics"  # of the light template in Plotly's register
ACCENT, SECOND, NEUTRAL = "#0072B2", "#D55E00", "#76797f"  # what has no number of experts; lines to compare with
# Of 1, 2, 4, 8, ... experts; 4 to 32 as Okabe and Ito have them.
COLOURS = (
    "#76797f", "#a87900", "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#2e8fc4", "#8f5fd0", "#6b8e23", "#a0522d",
)  # fmt: skip
DASHES = ("dot", "longdashdot", "solid", "dash", "dashdot", "longdash", "dashdot", "dot", "longdash", "solid")
SYMBOLS = (
    "circle", "star-triangle-up", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "pentagon",
    "hexagram",
)  # fmt: skip
SCALE = ("#5b6fd6", "#b0479e", "#d9602b", "#a87900")  # of what rises, such as sizes
TICKS = 5  # most labels of a logarithmic axis
LETTER, SMALL_LETTER = 8.6, 6.6  # pixels of a letter in a title and below it, at most on average
LINE, SMALL_LINE = 22, 17  # and of their lines


def _template(text: str, back: str, grid: str, line: str) -> go.layout.Template:
    axis = {
        "gridcolor": grid,
        "zerolinecolor": line,
        "linecolor": line,
        "tickcolor": line,
        "showline": True,
        "ticks": "outside",
        "automargin": True,
        "title": {"standoff": 8, "font": {"size": 13}},
    }
    return go.layout.Template(
        layout={
            "font": {"family": "system-ui, 'Open Sans', Arial, sans-serif", "size": 13, "color": text},
            "paper_bgcolor": back,
            "plot_bgcolor": back,
            "title": {
                "x": 0.01,
                "xanchor": "left",
                "y": 1,
                "yref": "container",
                "yanchor": "top",
                "pad": {"t": 14},
                "font": {"size": 17},
                "subtitle": {"font": {"size": 13, "color": text}},
            },
            "margin": {"l": 20, "r": 20, "t": 30, "b": 20},
            "legend": {"itemwidth": 45, "tracegroupgap": 2, "traceorder": "normal", "bgcolor": "rgba(0,0,0,0)"},
            "annotationdefaults": {"arrowcolor": text},
            "hoverlabel": {"namelength": -1},
            "xaxis": axis,
            "yaxis": axis,
        },
        data={"scatter": [{"line": {"width": 2}, "marker": {"size": 7}}]},
    )


LIGHT = _template("#1a1a1a", "#ffffff", "#e2e6ea", "#5c6670")
DARK = _template("#ececec", "#16191d", "#333a42", "#98a2ac")
pio.templates[NAME] = LIGHT


def colour_of(experts: float) -> str:
    """The colour of a number of experts in every figure; one between two powers of two takes the nearer one's.

    >>> colour_of(4) == colour_of(5) != colour_of(8)
    True
    """
    return COLOURS[_place(experts)]


def symbol_of(experts: float) -> str:
    """The marker of a number of experts."""
    return SYMBOLS[_place(experts)]


def line_of(experts: float) -> dict[str, str]:
    """Colour and dash of a number of experts; one that is no power of two is dashed as the next power."""
    place = _place(experts) + (0 if float(np.log2(experts)).is_integer() else 1)
    return {"color": colour_of(experts), "dash": DASHES[place % len(DASHES)]}


def label_of(experts: float) -> str:
    """What a legend calls a number of experts."""
    return "dense" if experts == 1 else f"E = {experts:g}"


def scale_colour(share: float) -> str:
    """A colour for what rises, from 0 to 1."""
    return str(sample_colorscale(list(SCALE), [share])[0])


def pale(colour: str) -> str:
    """A colour as the ground of a band; `colour` is #rrggbb or rgb(...)."""
    if not colour.startswith("#"):
        return colour.replace("rgb(", "rgba(").replace(")", ", 0.18)")
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.18)"


def styled(figure: go.Figure, title: str, note: str = "", *, width: int = 900, height: int = 500) -> go.Figure:
    """Give a figure the theme, a title and a note below it, broken into lines that fit; `height` is without them."""
    titles, notes = wrap(title, int(width / LETTER)), wrap(note, int(width / SMALL_LETTER))
    head = LINE * len(titles) + SMALL_LINE * len(notes)
    return figure.update_layout(
        template=NAME,
        width=width,
        height=height + head,
        title={"text": "<br>".join(titles), "subtitle": {"text": "<br>".join(notes)}},
        margin={"t": _top(figure) + head + 20},
    )


def headless(figure: go.Figure) -> tuple[go.Figure, str, str]:
    """A copy that takes the width it is given and has no heading, with the title and the note that it had."""
    plain = go.Figure(figure)
    heading = plain.layout.title
    title, note = ((words or "").replace("<br>", " ") for words in (heading.text, heading.subtitle.text))
    top = _top(figure)
    height = plain.layout.height - plain.layout.margin.t + top
    return plain.update_layout(width=None, height=height, margin={"t": top}, title=None), title, note


def curve(
    figure: go.Figure,
    experts: int,
    x: Array,
    y: Array,
    hover: tuple[str, str],
    *,
    row: int | None = None,
    col: int | None = None,
    listed: bool = True,
) -> None:
    """Add the line of a number of experts; `hover`: the units of x and y, `listed`: in the legend."""
    name = label_of(experts)
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name=name,
        legendgroup=name,
        showlegend=listed,
        line=line_of(experts),
        hovertemplate=f"{name}<br>%{{x:.4g}} {hover[0]}<br>%{{y:.4g}} {hover[1]}<extra></extra>",
        row=row,
        col=col,
    )


def log_axis(values: Array, *, scientific: bool = False) -> dict[str, Any]:
    """A logarithmic axis with ticks at powers of ten, and at 2 and 5 or at 3 times them where those are few.

    `scientific`: labels as 5e+21, which are wide, so that there are at most three.
    """
    low, high = float(np.min(values)), float(np.max(values))
    if low <= 0:
        return {}
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [m * 10.0**k for k in range(int(np.log10(low)) - 1, int(np.log10(high)) + 2) for m in steps]
        ticks = [tick for tick in ticks if 0.9 * low <= tick <= 1.1 * high]
        if len(ticks) <= (3 if scientific else TICKS):
            break
    if len(ticks) < 2:  # Plotly's own are fine within half a decade
        return {"type": "log", "nticks": TICKS}
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{t:.0e}" if scientific else count_text(t) for t in ticks]}


def experts_axis(numbers: Array) -> dict[str, Any]:
    """A logarithmic axis with a tick at the numbers of experts themselves, or at every second or third of many."""
    seen = np.unique(numbers)
    ticks = seen[:: -(-seen.size // (TICKS + 1))]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def _top(figure: go.Figure) -> int:
    """Pixels above the panels, for their own titles."""
    return 42 if any(note.yref == "paper" for note in figure.layout.annotations) else 14


def _place(experts: float) -> int:
    return round(float(np.log2(experts))) % len(COLOURS)
