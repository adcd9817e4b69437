"""`yun2024-reconstructed`: coefficients of the form of `yun2024` that give what its paper states; not the paper's.

Yun et al. 2024 print no coefficients, but sizes and FLOP ratios that follow from them. studies/yun2024-reconstruction
of the repository, whose report.py writes the file beside this one, looks for sets that give these; its page says which
outputs are missed and what stays open. The draws are the family of such sets; the level of the loss is a prior's.
"""

from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from moeconomics.laws.fitted import load_fitted
from moeconomics.laws.law import Law
from moeconomics.laws.yun2024 import YUN2024

NAME = "yun2024-reconstructed"


@cache
def yun2024_reconstructed() -> Law:
    """The law, read when it is asked for."""
    fitted = load_fitted(Path(str(files(__package__) / "yun2024_reconstructed.json")), {YUN2024.name: YUN2024})
    return replace(
        fitted,
        name=NAME,
        source=(
            "reconstructed from outputs stated in Yun et al. 2024 (studies/yun2024-reconstruction of this repository), "
            "NOT the paper's coefficients, which it does not print. Form: " + YUN2024.source
        ),
        loss_unit="nats/token; its level is a prior's, no stated output fixes it",
    )
