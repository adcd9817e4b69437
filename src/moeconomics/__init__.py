"""Which Mixture-of-Experts LLM should we train, so that it is good and cheap to serve?

    >>> from moeconomics import plan
    >>> answer = plan(train_flops=5.15e21, gpu="A100-SXM-40GB", max_gpus=8, experts=(1, 4, 8, 16, 32))
    >>> answer.recommended.experts
    32

The rooms, in the order in which they may import each other: shapes, laws, runs, fit, hardware, serving, profiling,
training, sweeps, planning, reports, cli.
"""

from moeconomics.errors import BadInput, Infeasible, MoeconomicsError
from moeconomics.planning import Plan, plan
from moeconomics.serving import Estimate, cost
from moeconomics.shapes import Counts, ModelShape, counts
from moeconomics.shapes.huggingface import from_hf, to_hf

__all__ = [
    "BadInput",
    "Counts",
    "Estimate",
    "Infeasible",
    "ModelShape",
    "MoeconomicsError",
    "Plan",
    "cost",
    "counts",
    "from_hf",
    "plan",
    "to_hf",
]
