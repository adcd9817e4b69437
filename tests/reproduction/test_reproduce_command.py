"""`moeconomics reproduce` as a user drives it, and the figures it writes."""

import csv
import json

import numpy as np
import pytest

from moeconomics.laws import get_law, known_laws, published_laws
from moeconomics.reports.reproduction_figures import reproduction_figures
from moeconomics.reports.theme import colour_of, label_of
from moeconomics.reproduction import EXPERTS

KEYS = {"claim", "paper", "ours", "law", "cost_model", "flops_convention", "verdict"}
NAMES = {
    "fig1-loss-against-experts", "fig2-cost-against-size", "fig3-trilemma", "fig4-loss-cost", "fig5-bounded-loss",
    "fig6-bounded-cost", "fig8-cache-against-size",
}  # fmt: skip


@pytest.fixture(scope="module")
def figures():
    return reproduction_figures()


def test_json_has_the_stable_keys_and_a_folder_holds_the_table(run, tmp_path, monkeypatch):
    drawn = []

    def without_a_browser(figures):
        drawn.extend(figures)
        return {}, "pictures need a browser"

    monkeypatch.setattr("moeconomics.reports.pictures.pictures", without_a_browser)
    code, out, _ = run("reproduce", "--law", "joint2025", "--json", "-o", str(tmp_path / "made"))
    assert code == 0
    answer = json.loads(out)
    assert all(one.keys() >= KEYS for one in answer["claims"])
    assert {one["verdict"] for one in answer["claims"]} <= {"agrees", "differs", "can not be decided"}
    assert {one["cost_model"] for one in answer["claims"]} == {
        None, "size", "paper on A100-SXM-40GB", "operator on A100-SXM-40GB", "operator on H100-SXM-80GB",
        "operator on B200-SXM-180GB", "operator on B200-SXM-180GB fp8",
    }  # fmt: skip
    by = next(one["by"] for one in answer["summary"] if one["claim"] == "cost-8-over-4")
    assert by.keys() == {"law", "cost_model"}
    assert all(part.keys() == {"ours", "agree", "decided"} for parts in by.values() for part in parts.values())
    assert json.loads((tmp_path / "made" / "claims.json").read_text(encoding="utf-8")) == answer
    with (tmp_path / "made" / "claims.csv").open(encoding="utf-8") as file:
        assert [row["claim"] for row in csv.DictReader(file)] == [one["claim"] for one in answer["claims"]]
    written = {path.name for path in (tmp_path / "made").iterdir()}
    assert written == {
        "claims.json",
        "claims.csv",
        "reproduction.md",
        "report.html",
        *(f"{name}.html" for name in NAMES),
    }
    assert drawn, "a missing browser stops the pictures, not the answer"


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--law", "joint2024"], "Did you mean 'joint2025'"), (["-o", "/proc/none"], "can not write to /proc/none")],
)
def test_mistakes_are_answered_in_words(run, words, message):
    code, out, error = run("reproduce", *words)
    assert code == 2
    assert message in error
    assert not out


def test_every_figure_of_the_paper_has_a_counterpart(figures):
    assert figures.keys() == NAMES
    for figure in figures.values():
        assert figure.layout.title.text
        axes = [axis for axis in figure.layout if axis.startswith(("xaxis", "yaxis"))]
        assert any(figure.layout[axis].title.text for axis in axes)
        assert all(len(trace.x) and np.isfinite(np.asarray(trace.y, dtype=float)).all() for trace in figure.data)


def test_a_number_of_experts_has_one_colour_in_all_figures(figures):
    colours = {label_of(number): colour_of(number) for number in EXPERTS}
    seen = set()
    for figure in figures.values():
        for trace in figure.data:
            if trace.name in colours:
                seen.add(trace.name)
                assert trace.line.color == colours[trace.name]
    assert seen == colours.keys()


def test_the_reconstructed_law_says_what_it_is():
    law = get_law("yun2024-reconstructed")
    assert "NOT the paper's coefficients" in law.source
    assert "not the paper's" in law.fit_error
    assert law.draws is not None
    assert "yun2024-reconstructed" in known_laws()
    assert "yun2024-reconstructed" not in published_laws()
