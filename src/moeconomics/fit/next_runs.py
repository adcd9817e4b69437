"""Which runs to add: those that tell most about the decision per FLOP, and those that would identify a coefficient.

Needs a fit with draws, whose scatter stands for the inverse Fisher information (`laws.most_informative`).
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from moeconomics.errors import BadInput
from moeconomics.fit.fit import Fit
from moeconomics.fit.rows import SIZES, Values
from moeconomics.laws import most_informative

AHEAD = 10.0  # the decision is about a run of this many times the largest compute of the data
FURTHER = 10.0  # runs are looked for up to this many times the data's largest size and tokens
GRID = 12  # sizes, and token counts, that are tried
TELLING = 0.1  # a run that takes less than this share of a deviation does not identify anything
DRAWS = 400  # of the bootstrap, for speed: a share of a variance is then known to about 7 %


@dataclass(frozen=True, kw_only=True)
class NextRun:
    """A run to add, as the law's variables. `flops` in the table's own convention, None where it has no compute.

    The standard deviation of the answer falls from `deviation_before` to `deviation_after`, earlier runs included.
    """

    variables: dict[str, float]
    flops: float | None
    deviation_before: float
    deviation_after: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be decided, in words, and the draws of its answer (a natural logarithm)."""

    question: str
    answer: Values


def next_runs(one: Fit, count: int, budget: float) -> tuple[Decision, list[NextRun]]:
    """Up to `count` runs of `budget` training FLOPs in all that make the decision most certain per FLOP.

    Errors: `BadInput` for a fit without draws, a law without size and tokens, or a budget too small for any run.
    """
    decision = decision_of(one)
    found = _choose(one, decision.answer, count, budget)
    if not found:
        least = float(np.nanmin(one.rows.compute))
        raise BadInput(f"no run of {budget:.3g} FLOPs tells anything here; the smallest of the data took {least:.3g}")
    return decision, found


def identifying(one: Fit, coefficient: str) -> NextRun | None:
    """The run that would narrow one coefficient most, whatever it costs; None when none within reach does."""
    if not one.draws:
        return None
    column = one.space.names.index(coefficient)
    draws = np.stack(list(one.draws.values()), axis=-1)[:DRAWS]
    found = _choose(one, one.space.shares(draws)[:, column], 1, np.inf, by_cost=False)
    if not found or found[0].deviation_after > (1 - TELLING) * found[0].deviation_before:
        return None
    return found[0]


def decision_of(one: Fit) -> Decision:
    """What the law is to decide, at `AHEAD` times the largest compute.

    With experts, Algorithm 1 of Yun et al. 2024: how small the model with most experts may be that keeps the loss of
    the loss-optimal model with fewest (above 1). Without, the loss-optimal size. Serving cost follows the size.
    """
    size = _size_name(one)
    if not one.draws:
        raise BadInput("next runs need the bootstrap's draws: ask for some, as --bootstrap 1000")
    if size is None or "tokens" not in one.rows.variables:
        raise BadInput(f"{one.rows.law.name} has no size and tokens, so no training budget can be divided between them")
    budget = AHEAD * float(one.rows.compute.max())
    sizes = np.geomspace(one.rows.variables[size].min() / 10, one.rows.variables[size].max() * 1e3, 300)
    experts = np.unique(one.rows.variables.get("experts", np.ones(1)))
    many = experts[experts > 1]
    if many.size < 2:
        log_optimum = np.log(sizes[np.argmin(_losses(one, sizes, float(experts[-1]), budget), axis=1)])
        return Decision(question=f"the loss-optimal size for {budget:.3g} training FLOPs", answer=log_optimum)
    base, most = float(many[0]), float(many[-1])
    target = _losses(one, sizes, base, budget).min(axis=1, keepdims=True)
    losses = _losses(one, sizes, most, budget)
    first = np.argmax(losses <= target, axis=1)
    first = np.where((losses <= target).any(axis=1), first, np.argmin(losses, axis=1))
    return Decision(
        question=(
            f"how small a model of {most:g} experts may be that keeps the loss of the loss-optimal one of {base:g}, "
            f"for {budget:.3g} training FLOPs"
        ),
        answer=np.log(sizes[first]),
    )


def _losses(one: Fit, sizes: Values, experts: float, budget: float) -> Values:
    """Loss (draws, sizes) when the whole budget is spent on each size; other variables as in the median row."""
    name = _size_name(one)
    assert name is not None  # decision_of asks first
    middle = {key: float(np.median(values)) for key, values in one.rows.variables.items()}
    grow = {key: middle[key] * sizes / middle[name] for key in SIZES if key in middle}
    tokens = budget / (_flops_per_size_token(one) * sizes)
    variables = middle | grow | {"tokens": tokens} | ({"experts": experts} if "experts" in middle else {})
    return _law_losses(one, variables)


def _law_losses(one: Fit, variables: dict[str, float | Values]) -> Values:
    draws = {name: values[:DRAWS, None] for name, values in one.draws.items()}
    return np.asarray(one.rows.law.loss_of(draws, variables), dtype=float)


def _choose(one: Fit, answer: Values, count: int, budget: float, *, by_cost: bool = True) -> list[NextRun]:
    variables = _possible(one)
    size, tokens = _size_name(one), variables.get("tokens")
    flops = None if size is None or tokens is None else _flops_per_size_token(one) * variables[size] * tokens
    log_loss = np.log(_law_losses(one, dict(variables)))
    priced = flops if by_cost else None
    found = most_informative(answer[:DRAWS], log_loss, one.noise, priced, count=count, budget=budget)
    return [
        NextRun(
            variables={name: float(values[run.index]) for name, values in variables.items()},
            flops=None if flops is None else float(flops[run.index]),
            deviation_before=run.deviation_before,
            deviation_after=run.deviation_after,
        )
        for run in found
    ]


def _possible(one: Fit) -> dict[str, Values]:
    """Runs that could be made: sizes and token counts up to `FURTHER` times the data's, experts up to twice.

    Variables that belong together (such as all and active parameters) are taken as they are in measured rows.
    """
    rows = one.rows.variables
    axes: dict[str, NDArray[np.float64]] = {}
    if "tokens" in rows:
        axes["tokens"] = np.geomspace(rows["tokens"].min(), FURTHER * rows["tokens"].max(), GRID)
    others = [name for name in rows if name != "tokens"]
    if set(others) <= {*SIZES, "experts"} and sum(name in SIZES for name in others) <= 1:
        for name in others:
            seen = np.unique(rows[name])
            more = np.append(seen, 2 * seen[-1]) if seen[-1] > 1 else seen
            axes[name] = more if name == "experts" else np.geomspace(seen[0], FURTHER * seen[-1], GRID)
        made = np.array(list(product(*axes.values())))
        return {name: made[:, column] for column, name in enumerate(axes)}
    measured = np.unique(np.stack([rows[name] for name in others], axis=1), axis=0)
    measured = measured[np.linspace(0, len(measured) - 1, min(len(measured), GRID**2)).round().astype(int)]
    tokens = axes.get("tokens", np.ones(1))
    every = {name: np.repeat(measured[:, column], tokens.size) for column, name in enumerate(others)}
    return every | ({"tokens": np.tile(tokens, len(measured))} if "tokens" in rows else {})


def _size_name(one: Fit) -> str | None:
    return next((name for name in SIZES if name in one.rows.variables), None)


def _flops_per_size_token(one: Fit) -> float:
    """Training FLOPs of the table's rows per parameter (of the law's N) and token: 6 unless the table says."""
    size = one.rows.size()
    assert size is not None  # callers ask first
    return float(np.median(one.rows.compute / (size * one.rows.variables["tokens"])))
