"""`Recipe`: how the learning rate, the optimiser and the router losses are set; named, printed, and never hidden."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

from moeconomics.errors import unknown_name


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named training recipe: AdamW with a schedule of the learning rate.

    `peak_lr` maps (active parameters without embeddings, experts) to the peak rate. "cosine" falls from the peak to
    `final_share` of it over the whole run; "wsd" stays at the peak and falls as 1 − √x over the last `decay_share` of
    the tokens (Hägele et al. 2024, arXiv 2405.18392), so that one trunk can be annealed at many token counts.
    `balance`, `z`: weights of the load-balancing loss (Switch, arXiv 2101.03961, Eq. 4-6) and of the router's z-loss
    (ST-MoE, 2202.08906, Eq. 5); `bias_step`: step of the bias of routers that have one (DeepSeek-V3, 2412.19437).
    """

    name: str
    about: str
    schedule: Literal["cosine", "wsd"]
    peak_lr: Callable[[float, int], float]
    warmup_share: float
    final_share: float
    decay_share: float
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    balance: float = 0.01
    z: float = 0.001
    bias_step: float = 0.001

    def as_json(self) -> dict[str, Any]:
        """Every number as a plain value; the rule of the learning rate by its name."""
        return {
            field.name: getattr(self, field.name) if field.name != "peak_lr" else self.peak_lr.__name__
            for field in fields(self)
        }

    def factor(self, step: int, steps: int | None, warmup: int) -> float:
        """Learning rate over its peak at `step` of a run of `steps`; None is a trunk, which does not fall."""
        if step < warmup:
            return (step + 1) / warmup
        if steps is None:
            return 1.0
        if self.schedule == "cosine":
            done = (step - warmup) / max(steps - warmup, 1)
            return self.final_share + (1 - self.final_share) * (1 + math.cos(math.pi * done)) / 2
        decay = self.decay_steps(steps)
        into = step - (steps - decay)
        return 1.0 if into < 0 else self.final_share + (1 - self.final_share) * (1 - math.sqrt((into + 1) / decay))

    def branch_at(self, steps: int) -> int:
        """Step at which a run of `steps` leaves the trunk; a cosine has no trunk."""
        return steps - self.decay_steps(steps) if self.schedule == "wsd" else 0

    def decay_steps(self, steps: int) -> int:
        """Steps of the final decay of a "wsd" run of `steps`; the branch from the trunk."""
        return max(1, round(self.decay_share * steps))


def kaplan_lr(n_active: float, experts: int) -> float:  # noqa: ARG001 - the rule knows no experts
    """Kaplan et al. 2020 (arXiv 2001.08361, App. D.6), the rule of Yun et al. 2024, App. B."""
    return 0.003239 - 0.0001395 * math.log(n_active)


def joint_lr(n_active: float, experts: int) -> float:
    """Ludziejewski et al. 2025 (arXiv 2502.05172): exp(8.39 − 0.81 ln N − 0.25 ln E), here at most `TINY_LR`."""
    return min(TINY_LR, math.exp(8.39 - 0.81 * math.log(n_active) - 0.25 * math.log(experts)))


# The rule was fitted above 10 M parameters; at 1 M it would ask for 0.06. The bound is the best of the rates that
# were tried at the smallest size of studies/cpu-python-stdlib.
TINY_LR = 2e-3

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="yun2024",
            about="the paper's (App. B): cosine to 10 %, warm-up 3 %, Kaplan's learning-rate rule",
            schedule="cosine",
            peak_lr=kaplan_lr,
            warmup_share=0.03,
            final_share=0.1,
            decay_share=0.97,
        ),
        Recipe(
            name="wsd",
            about="constant rate with a 1-sqrt decay over the last 20 %, the joint law's learning-rate rule",
            schedule="wsd",
            peak_lr=joint_lr,
            warmup_share=0.03,
            final_share=0.0,
            decay_share=0.2,
        ),
    )
}


def get_recipe(name: str) -> Recipe:
    """Find a recipe by name. Errors: `BadInput` with the nearest known name."""
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]
