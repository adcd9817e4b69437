"""One self-contained HTML page: the answer first, then figures, tables that sort, and where each number is from.

It opens without a network (Plotly is inlined), in light and dark, on a phone, by keyboard and with a screen reader.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from moeconomics.reports.theme import DARK, LIGHT, headless

NOT_KNOWN = "n/a"
WORDS = 40  # letters of a cell; longer ones are broken into lines

Cell = str | int | float | tuple[float, str] | None  # a pair is a number and how people write it


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number of the first screen: `interval` is its interval, or the reason why it has none."""

    label: str
    value: str
    interval: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure with the words that stand for it where it can not be seen."""

    figure: go.Figure
    words: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under a title; numbers keep their type so that columns sort as numbers. `marked` is the row to look at."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    marked: int | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a report says, in the order in which it is read; `more` charts stand after the tables."""

    title: str
    sentence: str
    details: Sequence[str]
    numbers: Sequence[Number]
    charts: Sequence[Chart]
    tables: Sequence[Table]
    provenance: Mapping[str, str]
    warnings: Sequence[str] = field(default=())
    more: Sequence[Chart] = field(default=())


def html(page: Page) -> str:
    """The whole page as text."""
    style, script = ((files(__package__) / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    templates = json.dumps({"light": LIGHT.to_plotly_json(), "dark": DARK.to_plotly_json()})
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<link rel="icon" href="data:,">',
        f"<title>{escape(page.title)}</title>",
        f"<style>{style}</style>",
        f"<script>{get_plotlyjs()}</script>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{escape(page.title)}</h1>",
        f'<p class="sentence">{escape(page.sentence)}</p>',
        *_numbers(page.numbers),
        *(part for index, chart in enumerate(page.charts) for part in _chart(index, chart)),
        "<h2>Why</h2>" if page.details else "",
        *_list(page.details),
        *(part for table in page.tables for part in _table(table)),
        *(part for index, chart in enumerate(page.more, len(page.charts)) for part in _chart(index, chart)),
        "<h2>How far to trust it</h2>",
        *_list(page.warnings or ("Nothing was extrapolated, and no figure that enters is unverified.",)),
        "<h2>Where the numbers are from</h2>",
        "<dl>",
        *(f"<dt>{escape(kind)}</dt><dd>{escape(source)}</dd>" for kind, source in page.provenance.items()),
        "</dl>",
        "</main>",
        f'<script type="application/json" id="templates">{templates}</script>',
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(part for part in parts if part)


def _numbers(numbers: Sequence[Number]) -> Iterator[str]:
    yield '<ul class="numbers">'
    for one in numbers:
        yield (
            f'<li><span class="label">{escape(one.label)}</span> <strong>{escape(one.value)}</strong> '
            f'<span class="interval">{escape(one.interval)}</span></li>'
        )
    yield "</ul>"


def _chart(index: int, chart: Chart) -> Iterator[str]:
    figure, title, note = headless(chart.figure)
    drawn = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"chart-{index}",
        config={"responsive": True, "displaylogo": False},
    )
    yield f'<figure role="group" aria-label="{escape(chart.words, quote=True)}">'
    yield f"<h2>{escape(title)}</h2>" if title else ""
    yield f'<p class="note">{escape(note)}</p>' if note else ""
    yield f"{drawn}<figcaption>{escape(chart.words)}</figcaption></figure>"


def _list(lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield "<ul>"
        yield from (f"<li>{escape(line)}</li>" for line in lines)
        yield "</ul>"


def _table(table: Table) -> Iterator[str]:
    yield f"<h2>{escape(table.title)}</h2>"
    if table.note:
        yield f"<p>{escape(table.note)}</p>"
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title, quote=True)}"><table>'
    heads = "".join(_head(name, [row[column] for row in table.rows]) for column, name in enumerate(table.columns))
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    for place, row in enumerate(table.rows):
        mark = ' class="marked"' if place == table.marked else ""
        yield f"<tr{mark}>{''.join(map(_cell, row))}</tr>"
    yield "</tbody></table></div>"


def _head(name: str, cells: Sequence[Cell]) -> str:
    """A column's name, above its numbers at the right."""
    kind = ' class="number"' if any(isinstance(cell, tuple | int | float) for cell in cells) else ""
    return f'<th scope="col"{kind}><button type="button">{escape(name)}</button></th>'


def _cell(value: Cell) -> str:
    if value is None:
        return f'<td class="number">{NOT_KNOWN}</td>'
    if isinstance(value, str):
        broken = ' class="words"' if len(value) > WORDS else ""
        return f"<td{broken}>{escape(value)}</td>"
    number, text = value if isinstance(value, tuple) else (value, f"{value:.4g}")
    # The sorting script reads data-value.
    return f'<td class="number" data-value="{number!r}">{escape(text)}</td>'
