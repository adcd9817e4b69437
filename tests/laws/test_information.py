"""The runs that tell most: against the closed form of linear regression, where draws and Fisher information agree."""

import numpy as np
import pytest

from moeconomics.laws import most_informative


@pytest.fixture
def linear():
    """Coefficients with a known covariance, ten possible runs (rows of a design) and an answer that is linear too."""
    generator = np.random.default_rng(3)
    mixing = generator.standard_normal((4, 4))
    draws = generator.standard_normal((200_000, 4)) @ mixing.T
    return mixing @ mixing.T, draws, generator.standard_normal((10, 4)), generator.standard_normal(4)


def posterior_deviation(covariance, designs, noise, answer):
    """sqrt(aᵀ (Σ⁻¹ + XᵀX/σ²)⁻¹ a): the textbook posterior of Bayesian linear regression."""
    precision = np.linalg.inv(covariance) + designs.T @ designs / noise**2
    return np.sqrt(answer @ np.linalg.inv(precision) @ answer)


def test_each_choice_leaves_the_deviation_of_the_textbook_posterior(linear):
    covariance, draws, designs, answer = linear
    found = most_informative(draws @ answer, draws @ designs.T, 0.5, None, count=3)
    for taken in (1, 2, 3):
        chosen = designs[[run.index for run in found[:taken]]]
        known = posterior_deviation(covariance, chosen, 0.5, answer)
        assert found[taken - 1].deviation_after == pytest.approx(known, rel=0.02)


def test_the_first_choice_is_the_best_of_all_runs_when_cost_does_not_count(linear):
    covariance, draws, designs, answer = linear
    best = min(range(10), key=lambda run: posterior_deviation(covariance, designs[[run]], 0.5, answer))
    assert most_informative(draws @ answer, draws @ designs.T, 0.5, None, count=1)[0].index == best


def test_the_budget_holds_for_all_runs_together(linear):
    _, draws, designs, answer = linear
    flops = np.linspace(1.0, 10.0, 10)
    found = most_informative(draws @ answer, draws @ designs.T, 0.5, flops, count=5, budget=7.5)
    assert found
    assert flops[[run.index for run in found]].sum() <= 7.5


def test_of_equal_runs_the_cheapest_is_taken(linear):
    _, draws, designs, answer = linear
    same = np.repeat(designs[:1], 3, axis=0)
    found = most_informative(draws @ answer, draws @ same.T, 0.5, np.array([3.0, 1.0, 2.0]), count=1)
    assert found[0].index == 1


def test_a_run_that_says_nothing_of_the_answer_is_not_chosen():
    generator = np.random.default_rng(0)
    draws = generator.standard_normal((1000, 2))
    draws[:, 1] -= draws[:, 0] * (draws[:, 0] @ draws[:, 1]) / (draws[:, 0] @ draws[:, 0])
    draws -= draws.mean(axis=0)
    draws[:, 1] -= draws[:, 0] * (draws[:, 0] @ draws[:, 1]) / (draws[:, 0] @ draws[:, 0])
    assert most_informative(draws[:, 0], draws[:, 1:], 0.1, None, count=1) == []
