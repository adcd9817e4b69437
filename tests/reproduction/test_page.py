"""docs/reproduction.md is the code's, and the readings that a user sees are."""

from pathlib import Path

import pytest

from moeconomics.laws import get_law
from moeconomics.reproduction import (
    CPU,
    PAPER,
    Abstract,
    how_they_move,
    markdown,
    reproduce,
    summarise,
    tables_by_factor,
)

PAGE = Path(__file__).parents[2] / "docs" / "reproduction.md"


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text(encoding="utf-8")


def test_what_needs_no_serving_cost_stands_on_the_page_as_the_code_says_it(page):
    """The claims with costs take 20 s; `moeconomics reproduce -o DIR` writes the whole page."""
    summaries = [one for one in summarise(reproduce(settings=(Abstract(),), scales=(PAPER,))) if not one.claim.priced]
    assert len(summaries) > 8
    _, rows = tables_by_factor(summaries)["By law"]
    assert len(rows) > 4
    assert [row for row in rows if f"| {' | '.join(row)} |" not in page] == []
    for one in summaries:
        row = f"| {one.ours_text} | {one.agree} | {one.differ} | {one.undecided} | {one.standing} |"
        assert f"`{one.claim.name}` ({one.claim.where}) | {one.claim.paper}" in page
        assert row in page
        assert one.sentence in page


def test_the_studys_own_scale_stands_on_the_page_as_the_code_says_it(page):
    """Without the measured profiles, whose rows have their file's name."""
    made = markdown(reproduce(["cpu-study", "cpu-study-joint2025"], scales=(CPU,)))
    rows = [
        line for line in made.splitlines() if line.startswith("| `") and (" | size |" in line or " | none |" in line)
    ]
    assert len(rows) > 12
    assert [row for row in rows if row not in page] == []


def test_the_moves_stand_on_the_page_as_the_code_says_them(page):
    made = markdown([], how_they_move([get_law("joint2025")]))
    rows = [line for line in made.splitlines() if line.startswith(("| A100", "| H100", "| B200"))]
    assert len(rows) == 6
    assert [row for row in rows if row not in page] == []
