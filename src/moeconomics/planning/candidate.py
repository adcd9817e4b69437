"""`Candidate`: one model that a rule picked, with everything a reader asks of it."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from moeconomics.laws import Prediction
from moeconomics.planning import continuous
from moeconomics.planning.problem import Problem
from moeconomics.planning.realised import BOUNDED_COST, BOUNDED_LOSS, LIFETIME, LOSS_OPTIMAL, Choice, Rungs
from moeconomics.serving import known, whole
from moeconomics.shapes import ModelShape, counts, n_dense, pick
from moeconomics.units import Array

USD_PER_MTOK = 1e6  # USD per token → USD per million tokens


@dataclass(frozen=True, kw_only=True)
class Continuous:
    """The root-finding solution of the same rule on relaxed shapes (None where it has none)."""

    n_dense: float
    tokens: float
    loss: float
    usd_per_mtok_output: float


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A trainable model and what to expect of it. Parameter counts include embeddings.

    `usd_per_mtok_output` carries prompts too; `usd_per_mtok_total` divides by prompt and output tokens. The
    low and high prices are the cost model's band. `limited_by`: what keeps the batch from
    growing; `replicas` of `gpus` carry the offered load, None when saturated.
    """

    rule: str
    experts: int
    base_experts: int | None
    n_dense: int
    n_active: int
    n_total: int
    tokens: float
    train_flops: float
    train_usd: float
    loss: float
    loss_low: float | None
    loss_high: float | None
    usd_per_mtok_output: float
    usd_per_mtok_output_low: float | None
    usd_per_mtok_output_high: float | None
    usd_per_mtok_total: float
    gpus: int
    batch: int
    replicas: int | None
    tpot_ms: float
    ttft_ms: float | None
    output_tok_s_per_gpu: float
    limited_by: str
    lifetime_usd: float | None
    extrapolated: bool | None
    extrapolation_log10: dict[str, float]
    departures: tuple[str, ...]
    continuous: Continuous | None
    shape: ModelShape

    def as_json(self) -> dict[str, Any]:
        """Plain values with stable keys; infinite (no window) and unknown become null."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def candidates(problem: Problem, table: Rungs, found: list[Choice]) -> list[Candidate]:
    """Describe each choice, with the continuous solution beside it."""
    solutions = _continuous_solutions(problem)
    return [
        _candidate(problem, table, choice, solutions.get((choice.rule, choice.experts, choice.base_experts)))
        for choice in found
    ]


def predict(problem: Problem, table: Rungs, choice: Choice) -> Prediction:
    """The law's prediction for one choice."""
    return problem.law.predict(pick(table.shape, choice.index), choice.tokens)


def _candidate(problem: Problem, table: Rungs, choice: Choice, relaxed: Continuous | None) -> Candidate:
    shape = pick(table.shape, choice.index)
    served = table.served.at(choice.index)
    group = counts(shape)
    prediction = predict(problem, table, choice)
    traffic = problem.deployment.traffic
    train_flops = float(problem.flops_per_token(shape)) * choice.tokens
    train_usd = train_flops * problem.usd_per_train_flop
    usd_per_token = float(served.usd_per_token_output)
    tokens_per_output = 1 + traffic.input_tokens / traffic.output_tokens
    served_for_life = problem.lifetime_tokens
    return Candidate(
        rule=choice.rule,
        experts=choice.experts,
        base_experts=choice.base_experts,
        n_dense=int(n_dense(shape)),
        n_active=int(group.n_active),
        n_total=int(group.n_total),
        tokens=choice.tokens,
        train_flops=train_flops,
        train_usd=train_usd,
        loss=prediction.loss,
        loss_low=prediction.low,
        loss_high=prediction.high,
        usd_per_mtok_output=usd_per_token * USD_PER_MTOK,
        usd_per_mtok_output_low=known(served.usd_low * USD_PER_MTOK),
        usd_per_mtok_output_high=known(served.usd_high * USD_PER_MTOK),
        usd_per_mtok_total=usd_per_token * USD_PER_MTOK / tokens_per_output,
        gpus=int(served.gpus),
        batch=int(served.batch),
        replicas=whole(served.replicas),
        tpot_ms=float(served.tpot_s) * 1e3,
        ttft_ms=known(served.ttft_s * 1e3),
        output_tok_s_per_gpu=float(served.output_tok_s / served.gpus),
        limited_by=str(served.limited_by),
        lifetime_usd=None if served_for_life is None else train_usd + served_for_life * usd_per_token,
        extrapolated=prediction.extrapolated,
        extrapolation_log10=prediction.extrapolation,
        departures=prediction.departures,
        continuous=relaxed,
        shape=shape,
    )


def _continuous_solutions(problem: Problem) -> dict[tuple[str, int, int | None], Continuous]:
    """Every rule's root-finding solution by (rule, experts, base experts)."""
    trade = problem.tradeoff()
    experts = np.asarray(problem.experts)
    pairs = np.array([(base, number) for base in experts for number in experts if number > base]).reshape(-1, 2)
    base, target = pairs[:, 0], pairs[:, 1]
    budget = problem.train_flops
    rules: list[tuple[str, Array, Array, Array, Array | None]] = [
        (LOSS_OPTIMAL, experts, np.full(experts.size, None), continuous.loss_optimal(trade, budget, experts), None)
    ]
    if pairs.size:
        for rule, solve in (
            (BOUNDED_LOSS, continuous.bounded_loss),
            (BOUNDED_COST, continuous.bounded_cost),
        ):
            rules.append((rule, target, base, solve(trade, budget, base, target), None))
    if problem.lifetime_tokens is not None:
        width, tokens = continuous.lifetime(
            trade,
            budget,
            np.asarray(problem.base_experts),
            experts,
            problem.usd_per_train_flop,
            problem.lifetime_tokens,
        )
        rules.append((LIFETIME, experts, np.full(experts.size, problem.base_experts), width, tokens))

    found = {}
    for rule, numbers, bases, width, tokens in rules:
        known = np.isfinite(width)
        numbers, bases, width = numbers[known], bases[known], width[known]
        spent = trade.tokens(width, numbers, budget) if tokens is None else tokens[known]
        columns = (
            n_dense(problem.relaxed(width, numbers)),
            spent,
            trade.loss(width, numbers, spent),
            trade.cost(width, numbers) * USD_PER_MTOK,
        )
        for number, one_base, *values in zip(numbers, bases, *columns, strict=True):
            size, trained, loss, usd = map(float, values)
            found[rule, int(number), None if one_base is None else int(one_base)] = Continuous(
                n_dense=size, tokens=trained, loss=loss, usd_per_mtok_output=usd
            )
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
