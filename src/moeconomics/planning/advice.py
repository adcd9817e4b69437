"""Which candidate to train, why, and what binds: the recommendation in words."""

from dataclasses import dataclass

import numpy as np

from moeconomics.planning.candidate import Candidate
from moeconomics.planning.problem import Problem
from moeconomics.planning.realised import BOUNDED_LOSS, LIFETIME, LOSS_OPTIMAL, Choice, Rungs
from moeconomics.units import count_text

SURE = 0.9  # a comparison is decided when this share of the draws agrees
TIE = 0.02  # costs this close are not told apart: the ladder's own step


@dataclass(frozen=True, kw_only=True)
class Advice:
    """The recommended candidate beside the base and the dense baseline, in words.

    `chances`: over the law's draws, how often the recommended model's loss is below that of the base, the dense
    baseline, its own optimum and the next best choice; None for a law without draws.
    """

    recommended: Candidate
    sentence: str
    reason: str
    comparisons: tuple[str, ...]
    chances: dict[str, float | None]
    binds: tuple[str, ...]


def rank_choices(problem: Problem, table: Rungs, found: list[Choice]) -> list[Choice]:
    """Choices worth recommending, best first.

    With a lifetime, by total cost; else Algorithm 1 against the base's quality, by serving cost; where neither
    exists (one number of experts), the loss-optimal models by loss, as `choices` has them.
    """
    usd = table.usd_ER.ravel()
    if problem.lifetime_tokens is not None:
        per_token = table.flops_per_token_ER.ravel() * problem.usd_per_train_flop
        served = problem.lifetime_tokens
        return sorted(
            (choice for choice in found if choice.rule == LIFETIME),
            key=lambda choice: per_token[choice.index] * choice.tokens + served * usd[choice.index],
        )
    bounded = [
        choice for choice in found if choice.rule == BOUNDED_LOSS and choice.base_experts == problem.base_experts
    ]
    base = [choice for choice in found if choice.rule == LOSS_OPTIMAL and choice.experts == problem.base_experts]
    return sorted(bounded + base, key=lambda choice: usd[choice.index]) or found


def advise(problem: Problem, ranked: list[Candidate], all_candidates: list[Candidate]) -> Advice:
    """Put the best of `ranked` into words, with what it saves and gives up."""
    best = ranked[0]
    optimal = {one.experts: one for one in all_candidates if one.rule == LOSS_OPTIMAL}
    base = optimal.get(problem.base_experts)
    loss = f"{best.loss:.3f}{_span(best.loss_low, best.loss_high, 4)} nats/token"
    usd = f"{best.usd_per_mtok_output:.3g}{_span(best.usd_per_mtok_output_low, best.usd_per_mtok_output_high, 3)} USD"
    sentence = (
        f"Train the {_kind(best)} of {count_text(best.n_active)} active and {count_text(best.n_total)} total "
        f"parameters (d_model {best.shape.d_model}, {best.shape.n_layers} layers) on {count_text(best.tokens)} tokens: "
        f"expect a loss of {loss} and {usd} per million output tokens on {best.gpus} x "
        f"{problem.deployment.chip.name}.{_trust(best)}"
    )
    dense, own = optimal.get(1), optimal.get(best.experts)
    beside = [
        ("base", base, f"the loss-optimal {kind_of(problem.base_experts)}"),
        ("dense", dense, "the loss-optimal dense model"),
        ("own_optimum", own, f"its own loss-optimal size, {count_text(own.n_active)} active" if own else ""),
        ("next_best", ranked[1] if len(ranked) > 1 else None, "the next best choice"),
    ]
    comparisons, chances, seen = [], {}, [best]
    for key, other, name in beside:
        if other is not None and other not in seen:
            seen.append(other)
            chance = chances[key] = _chance_of_lower_loss(problem, best, other)
            comparisons.append(_compare(best, other, name) + _odds(chance))
    if best.continuous is not None:
        gap = best.n_dense / best.continuous.n_dense - 1
        comparisons.append(
            f"The continuous solution of the same rule has a dense size of {count_text(best.continuous.n_dense)}; "
            f"this shape is {gap:+.1%} from it."
        )
    return Advice(
        recommended=best,
        sentence=sentence,
        reason=_reason(problem, ranked),
        comparisons=tuple(comparisons),
        chances=chances,
        binds=_binds(problem, best),
    )


def _chance_of_lower_loss(problem: Problem, one: Candidate, other: Candidate) -> float | None:
    law = problem.law
    if law.draws is None:
        return None
    mine, theirs = (law.loss_of(law.draws, law.values(each.shape, each.tokens)) for each in (one, other))
    return float(np.mean(mine < theirs))


def _odds(chance: float | None) -> str:
    if chance is None:
        return ""
    verdict = " (undecided)" if 1 - SURE < chance < SURE else ""
    return f" Its loss is the lower one in {chance:.0%} of the law's draws{verdict}."


def _span(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f" ({low:.{digits}g} to {high:.{digits}g})"


def _trust(best: Candidate) -> str:
    if not best.extrapolation_log10:
        return ""
    far = ", ".join(f"{name} {10**distance:.3g}x" for name, distance in best.extrapolation_log10.items())
    return f" The loss is extrapolated: beyond the law's data in {far}."


def _kind(candidate: Candidate) -> str:
    return kind_of(candidate.experts)


def kind_of(experts: int) -> str:
    """The kind of model in words."""
    return "dense model" if experts == 1 else f"{experts}-expert model"


def _compare(best: Candidate, other: Candidate, name: str) -> str:
    cost = best.usd_per_mtok_output / other.usd_per_mtok_output
    loss = best.loss - other.loss
    size = best.n_active / other.n_active
    return (
        f"Against {name}: {cost:.0%} of its serving cost, {size:.0%} of its active parameters, "
        f"loss {loss:+.3f} nats, {best.tokens / other.tokens:.3g}x its tokens."
    )


def _reason(problem: Problem, ranked: list[Candidate]) -> str:
    best = ranked[0]
    base = kind_of(problem.base_experts)
    reasons = {
        LIFETIME: (
            f"lowest training + serving cost for {count_text(problem.lifetime_tokens or 0)} output tokens at the loss "
            f"of the loss-optimal {base}"
        ),
        BOUNDED_LOSS: f"cheapest to serve at no worse loss than the loss-optimal {base} of the same budget",
        LOSS_OPTIMAL: "lowest loss under the budget"
        if len({one.experts for one in ranked}) == 1
        else f"no model with more experts is cheaper to serve at the loss of the loss-optimal {base}",
    }
    words = f"Chosen as the {reasons[best.rule]}." if best.rule != LOSS_OPTIMAL else f"Chosen: {reasons[best.rule]}."
    if len(ranked) > 1:
        second = ranked[1]
        if best.rule == LIFETIME:
            gap = (second.lifetime_usd or 0.0) / (best.lifetime_usd or 1.0) - 1
        else:
            gap = second.usd_per_mtok_output / best.usd_per_mtok_output - 1
        tie = " - a tie at this precision" if gap < TIE else ""
        words += f" Next best: {_kind(second)}, {gap:+.1%}{tie}."
    return words


def _binds(problem: Problem, best: Candidate) -> tuple[str, ...]:
    binds = []
    if best.train_flops >= problem.train_flops * 0.999:
        binds.append(f"training budget ({problem.train_flops:.3g} FLOPs)")
    unique = problem.unique_tokens
    if unique is not None and best.tokens > unique:
        binds.append(f"data ({best.tokens / unique:.3g} epochs of {count_text(unique)} unique tokens)")
    binds.append(f"{best.limited_by} (limits the batch to {best.batch})")
    return tuple(binds)
