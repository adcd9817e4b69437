"""How the choice moves when price, traffic, budget or law changes: the same question asked again, changed."""

from dataclasses import dataclass, replace

import numpy as np

from moeconomics.errors import MoeconomicsError
from moeconomics.hardware import load_traffic
from moeconomics.laws import Law, published_laws
from moeconomics.planning.advice import rank_choices
from moeconomics.planning.candidate import USD_PER_MTOK
from moeconomics.planning.problem import Problem
from moeconomics.planning.realised import Choice, Rungs, choices, rungs
from moeconomics.shapes import n_dense, pick


@dataclass(frozen=True, kw_only=True)
class Variation:
    """The choice under one change; None and a note where the changed question has no answer."""

    what: str
    value: str
    experts: int | None
    n_dense: int | None
    tokens: float | None
    usd_per_mtok_output: float | None
    same_experts: bool | None
    note: str | None


def sensitivity(problem: Problem, chosen_experts: int) -> list[Variation]:
    """Halve and double the price and the budget; try the other traffic presets."""
    deployment = problem.deployment
    changed: list[tuple[str, str, Problem]] = []
    for factor in (0.5, 2.0):
        price = replace(deployment, usd_per_gpu_hour=deployment.usd_per_gpu_hour * factor)
        changed.append(("serving price", f"x{factor:g}", replace(problem, deployment=price)))
    for factor in (0.5, 2.0):
        budget = replace(problem, train_flops=problem.train_flops * factor)
        changed.append(("training budget", f"x{factor:g}", budget))
    now = deployment.traffic
    for name, preset in load_traffic().items():
        if name != now.name:
            own = {"ttft_ms": now.ttft_ms, "tpot_ms": now.tpot_ms, "requests_per_s": now.requests_per_s}
            traffic = preset.with_changes(**{key: value for key, value in own.items() if value is not None})
            changed.append(("traffic", name, replace(problem, deployment=replace(deployment, traffic=traffic))))
    return [_ask(what, value, one, chosen_experts) for what, value, one in changed]


def across_laws(problem: Problem, chosen_experts: int) -> list[Variation]:
    """Ask every published law the same question; those that can not answer say why."""
    return [
        _ask("law", law.name, _with_law(problem, law), chosen_experts, _refusal(problem, law))
        for law in published_laws().values()
    ]


def _with_law(problem: Problem, law: Law) -> Problem:
    answered = tuple(number for number in problem.experts if _answers(problem, law, number) is None)
    base = problem.base_experts if problem.base_experts in answered else min(answered, default=1)
    return replace(problem, published_law=law, experts=answered, base_experts=base)


def _answers(problem: Problem, law: Law, experts: int) -> str | None:
    return law.refusal(problem.relaxed(1024.0, experts), np.array([1e9, 1e10]))


def _refusal(problem: Problem, law: Law) -> str | None:
    """A law has a say only if it can compare numbers of experts."""
    reasons = [_answers(problem, law, number) for number in problem.experts]
    if sum(reason is None for reason in reasons) > min(1, len(reasons) - 1):
        return None
    return next(reason for reason in reasons if reason is not None)


def _ask(what: str, value: str, problem: Problem, chosen: int, refused: str | None = None) -> Variation:
    try:
        if refused is not None:
            raise MoeconomicsError(refused)
        table = rungs(problem)
        ranked = rank_choices(problem, table, choices(problem, table))
        if not ranked:
            raise MoeconomicsError("no model on the ladder can be served within the constraints")
    except MoeconomicsError as error:
        return Variation(
            what=what,
            value=value,
            experts=None,
            n_dense=None,
            tokens=None,
            usd_per_mtok_output=None,
            same_experts=None,
            note=str(error),
        )
    return _answer(what, value, table, ranked[0], chosen)


def _answer(what: str, value: str, table: Rungs, choice: Choice, chosen: int) -> Variation:
    shape = pick(table.shape, choice.index)
    return Variation(
        what=what,
        value=value,
        experts=choice.experts,
        n_dense=int(n_dense(shape)),
        tokens=choice.tokens,
        usd_per_mtok_output=float(table.usd_ER.ravel()[choice.index]) * USD_PER_MTOK,
        same_experts=choice.experts == chosen,
        note=None,
    )
