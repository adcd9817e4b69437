"""One colour for each number of experts, visible on both grounds and to colour-blind eyes."""

from itertools import combinations

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest

from moeconomics.reports.theme import (
    ACCENT,
    COLOURS,
    DARK,
    LIGHT,
    NEUTRAL,
    SECOND,
    colour_of,
    curve,
    experts_axis,
    headless,
    line_of,
    log_axis,
    scale_colour,
    styled,
    symbol_of,
)

NUMBERS = tuple(2**power for power in range(10))
# Machado, Oliveira & Fernandes 2009, severity 1: linear RGB as the eye sees it.
SIGHTS = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour):
    text = colour.strip()
    if text.startswith("rgb"):
        parts = [float(part) for part in text[4:-1].split(",")]
    else:
        parts = [int(text[at : at + 2], 16) for at in (1, 3, 5)]
    share = np.array(parts) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def contrast(one, two):
    light, dark = sorted((float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(colour, sight):
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ np.clip(np.array(SIGHTS[sight]) @ linear(colour), 0, 1) / [0.9505, 1.0, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("ground", [LIGHT, DARK])
def test_every_line_stands_out_from_both_grounds(ground):
    back = ground.layout.paper_bgcolor
    lines = [*COLOURS, ACCENT, SECOND, NEUTRAL, *(scale_colour(share) for share in np.linspace(0, 1, 21))]
    assert min(contrast(line, back) for line in lines) >= 3
    assert contrast(ground.layout.font.color, back) >= 7


@pytest.mark.parametrize("sight", SIGHTS)
def test_numbers_of_experts_differ_in_hue_or_in_dash(sight):
    for one, two in combinations(NUMBERS, 2):
        if line_of(one)["dash"] == line_of(two)["dash"]:
            assert np.linalg.norm(lab(colour_of(one), sight) - lab(colour_of(two), sight)) > 12, (one, two)


def test_a_number_of_experts_looks_the_same_whatever_else_is_shown():
    assert len({colour_of(number) for number in NUMBERS}) == len(NUMBERS)
    assert len({symbol_of(number) for number in NUMBERS}) == len(NUMBERS)
    figures = [go.Figure(), go.Figure()]
    for figure, numbers in zip(figures, ((1, 8, 64), (8, 32)), strict=True):
        for number in numbers:
            curve(figure, number, [1, 2], [1, 2], ("x", "y"))
    eights = [next(trace for trace in figure.data if trace.name == "E = 8") for figure in figures]
    assert eights[0].line == eights[1].line
    assert line_of(160) != line_of(128)


def test_a_long_heading_is_broken_and_can_be_taken_off():
    title = "A title of many words " * 8
    figure = styled(go.Figure(), title, "a note", width=600, height=300)
    assert figure.layout.template == pio.templates["moeconomics"]
    assert max(map(len, figure.layout.title.text.split("<br>"))) * 8 <= 600
    plain, said, note = headless(figure)
    assert (said, note) == (title.strip(), "a note")
    assert plain.layout.title.text is None
    assert plain.layout.height < figure.layout.height


def test_a_panels_axis_has_few_labels():
    assert experts_axis([1, 4, 8, 16, 32])["ticktext"] == ["1", "4", "8", "16", "32"]
    assert len(experts_axis(NUMBERS)["ticktext"]) <= 6
    assert log_axis([2e21, 1e22], scientific=True)["ticktext"] == ["2e+21", "5e+21", "1e+22"]
    assert "tickvals" not in log_axis([1.1, 1.4])
