"""One specification to one training run.

In: a `RunSpec`: a shape, data and a recipe. Out: transformers checkpoints and rows of the runs table, one for each
token count. Needs the extra `train`. Theory: Yun et al. 2024 §3.1 and App. B; Hägele et al. 2024 (2405.18392) for
branches from a trunk of constant learning rate.
"""

from moeconomics.training.data import largest_vocabulary
from moeconomics.training.loop import Progress, failure, finished_rows, give_up, is_finished, train
from moeconomics.training.recipes import RECIPES, Recipe, get_recipe
from moeconomics.training.schedule import total_steps
from moeconomics.training.spec import RunSpec, read_spec
from moeconomics.training.state import DiskFull
from moeconomics.training.trainer import Trainer

__all__ = [
    "RECIPES",
    "DiskFull",
    "Progress",
    "Recipe",
    "RunSpec",
    "Trainer",
    "failure",
    "finished_rows",
    "get_recipe",
    "give_up",
    "is_finished",
    "largest_vocabulary",
    "read_spec",
    "total_steps",
    "train",
]
