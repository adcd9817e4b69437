"""What a shape costs to serve: batch, latency, throughput and USD per million tokens on a chip under traffic.

In: a `ModelShape` (one or a grid), a `Deployment` (chip, price, traffic, precision, GPUs). Out: `Served`. Theory: Yun
et al. 2024 (arXiv 2404.02852) §4 and App. C, Eq. 5 and 6: memory left by the weights limits the batch, the batch sets
the throughput, the cheapest number of GPUs sets the price. Latency is a sum over operators that is calibrated on
measurements (`operators`, `coefficients`), the paper's roofline (`latency`, `paper`) or a measured profile.
"""

from moeconomics.serving.cost_models import DEFAULT_COST_MODEL, make_cost_model
from moeconomics.serving.deployment import MEMORY_SHARE, Deployment, gpu_options
from moeconomics.serving.estimate import (
    CostInputs,
    Estimate,
    cost,
    infeasible,
    known,
    serving_provenance,
    serving_warnings,
    whole,
)
from moeconomics.serving.frontier import Frontier, frontier
from moeconomics.serving.inputs import ServingInputs
from moeconomics.serving.latency import ASSUMED, OPTIMISTIC, PESSIMISTIC, Efficiency, Latency, Roofline
from moeconomics.serving.layout import Layout
from moeconomics.serving.operator_cost import LAYOUTS, OperatorCost
from moeconomics.serving.paper import PaperCost
from moeconomics.serving.rows import answer_rows
from moeconomics.serving.served import CostModel, CostModelMaker, Served, cheapest
from moeconomics.serving.size import SizeCost

__all__ = [
    "ASSUMED",
    "DEFAULT_COST_MODEL",
    "LAYOUTS",
    "MEMORY_SHARE",
    "OPTIMISTIC",
    "PESSIMISTIC",
    "CostInputs",
    "CostModel",
    "CostModelMaker",
    "Deployment",
    "Efficiency",
    "Estimate",
    "Frontier",
    "Latency",
    "Layout",
    "OperatorCost",
    "PaperCost",
    "Roofline",
    "Served",
    "ServingInputs",
    "SizeCost",
    "answer_rows",
    "cheapest",
    "cost",
    "frontier",
    "gpu_options",
    "infeasible",
    "known",
    "make_cost_model",
    "serving_provenance",
    "serving_warnings",
    "whole",
]
