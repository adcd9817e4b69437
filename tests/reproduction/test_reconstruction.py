"""studies/yun2024-reconstruction: its page and law are the code's, and the law gives what the paper states."""

from pathlib import Path

import numpy as np
import pytest

from moeconomics.laws import get_law

STUDY = Path(__file__).parents[2] / "studies" / "yun2024-reconstruction"


@pytest.fixture(scope="module")
def report(study_report):
    return study_report("yun2024-reconstruction")


@pytest.fixture(scope="module")
def sets(report):
    """The shipped sets in standard deviations of the prior."""
    law = get_law("yun2024-reconstructed")
    columns = []
    for name, (mean, deviation) in report.PRIOR.items():
        values = np.array([law.coefficients[name], *law.draws[name]])
        columns.append(((np.log(values) if report.FORM.parameters[name].log else values) - mean) / deviation)
    return np.stack(columns, axis=-1)


def test_the_tables_of_the_page_are_the_codes(report, sets):
    page = (STUDY / "README.md").read_text(encoding="utf-8")
    for table in (report.outputs_table(sets)[0], report.coefficients_table(sets)[0]):
        assert table in page
    assert report.others_table(report.law_of(sets[0])) in page


def test_the_law_says_which_outputs_it_misses(report, sets):
    violated = report.outputs_table(sets)[1]
    said = get_law("yun2024-reconstructed").fit_error
    assert f"{len(report.OUTPUTS) - len(violated)} of {len(report.OUTPUTS)} fitted outputs" in said
    assert all(name in said for name in violated)


def test_the_best_set_is_a_minimum(report, sets):
    """No step of a tenth of the prior's deviation along any coefficient is nearer to outputs and prior."""
    middle = (report.residuals(sets[0]) ** 2).sum()
    steps = np.concatenate([sets[0] + 0.1 * np.eye(10), sets[0] - 0.1 * np.eye(10)])
    inside = (steps >= report.BOUNDS[0]).all(axis=1) & (steps <= report.BOUNDS[1]).all(axis=1)
    assert ((report.residuals(steps[inside]) ** 2).sum(axis=1) > middle).all()


def test_the_other_reading_fits_worse(report, sets):
    """With sizes and FLOPs of N the same starting point ends farther from what the paper states."""
    disturbed = np.zeros(report.residuals(sets[0]).shape[-1])
    _, cost = report.best(sets[0], disturbed, report.OTHER_READING)
    assert cost > 2 * (report.residuals(sets[0]) ** 2).sum() / 2
