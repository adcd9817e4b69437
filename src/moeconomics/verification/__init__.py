"""A plan put to the test: its models are trained, served and compared with what it predicted.

In: a plan that `plan -o` wrote, and how to train. Out: predictions, written before anything is trained; checkpoints and
their losses; throughput of the trained checkpoints in vLLM at saturation; and an `Outcome`, predicted against measured,
with a verdict on the paper's claim. Theory: Yun et al. 2024 (arXiv 2404.02852) §5, of which Algorithm 1's claim is
tested: equal quality at about half of the serving cost.
"""

from moeconomics.verification.outcome import Claim, Outcome, Trial, name_of
from moeconomics.verification.planned import BASE, DENSE, RECOMMENDED, Plan, read_plan
from moeconomics.verification.verify import verify

__all__ = ["BASE", "DENSE", "RECOMMENDED", "Claim", "Outcome", "Plan", "Trial", "name_of", "read_plan", "verify"]
