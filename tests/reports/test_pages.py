"""Reports in a real browser with the network off: no errors, tables that sort, no serious fault of accessibility."""

import os
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from moeconomics import plan
from moeconomics.reports import cost_page, html, plan_page
from moeconomics.serving import ServingInputs, cost, frontier
from moeconomics.shapes import get_model

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A plan's and an estimate's page as files."""
    folder = tmp_path_factory.mktemp("pages")
    made = plan(train_flops=1e21, gpu="H100-SXM-80GB", experts=(1, 4, 16))
    (folder / "plan.html").write_text(html(plan_page(made)), encoding="utf-8")
    serving = {"gpu": "H100-SXM-80GB", "traffic": "chat"}
    shape = get_model("mixtral-8x7b")
    points = frontier(shape, ServingInputs(**serving).deployment())
    page = cost_page(cost(shape, **serving), points, "mixtral-8x7b", "H100-SXM-80GB, bf16, vllm")
    (folder / "cost.html").write_text(html(page), encoding="utf-8")
    return folder, made


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: .ci/run installs Debian's")
        pytest.skip("needs Chromium or Chrome")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=path, args=flags)
        yield opened
        opened.close()


@pytest.fixture(params=["light", "dark"])
def opened(browser, request):
    """A page opener whose context has no network; collects what the console complains of."""
    context = browser.new_context(offline=True, color_scheme=request.param, viewport=DESK)
    complaints: list[str] = []

    def go(file, viewport=DESK):
        page = context.new_page()
        page.set_viewport_size(viewport)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(file.as_uri())
        page.wait_for_selector(".js-plotly-plot .main-svg")
        return page

    yield go
    context.close()
    assert not complaints


@pytest.mark.parametrize("name", ["plan.html", "cost.html"])
def test_a_page_opens_offline_and_is_accessible(opened, pages, name):
    page = opened(pages[0] / name)
    # Plotly's own toolbar and svg are its library's; everything else is ours.
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}, context={"exclude": [[".js-plotly-plot"]]})
    serious = [
        (one["id"], [node["html"][:120] for node in one["nodes"]][:3])
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert not serious


def test_the_table_sorts_by_number_and_back(opened, pages):
    page = opened(pages[0] / "plan.html")
    column = page.locator("table").first.locator("th", has_text="loss, nats/token")
    place = column.evaluate("cell => [...cell.parentElement.children].indexOf(cell)")

    def values():
        cells = page.locator("table").first.locator(f"tbody td:nth-child({place + 1})")
        return [float(text) for text in cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")]

    before = values()
    column.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert values() == sorted(before)
    assert column.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert values() == sorted(before, reverse=True)
    assert before != sorted(before)


def test_hovering_a_point_shows_its_units(opened, pages):
    page = opened(pages[0] / "cost.html")
    page.locator(".js-plotly-plot").evaluate("chart => Plotly.Fx.hover(chart, [{curveNumber: 0, pointNumber: 0}])")
    assert "tokens/s per GPU" in page.locator(".hoverlayer").text_content()


def test_a_phone_shows_everything_without_sideways_scrolling(opened, pages):
    page = opened(pages[0] / "plan.html", PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_first_screen_is_the_answer(opened, pages):
    folder, made = pages
    page = opened(folder / "plan.html")
    assert made.advice.sentence in page.locator(".sentence").inner_text()
    assert page.locator(".numbers li").count() == 3
    marked = page.locator("tr.marked")
    assert marked.count() == 1
    assert str(made.recommended.experts) in marked.inner_text()
    for kind in made.provenance:
        assert page.locator("dt", has_text=kind).count() >= 1


def test_what_a_user_wrote_is_text_and_not_markup():
    serving = {"gpu": "H100-SXM-80GB", "traffic": "chat"}
    shape = get_model("mixtral-8x7b")
    points = frontier(shape, ServingInputs(**serving).deployment())
    text = html(cost_page(cost(shape, **serving), points, "<script>alert(1)</script>", "here"))
    assert "<h1>Serving &lt;script&gt;" in text
