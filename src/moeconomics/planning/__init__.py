"""Law x serving x budget: which model to train.

In: a training budget, hardware, traffic, a law (`PlanInputs`). Out: a `Plan` with candidates, the recommended
one, the Pareto frontier and the sensitivity of the choice.
Theory: Yun et al. 2024 (arXiv 2404.02852) §5 and App. E (Algorithms 1 and 2); Sardana & Frankle 2023
(2401.00448) for the lifetime cost. `continuous` solves by root finding as the paper does, `realised` by
searching the ladder of trainable shapes.
"""

from moeconomics.planning.advice import SURE, Advice
from moeconomics.planning.candidate import Candidate, Continuous
from moeconomics.planning.continuous import Tradeoff, bounded_cost, bounded_loss, lifetime, loss_optimal
from moeconomics.planning.frontier import frontier, pareto
from moeconomics.planning.inputs import ALL_LAWS, PlanInputs, resolve
from moeconomics.planning.plan import Plan, plan
from moeconomics.planning.problem import Problem
from moeconomics.planning.realised import LOSS_OPTIMAL, choices, loss_under_budget, rungs
from moeconomics.planning.sensitivity import Variation
from moeconomics.planning.uncertainty import Spread, Uncertainty

__all__ = [
    "ALL_LAWS",
    "LOSS_OPTIMAL",
    "SURE",
    "Advice",
    "Candidate",
    "Continuous",
    "Plan",
    "PlanInputs",
    "Problem",
    "Spread",
    "Tradeoff",
    "Uncertainty",
    "Variation",
    "bounded_cost",
    "bounded_loss",
    "choices",
    "frontier",
    "lifetime",
    "loss_optimal",
    "loss_under_budget",
    "pareto",
    "plan",
    "resolve",
    "rungs",
]
