"""How the choice moves when price, traffic, budget or law changes: the same question asked again, changed."""

from dataclasses import dataclass, replace

from moeconomics.errors import BadInput
from moeconomics.hardware import load_traffic
from moeconomics.laws import Law, published_laws
from moeconomics.planning.advice import rank_choices
from moeconomics.planning.candidate import USD_PER_MTOK
from moeconomics.planning.problem import Problem, answerable, default_base
from moeconomics.planning.realised import choices, rungs
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
    """Ask every published law the same question; those that can not compare numbers of experts say why."""
    return [_ask_law(problem, law, chosen_experts) for law in published_laws().values()]


def _ask_law(problem: Problem, law: Law, chosen: int) -> Variation:
    answered, reasons = answerable(law, problem.architecture, problem.vocab_size, problem.experts)
    if len(answered) < min(2, len(problem.experts)):
        return _no_answer("law", law.name, reasons[0])
    base = problem.base_experts if problem.base_experts in answered else default_base(answered)
    changed = replace(problem, published_law=law, experts=answered, base_experts=base)
    return _ask("law", law.name, changed, chosen)


def _ask(what: str, value: str, problem: Problem, chosen: int) -> Variation:
    try:
        table = rungs(problem)
    except BadInput as error:  # as of a measured profile, which prices only lengths that were measured
        return _no_answer(what, value, str(error))
    ranked = rank_choices(problem, table, choices(problem, table))
    if not ranked:
        return _no_answer(what, value, "no model on the ladder can be served within the constraints")
    best = ranked[0]
    return Variation(
        what=what,
        value=value,
        experts=best.experts,
        n_dense=int(n_dense(pick(table.shape, best.index))),
        tokens=best.tokens,
        usd_per_mtok_output=float(table.usd_ER.ravel()[best.index]) * USD_PER_MTOK,
        same_experts=best.experts == chosen,
        note=None,
    )


def _no_answer(what: str, value: str, note: str) -> Variation:
    return Variation(
        what=what,
        value=value,
        experts=None,
        n_dense=None,
        tokens=None,
        usd_per_mtok_output=None,
        same_experts=None,
        note=note,
    )
