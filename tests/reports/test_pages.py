"""Reports in a real browser with the network off: no errors, tables that sort, no serious fault of accessibility."""

import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

import moeconomics.fit as room
from moeconomics import plan
from moeconomics.laws import get_law
from moeconomics.reports import cost_page, html, plan_page, reproduction_page
from moeconomics.reports.fit_figures import fit_figures
from moeconomics.reports.fit_page import fit_page
from moeconomics.reports.reproduction_figures import reproduction_figures
from moeconomics.reports.verification_page import verification_page
from moeconomics.reproduction import reproduce
from moeconomics.runs import load_runs
from moeconomics.serving import ServingInputs, cost, frontier
from moeconomics.shapes import get_model
from moeconomics.verification import read_plan, verify

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
PAGES = ("plan.html", "cost.html", "fit.html", "reproduction.html", "verification.html")
STUDY = Path(__file__).parents[2] / "studies" / "cpu-verify"
# Text of a chart that lies outside it, or that another chart or the page's edge cuts.
CUT = """charts => charts.flatMap(chart => {
  const frame = chart.closest("figure").getBoundingClientRect();
  const cut = text => {
    const box = text.getBoundingClientRect();
    const inside = box.left > frame.left - 1 && box.right < frame.right + 1;
    return !inside || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
  };
  const texts = [...chart.querySelectorAll("text")].filter(text => text.textContent && !text.closest(".hoverlayer"));
  return texts.filter(cut).map(text => text.textContent);
})"""


def fitted(folder):
    """The page of a fit of 30 made-up runs."""
    law, generator = get_law("joint2025"), np.random.default_rng(4)
    size, experts, tokens = (g.ravel() for g in np.meshgrid([1e8, 3e8, 1e9], [1, 4, 8, 16, 32], [3e9, 5e10]))
    loss = law.loss_of(law.coefficients, {"n_active": size, "experts": experts, "tokens": tokens})
    frame = pl.DataFrame(
        {
            "run_id": [f"run-{i}" for i in range(size.size)],
            "n_params": size,
            "n_active": size,
            "n_experts": experts.astype(int),
            "top_k": 1,
            "tokens": tokens,
            "loss": loss * np.exp(0.005 * generator.standard_normal(size.size)),
        }
    )
    frame.write_csv(folder / "runs.csv")
    frame = load_runs(str(folder / "runs.csv"))
    one = room.bootstrap(room.fit(room.rows_of(frame, law)), 20, generator)
    profiles = dict.fromkeys(one.space.names, (None, None)) | {"gamma": (0.1, 0.2)}
    return fit_page(
        one,
        room.identify(one, profiles),
        profiles,
        fit_figures(one, profiles, []),
        groups=[],
        scores=room.holdouts(one, "largest-compute"),
        compared=None,
        proposed=room.next_runs(one, 1, np.inf),
        warnings=["a note"],
        runs="runs.csv",
        sha256=room.sha256_of(frame),
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page of each kind as a file, and the plan of the first."""
    folder = tmp_path_factory.mktemp("pages")
    made = plan(train_flops=1e21, gpu="H100-SXM-80GB", experts=(1, 4, 16))
    serving = {"gpu": "H100-SXM-80GB", "traffic": "chat"}
    shape = get_model("mixtral-8x7b")
    study = Path(shutil.copytree(STUDY, folder / "study"))
    points = frontier(shape, ServingInputs(**serving).deployment())
    written = (
        plan_page(made),
        cost_page(cost(shape, **serving), points, "mixtral-8x7b", "H100-SXM-80GB, bf16, vllm"),
        fitted(folder),
        reproduction_page(reproduce(["joint2025"]), reproduction_figures()),
        verification_page(
            verify(read_plan(study / "plan.json", study / "train.yaml"), study, python=Path("not asked"))
        ),
    )
    for name, page in zip(PAGES, written, strict=True):
        (folder / name).write_text(html(page), encoding="utf-8")
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
    context.set_default_timeout(120_000)  # a loaded machine
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


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_offline_whole_and_accessible(opened, pages, name):
    page = opened(pages[0] / name)
    # Plotly's own toolbar and svg are its library's; everything else is ours.
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}, context={"exclude": [[".js-plotly-plot"]]})
    serious = [
        (one["id"], [node["html"][:120] for node in one["nodes"]][:3])
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert not serious
    assert page.locator(".numbers li").count() == 3
    assert not page.locator(".js-plotly-plot").evaluate_all(CUT)

    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    charts = "charts => [...new Set(charts.map(svg => getComputedStyle(svg).backgroundColor))]"
    assert page.locator(".js-plotly-plot .main-svg:first-child").evaluate_all(charts) == [ground]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("plan.html", "loss, nats/token"),
        ("cost.html", "batch"),
        ("fit.html", "estimate"),
        ("reproduction.html", "differ"),
    ],
)
def test_a_table_sorts_by_number_and_back(opened, pages, name, column):
    page = opened(pages[0] / name)
    table = page.locator("table").first
    head = table.locator("th", has_text=column)
    place = head.evaluate("cell => [...cell.parentElement.children].indexOf(cell)")

    def values():
        cells = table.locator(f"tbody td:nth-child({place + 1})")
        return [float(text) for text in cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")]

    before = values()
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert values() == sorted(before)
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert values() == sorted(before, reverse=True)
    assert len(set(before)) > 1


@pytest.mark.parametrize(
    ("name", "curve", "units"),
    [
        ("plan.html", 0, ("USD per million output tokens", "nats/token")),
        ("cost.html", 0, ("tokens/s per GPU", "tokens/s per user")),
        ("fit.html", 1, ("nats/token",)),
        ("reproduction.html", 1, ("training FLOPs", "nats/token")),
    ],
)
def test_hovering_a_point_shows_its_units(opened, pages, name, curve, units):
    page = opened(pages[0] / name)
    chart = page.locator(".js-plotly-plot").first
    subplot = chart.evaluate(f"chart => (chart.data[{curve}].xaxis ?? 'x') + (chart.data[{curve}].yaxis ?? 'y')")
    point = f"[{{curveNumber: {curve}, pointNumber: 0}}]"
    chart.evaluate(f"chart => Plotly.Fx.hover(chart, {point}, {subplot!r})")
    for unit in units:
        assert unit in chart.locator(".hoverlayer").text_content()


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_everything_without_sideways_scrolling(opened, pages, name):
    page = opened(pages[0] / name, PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert not page.locator(".js-plotly-plot").evaluate_all(CUT)
    plots = page.locator(".js-plotly-plot .nsewdrag")  # the ground of each panel
    widths = plots.evaluate_all("plots => plots.map(plot => plot.getBoundingClientRect().width)")
    assert min(widths) > 180, "panels stand one above the other"


def test_the_first_screen_is_the_answer(opened, pages):
    folder, made = pages
    page = opened(folder / "plan.html")
    assert made.advice.sentence in page.locator(".sentence").inner_text()
    marked = page.locator("tr.marked")
    assert marked.count() == 1
    assert str(made.recommended.experts) in marked.inner_text()
    for kind in made.provenance:
        assert page.locator("dt", has_text=kind).count() >= 1
    first = page.locator("figure").first
    assert first.bounding_box()["y"] < DESK["height"] / 2
    for panel in ("loss and cost", "loss and training", "cost and training", "recommended"):
        assert panel in first.text_content()


def test_a_page_follows_the_window_and_goes_back(browser, pages):
    page = browser.new_page(viewport=DESK)
    page.goto((pages[0] / "plan.html").as_uri())
    chart = page.locator(".js-plotly-plot").first
    domains = "chart => [chart.layout.xaxis, chart.layout.xaxis2, chart.layout.yaxis2].map(axis => axis.domain)"
    before = chart.evaluate(domains)
    page.set_viewport_size(PHONE)
    page.wait_for_function("document.querySelector('.js-plotly-plot').layout.xaxis2.domain[0] === 0")
    page.set_viewport_size(DESK)
    page.wait_for_function("document.querySelector('.js-plotly-plot').layout.xaxis2.domain[0] !== 0")
    assert chart.evaluate(domains) == before
    page.close()


def test_what_a_user_wrote_is_text_and_not_markup():
    serving = {"gpu": "H100-SXM-80GB", "traffic": "chat"}
    shape = get_model("mixtral-8x7b")
    points = frontier(shape, ServingInputs(**serving).deployment())
    text = html(cost_page(cost(shape, **serving), points, "<script>alert(1)</script>", "here"))
    assert "<h1>Serving &lt;script&gt;" in text
