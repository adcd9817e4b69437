"""`cpu-study`: the form of `yun2024` fitted to this project's own grid of tiny models, with its draws.

0.16 to 3 million parameters on 2.5 to 10 million tokens of Python source (studies/cpu-python-stdlib of the repository,
whose report.py writes the file beside this one). It is there to check the whole chain, from training to a plan, on
measurements of one's own; what it says of large models is an extrapolation by three decades and more.
"""

from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from moeconomics.laws.fitted import load_fitted
from moeconomics.laws.law import Law
from moeconomics.laws.yun2024 import YUN2024

NAME = "cpu-study"


@cache
def cpu_study() -> Law:
    """The law, read when it is asked for: its draws take 100 KB."""
    fitted = load_fitted(Path(str(files(__package__) / "cpu_study.json")), {YUN2024.name: YUN2024})
    return replace(
        fitted,
        name=NAME,
        family={"top_k": (2,), "moe_every": (2,), "granularity": (1,), "n_shared_experts": (0,)},
        source="studies/cpu-python-stdlib of this repository, measured and fitted; tiny scale. Form: " + YUN2024.source,
        loss_unit="nats/token, source of Python's standard library, BPE-2048",
    )
