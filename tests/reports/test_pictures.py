"""Pictures of figures: as large as the figure says, both formats, or the reason why there are none."""

import os
import shutil
from pathlib import Path

import plotly.graph_objects as go
import pytest

from moeconomics.errors import BadInput
from moeconomics.reports.pictures import drawn, pictures
from moeconomics.reports.theme import curve, styled


def figure(width):
    made = go.Figure()
    curve(made, 4, [1, 2], [3, 4], ("tokens", "nats/token"))
    return styled(made, "A title", "a note", width=width)


@pytest.fixture
def chrome():
    if shutil.which("chromium") is None and shutil.which("google-chrome") is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: .ci/run installs Debian's")
        pytest.skip("needs Chromium or Chrome")


@pytest.mark.usefixtures("chrome")
def test_a_picture_has_the_size_of_its_figure():
    figures = {"small": figure(500), "large": figure(1000)}
    made, missing = pictures(figures)
    assert missing is None
    assert made.keys() == {"small.png", "small.svg", "large.png", "large.svg"}
    for name, one in figures.items():
        png = made[f"{name}.png"]
        assert png.startswith(b"\x89PNG")
        size = [int.from_bytes(png[at : at + 4], "big") for at in (16, 20)]  # of the header
        assert size == [one.layout.width, one.layout.height]
        assert f'width="{one.layout.width}"'.encode() in made[f"{name}.svg"][:300]


def test_without_a_browser_the_reason_is_said(monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", "/nowhere")
    made, missing = pictures({"one": figure(500)})
    assert not made
    assert "need Chrome or Chromium" in missing


def test_another_ending_is_refused():
    with pytest.raises(BadInput, match=r"a picture of its chart \.png or \.svg"):
        drawn(figure(500), Path("chart.pdf"))
