"""docs/reproduction.md is the code's, and the readings that a user sees are."""

from pathlib import Path

from moeconomics.reproduction import Abstract, reproduce, summarise

PAGE = Path(__file__).parents[2] / "docs" / "reproduction.md"


def test_what_needs_no_serving_cost_stands_on_the_page_as_the_code_says_it():
    """The claims with costs take 20 s; `moeconomics reproduce -o DIR` writes the whole page."""
    page = PAGE.read_text(encoding="utf-8")
    summaries = [one for one in summarise(reproduce(settings=(Abstract(),))) if not one.claim.priced]
    assert len(summaries) > 8
    for one in summaries:
        row = f"| {one.ours_text} | {one.agree} | {one.differ} | {one.undecided} | {one.standing} |"
        assert f"`{one.claim.name}` ({one.claim.where}) | {one.claim.paper}" in page
        assert row in page
        assert one.sentence in page
