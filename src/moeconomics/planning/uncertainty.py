"""What a fitted law's own uncertainty makes of a plan: the same search once for each draw of its coefficients.

Every draw has its own loss-optimal models and its own cheapest models at equal loss; prices do not change. So the
spread of sizes, tokens and costs over draws is that of the decision, not only of one model's loss.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeconomics.laws import INTERVAL_PERCENTILES, Law, most_informative
from moeconomics.planning.advice import kind_of, rank_choices
from moeconomics.planning.candidate import USD_PER_MTOK
from moeconomics.planning.problem import Problem
from moeconomics.planning.realised import Choice, Rungs, choices
from moeconomics.shapes import counts, map_dimensions

DRAWS = 200  # of the law's: shares are then known to within 7 points
NEXT_RUNS = 3
NEXT_SHARE = 0.01  # of the training budget that the proposed runs may take in all
RUNG = 15  # every so many rungs of the ladder are tried: sizes in steps of about 35 %
NEAR = 1.0  # log10: the law is trusted to say what a run this far from its data would tell

Interval = tuple[float, float]
Key = tuple[str, int, int | None]  # rule, experts, base experts


@dataclass(frozen=True, kw_only=True)
class Spread:
    """90 % intervals over the law's draws of one rule's choice, chosen anew for each draw; None where no draw has one.

    `share`: of the draws in which the rule has a choice at all.
    """

    n_active: Interval | None
    tokens: Interval | None
    loss: Interval | None
    usd_per_mtok_output: Interval | None
    share: float


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """What one draw of the law chooses by each rule, its own losses of those, and the experts it recommends."""

    choices: dict[Key, Choice]
    losses: dict[Key, float]
    recommended: int | None


@dataclass(frozen=True, kw_only=True)
class NextRun:
    """A training run that would make the decision more certain, and what it costs."""

    experts: int
    n_active: int
    tokens: float
    train_flops: float
    train_usd: float
    deviation_before: float
    deviation_after: float


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """`chosen`: for each number of experts, the share of draws in which it is recommended. `spreads` by choice.

    `next_runs` narrow `question`, the natural logarithm of a cost or a loss ratio.
    """

    chosen: Mapping[int, float]
    spreads: Mapping[Key, Spread]
    question: str
    next_runs: tuple[NextRun, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {
            "chosen": {str(number): share for number, share in self.chosen.items()},
            "intervals": [
                {"rule": rule, "experts": experts, "base_experts": base, **asdict(spread)}
                for (rule, experts, base), spread in self.spreads.items()
            ],
            "question": self.question,
            "next_runs": [asdict(run) for run in self.next_runs],
        }


def uncertainty(problem: Problem, table: Rungs, found: list[Choice], ranked: list[Choice]) -> Uncertainty | None:
    """Search again for each draw of the law; None for a law without draws."""
    law = problem.published_law
    if law.draws is None:
        return None
    drawn = [_choices_of(problem, table, one) for one in _laws(law)]
    chosen = [one.recommended for one in drawn if one.recommended is not None]
    question, answer = _decision(table, drawn, ranked)
    return Uncertainty(
        chosen={number: _share([one == number for one in chosen]) for number in problem.experts},
        spreads={_key(choice): _spread(table, drawn, _key(choice)) for choice in found},
        question=question,
        next_runs=_next_runs(problem, table, answer),
    )


def _laws(law: Law) -> list[Law]:
    """The law with the coefficients of each of its first draws."""
    draws = {name: np.asarray(values)[:DRAWS] for name, values in (law.draws or {}).items()}
    count = len(next(iter(draws.values())))
    return [
        replace(law, coefficients={name: float(values[row]) for name, values in draws.items()}, draws=None)
        for row in range(count)
    ]


def _choices_of(problem: Problem, table: Rungs, law: Law) -> _Drawn:
    drawn = replace(problem, published_law=law)
    found = choices(drawn, table)
    ranked = rank_choices(drawn, table, found)
    index, tokens = [choice.index for choice in found], np.array([choice.tokens for choice in found])
    losses = np.asarray(drawn.law.loss(map_dimensions(table.shape, lambda values: values[index]), tokens))
    keys = [_key(choice) for choice in found]
    return _Drawn(
        choices=dict(zip(keys, found, strict=True)),
        losses=dict(zip(keys, map(float, losses), strict=True)),
        recommended=ranked[0].experts if ranked else None,
    )


def _share(found: list[bool]) -> float:
    return float(np.mean(found)) if found else 0.0


def _key(choice: Choice) -> Key:
    return choice.rule, choice.experts, choice.base_experts


def _spread(table: Rungs, drawn: list[_Drawn], key: Key) -> Spread:
    made = [one.choices[key] for one in drawn if key in one.choices]
    index = np.array([choice.index for choice in made], dtype=int)

    def interval(values: NDArray[np.float64]) -> Interval | None:
        if not values.size:
            return None
        low, high = np.percentile(values, INTERVAL_PERCENTILES)
        return float(low), float(high)

    return Spread(
        n_active=interval(np.asarray(counts(table.shape).n_active, dtype=float)[index]),
        tokens=interval(np.array([choice.tokens for choice in made])),
        loss=interval(np.array([one.losses[key] for one in drawn if key in one.losses])),
        usd_per_mtok_output=interval(table.usd_ER.ravel()[index] * USD_PER_MTOK),
        share=len(made) / len(drawn),
    )


def _decision(table: Rungs, drawn: list[_Drawn], ranked: list[Choice]) -> tuple[str, NDArray[np.float64]]:
    """Serving cost of the recommended choice over that of the next best, each chosen anew; NaN where one is not."""
    usd = table.usd_ER.ravel()

    def log_usd(choice: Choice) -> NDArray[np.float64]:
        made = (one.choices.get(_key(choice)) for one in drawn)
        return np.array([np.nan if one is None else np.log(usd[one.index]) for one in made])

    names = [kind_of(choice.experts) for choice in ranked[:2]]
    best = f"the serving cost of the {names[0]}"
    if len(ranked) == 1:
        return best, log_usd(ranked[0])
    return f"{best} over that of the {names[1]}", log_usd(ranked[0]) - log_usd(ranked[1])


def _next_runs(problem: Problem, table: Rungs, answer: NDArray[np.float64]) -> tuple[NextRun, ...]:
    """Runs of the plan's own architecture, within `NEXT_SHARE` of its budget."""
    law = problem.published_law
    known = np.isfinite(answer)
    if law.noise is None or law.draws is None or known.sum() < DRAWS // 4 or np.ptp(answer[known]) == 0:
        return ()
    budget = NEXT_SHARE * problem.train_flops
    shapes = map_dimensions(table.shape, lambda values: values[::RUNG])
    flops_per_token = np.asarray(problem.flops_per_token(shapes), dtype=float)
    tokens = budget / flops_per_token * np.array([[1.0], [0.3], [0.1], [0.03]])
    near = np.all([np.broadcast_to(far <= NEAR, tokens.shape) for far in law.distance(shapes, tokens).values()], axis=0)
    draws = {name: np.asarray(values)[:DRAWS][known][:, None, None] for name, values in law.draws.items()}
    log_loss = np.log(np.asarray(law.loss_of(draws, law.values(shapes, tokens)))).reshape(known.sum(), -1)
    flops = np.where(near, flops_per_token * tokens, np.inf).ravel()
    found = most_informative(answer[known], log_loss, law.noise, flops, count=NEXT_RUNS, budget=budget)
    experts = np.broadcast_to(np.asarray(shapes.n_experts), tokens.shape).ravel()
    active = np.broadcast_to(counts(shapes).n_active, tokens.shape).ravel()
    return tuple(
        NextRun(
            experts=int(experts[one.index]),
            n_active=int(active[one.index]),
            tokens=float(tokens.ravel()[one.index]),
            train_flops=float(flops[one.index]),
            train_usd=float(flops[one.index]) * problem.usd_per_train_flop,
            deviation_before=one.deviation_before,
            deviation_after=one.deviation_after,
        )
        for one in found
    )
