"""How the headline ratios move over chips, stored formats and architectures, and what granularity alone does.

Loss side: `joint2025` sees active size, full-width experts and tokens, and nothing of granularity or shared experts;
`zhao2025` sees how many experts a token uses and how many of them are shared. `krajewski2024` has granularity and
tokens at one number of experts (64, or 16): it can say what granularity saves, not which number of experts is best.
Price side: the operator model, which knows every expert's width, the router and the attention.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from moeconomics.laws import Law, get_law
from moeconomics.reproduction.claims import CLAIMS
from moeconomics.reproduction.measures import cost_at_loss, flops_at_loss, over_trained
from moeconomics.reproduction.question import Question
from moeconomics.reproduction.scale import PAPER, Scale
from moeconomics.reproduction.setting import VOCABULARY, Shaped
from moeconomics.shapes import ModelShape, get_architecture, relaxed
from moeconomics.units import Array

LAWS = ("joint2025", "zhao2025")
GRAINED_LAWS = ("krajewski2024-e16", "krajewski2024-e64")
COUNT = "6nd-active"
ONE_BUDGET = replace(PAPER, name="one budget", budgets=(5.15e21,))  # the paper's Fig. 6
FORMATS = (  # chip, weights, KV cache
    ("A100-SXM-40GB", "bf16", "bf16"),
    ("H100-SXM-80GB", "bf16", "bf16"),
    ("H100-SXM-80GB", "fp8", "fp8"),
    ("B200-SXM-180GB", "bf16", "bf16"),
    ("B200-SXM-180GB", "fp8", "fp8"),
    ("B200-SXM-180GB", "nvfp4", "fp8"),
)
_EVERY_LAYER = get_architecture("joint2025")
ARCHITECTURES = (
    get_architecture("yun2024"),
    _EVERY_LAYER,
    replace(
        _EVERY_LAYER, name="fine-grained", granularity=8, top_k=8, about="joint2025 with 8 of 8·E experts 1/8 as wide"
    ),
    replace(
        _EVERY_LAYER, name="fine-grained, shared", granularity=8, top_k=6, n_shared_experts=2,
        about="joint2025 with 6 of 8·E experts 1/8 as wide and 2 shared ones",
    ),
    get_architecture("mixtral"),
    get_architecture("deepseek"),
)  # fmt: skip
GRAINS = (1, 2, 4, 8, 16)
HALF = next(claim for claim in CLAIMS if claim.name == "about-half-or-less")


@dataclass(frozen=True, kw_only=True)
class Move:
    """Headlines under one law, chip, pair of formats and architecture; cost ratios as in `CLAIMS`, one budget.

    `cheapest`: number of experts, in units of the dense FFN, of the cheapest model at the dense optimum's loss;
    `not_excluded`: all whose cost the error band can not tell from it. `spread`: high over low end of that band.
    `saves`: both ratios are below 1 although numerator and denominator lie at opposite ends of the band;
    `half`: at most the claim's 52 % and its tolerance, likewise. None is unknown.
    """

    law: str
    gpu: str
    weights: str
    kv: str
    architecture: str
    cost_8_over_4: float | None
    cost_16_over_4: float | None
    cheapest: int | None
    not_excluded: tuple[int, ...]
    spread: float | None
    half_or_less: bool | None
    half_or_less_in_band: bool | None
    saves_in_band: bool | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {**vars(self), "not_excluded": list(self.not_excluded)}


@dataclass(frozen=True, kw_only=True)
class Grain:
    """What granularity does at a fixed number of full-width experts, by krajewski2024; over the loss-optimal model of
    granularity 1: training FLOPs and serving cost at its loss. None is unknown.
    """

    law: str
    experts: int
    gpu: str
    weights: str
    kv: str
    granularity: int
    flops: float | None
    cost: float | None
    cheaper_in_band: bool | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class Grained(Shaped):
    """In place of numbers of experts stand granularities G: G of G·E experts 1/G as wide, for one E."""

    experts: int
    numbers: tuple[int, ...] = GRAINS

    def shape(self, width: Array, experts: Array) -> ModelShape:
        """On the ladder's central line; `experts` are granularities."""
        grains: Array = np.asarray(experts)
        made = replace(self.architecture, granularity=grains, top_k=grains)
        return relaxed(made, width, grains * self.experts, VOCABULARY)


def how_they_move(laws: Sequence[Law]) -> list[Move]:
    """Every combination, of those of `LAWS` that are among `laws`."""
    asked = [law for law in laws if law.name in LAWS]
    found = []
    for architecture, (gpu, weights, kv) in product(ARCHITECTURES, FORMATS):
        setting = Shaped(cost_model="operator", gpu=gpu, precision=weights, kv_precision=kv, architecture=architecture)
        found += [_move(Question(law, setting, COUNT, ONE_BUDGET), setting) for law in asked]
    return sorted(found, key=lambda one: LAWS.index(one.law))


def _move(question: Question, setting: Shaped) -> Move:
    ratios = [_number(cost_at_loss(experts, 4)(question)) for experts in (8, 16)]
    sizes = over_trained(question, 1)
    costs = {experts: _number(question.cost(size, experts)) for experts, size in sizes.items()}
    known = {experts: usd for experts, usd in costs.items() if usd is not None}
    spread = setting.spread
    dearer = None if None in ratios else max(one for one in ratios if one is not None)
    least = min(known.values(), default=np.nan)
    return Move(
        law=question.law.name,
        gpu=setting.gpu,
        weights=setting.precision,
        kv=setting.kv_precision,
        architecture=setting.architecture.name,
        cost_8_over_4=ratios[0],
        cost_16_over_4=ratios[1],
        cheapest=min(known, key=lambda experts: known[experts]) if known else None,
        not_excluded=tuple(experts for experts, usd in known.items() if usd <= least * (spread or 1.0)),
        spread=spread,
        half_or_less=None if dearer is None else dearer <= HALF.accepted[1],
        half_or_less_in_band=None if dearer is None or spread is None else dearer * spread <= HALF.accepted[1],
        saves_in_band=None if dearer is None or spread is None else dearer * spread <= 1,
    )


def granularity_alone(laws: Sequence[Law]) -> list[Grain]:
    """Over chips and formats, of those of `GRAINED_LAWS` that are among `laws`."""
    scale: Scale = replace(ONE_BUDGET, experts=GRAINS)
    names = {law.name for law in laws}
    return [
        one
        for name in GRAINED_LAWS
        if name in names
        for gpu, weights, kv in FORMATS
        for one in _grains(get_law(name), gpu, weights, kv, scale)
    ]


def _grains(law: Law, gpu: str, weights: str, kv: str, scale: Scale) -> Iterator[Grain]:
    experts = int(law.fixed["experts"])
    setting = Grained(
        cost_model="operator", gpu=gpu, precision=weights, kv_precision=kv, architecture=_EVERY_LAYER, experts=experts
    )
    question = Question(law, setting, COUNT, scale)
    # At the edge of the memory the base costs what its last requests leave room for, and is no loss-optimum.
    fits = np.isfinite(setting.cost(1.05 * question.optimum(1), np.array(1))).all()
    for grain in GRAINS[1:]:
        cost = _number(cost_at_loss(grain, 1)(question)) if fits else None
        spread = setting.spread
        yield Grain(
            law=law.name,
            experts=experts,
            gpu=gpu,
            weights=weights,
            kv=kv,
            granularity=grain,
            flops=_number(flops_at_loss(grain, 1)(question)) if fits else None,
            cost=cost,
            cheaper_in_band=None if cost is None or spread is None else cost * spread <= 1,
        )


def _number(values: Array) -> float | None:
    """The one value of one law without draws at one budget; None where it is unknown."""
    value = float(np.asarray(values).ravel()[0])
    return value if np.isfinite(value) else None
