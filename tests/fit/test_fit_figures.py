"""What a reader of a fit sees: figures whose labels can be read, numbers that say no more than they know."""

from dataclasses import replace

import numpy as np
import pytest

import moeconomics.fit as room
from moeconomics.cli.fit_text import FitAnswer, print_fit
from moeconomics.fit import NextRun, Rows
from moeconomics.laws import get_law
from moeconomics.reports.fit_figures import fit_figures
from moeconomics.reports.theme import log_axis

LAW = get_law("chinchilla2022")


@pytest.fixture(scope="module")
def sweep():
    """A fit of 13 computes with 7 sizes each: more than a figure of usual height can list."""
    computes = np.geomspace(1e18, 1e21, 13)
    size = (np.sqrt(computes / 120)[:, None] * np.geomspace(0.3, 3, 7)).ravel()
    tokens = np.repeat(computes, 7) / 6 / size
    rows = Rows(
        law=LAW,
        names=tuple(map(str, range(size.size))),
        variables={"n_dense": size, "tokens": tokens},
        loss=np.asarray(LAW.loss_of(LAW.coefficients, {"n_dense": size, "tokens": tokens})),
        group=np.arange(size.size),
        compute=6 * size * tokens,
        notes=(),
    )
    return room.fit(rows)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (1.5e10, 1.2e11, ["20B", "50B", "100B"]),
        (1.0, 512.0, ["1", "10", "100"]),
        (1.6e7, 1.3e9, ["30M", "100M", "300M", "1B"]),
    ],
)
def test_an_axis_names_few_values_in_full(low, high, labels):
    axis = log_axis(np.array([low, high]))
    assert axis["type"] == "log"
    assert axis["ticktext"] == labels


def test_an_axis_of_zeros_is_not_logarithmic():
    assert log_axis(np.zeros(3)) == {}


def test_every_compute_stands_in_the_legend_of_the_isoflop_figure(sweep):
    groups = room.isoflop(sweep, np.random.default_rng(0))
    assert len(groups) == 13
    figure = fit_figures(sweep, dict.fromkeys(sweep.space.names, (None, None)), groups)["isoflop"]
    listed = [trace.name for trace in figure.data if trace.showlegend]
    assert len(listed) == len(set(listed)) == 13
    assert figure.layout.height >= 200 + 29 * 13


@pytest.mark.parametrize(("numbers", "drawn"), [((1.0,), False), ((1.0, 8.0), True)])
def test_one_number_of_experts_is_no_curve(sweep, numbers, drawn):
    experts = np.resize(numbers, len(sweep.rows))
    rows = replace(sweep.rows, variables=sweep.rows.variables | {"experts": experts})
    figures = fit_figures(replace(sweep, rows=rows), dict.fromkeys(sweep.space.names, (None, None)), [])
    assert ("experts" in figures) == drawn


def test_runs_that_repeat_their_data_are_in_no_isoflop_group(sweep):
    law = get_law("muennighoff2023")
    tokens = sweep.rows.variables["tokens"]
    unique = np.where(np.arange(tokens.size) < 7, tokens / 4, tokens)  # the smallest compute repeats its data
    rows = replace(sweep.rows, law=law, variables=sweep.rows.variables | {"unique_tokens": unique})
    one = replace(sweep, rows=rows, coefficients=dict(law.coefficients))
    groups = room.isoflop(one, np.random.default_rng(0))
    assert min(group.flops for group in groups) > 1.5e18
    assert len(groups) == 12


def test_small_things_are_said_plainly(sweep, capsys):
    """A coefficient that is nothing is 0, a thousand experts are 1024, one outlier is not "1 outliers"."""
    loss = sweep.rows.loss * np.exp(0.001 * np.random.default_rng(0).standard_normal(len(sweep.rows)))
    loss[5] *= 1.1
    one = replace(sweep, rows=replace(sweep.rows, loss=loss), coefficients=dict(LAW.coefficients))
    profiles = dict.fromkeys(one.space.names, (None, None)) | {"alpha": (1e-127, 0.5)}
    run = NextRun(variables={"experts": 1024.0, "tokens": 2e10}, flops=1e20, deviation_before=0.2, deviation_after=0.1)
    answer = FitAnswer(
        fit=one,
        identified=room.identify(one, {name: (value, value) for name, value in one.coefficients.items()}),
        profiles=profiles,
        missing={},
        groups=[],
        proposed=(room.Decision(question="what", answer=np.zeros(1)), [run]),
    )
    print_fit(answer)
    printed = capsys.readouterr().out
    assert "e-127" not in printed
    assert "experts 1024, tokens 20B" in printed
    assert "outliers, kept in the fit: 1 (5)" in printed
