"""`plan`: from a training budget, hardware and traffic to the model one should train."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from pydantic import ValidationError

from moeconomics.errors import Infeasible, invalid
from moeconomics.planning.advice import Advice, advise, rank_choices
from moeconomics.planning.candidate import USD_PER_MTOK, Candidate, candidates
from moeconomics.planning.frontier import frontier
from moeconomics.planning.inputs import PlanInputs, resolve
from moeconomics.planning.problem import Problem
from moeconomics.planning.realised import LOSS_OPTIMAL, Choice, Rungs, choices, cut_by_serving, rungs
from moeconomics.planning.sensitivity import Variation, across_laws, sensitivity
from moeconomics.planning.uncertainty import Uncertainty, uncertainty
from moeconomics.serving import infeasible, serving_provenance, serving_warnings
from moeconomics.shapes import counts, n_dense


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The answer: candidates by every rule, the recommended one, the Pareto frontier and what could change it.

    `pareto`: one row a model that no other beats on training FLOPs, serving cost and loss. `provenance`: for
    each kind of number whether it is measured, fitted, modelled, assumed or of the catalogue, and from where.
    `uncertainty`: what the law's draws make of the choice; None for a law without draws.
    """

    inputs: PlanInputs
    problem: Problem
    candidates: tuple[Candidate, ...]
    advice: Advice
    pareto: pl.DataFrame
    uncertainty: Uncertainty | None
    sensitivity: tuple[Variation, ...]
    laws: tuple[Variation, ...]
    provenance: dict[str, str]
    warnings: tuple[str, ...]

    @property
    def recommended(self) -> Candidate:
        """The model to train."""
        return self.advice.recommended

    def to_frame(self) -> pl.DataFrame:
        """All candidates, one a row, without the nested parts."""
        nested = ("shape", "continuous", "departures", "extrapolation_log10")
        rows = [{name: value for name, value in one.as_json().items() if name not in nested} for one in self.candidates]
        return pl.DataFrame(rows, infer_schema_length=None)

    def as_json(self) -> dict[str, Any]:
        """Everything, as plain values with stable keys."""
        return {
            "inputs": {
                **self.inputs.model_dump(mode="json"),
                "train_flops": self.problem.train_flops,
                "usd_per_gpu_hour": self.problem.deployment.usd_per_gpu_hour,
                "base_experts": self.problem.base_experts,
            },
            "candidates": [one.as_json() for one in self.candidates],
            "recommended": self.recommended.as_json(),
            "recommendation": {
                "sentence": self.advice.sentence,
                "reason": self.advice.reason,
                "comparisons": list(self.advice.comparisons),
                "chance_of_lower_loss": self.advice.chances,
                "binds": list(self.advice.binds),
            },
            "uncertainty": None if self.uncertainty is None else self.uncertainty.as_json(),
            "pareto": self.pareto.to_dicts(),
            "sensitivity": [asdict(one) for one in self.sensitivity],
            "laws": [asdict(one) for one in self.laws],
            "provenance": self.provenance,
            "warnings": list(self.warnings),
        }


def plan(**inputs: Any) -> Plan:
    """Plan a model. Keywords are the fields of `PlanInputs`; the same words as the command line's options.

    `Plan.laws` says what every published law would choose; with `law="all"` the default law decides.

    Errors: `BadInput` for a wrong value or name; `Infeasible` with the binding constraint when nothing can be
    served.
    """
    try:
        asked = PlanInputs(**inputs)
    except ValidationError as error:
        raise invalid("plan", error, PlanInputs.model_fields) from error
    problem, warnings = resolve(asked)
    table = rungs(problem)
    found = choices(problem, table)
    if not found:
        raise _infeasible(problem, table)
    described = candidates(problem, table, found)
    by_choice = dict(zip(found, described, strict=True))
    order = rank_choices(problem, table, found)
    ranked = [by_choice[choice] for choice in order]
    if not ranked:
        raise Infeasible(
            f"no model reaches the quality of the loss-optimal {problem.base_experts}-expert model within the "
            f"constraints; choose another base_experts",
            binding="quality",
        )
    advice = advise(problem, ranked, described)
    chosen = advice.recommended.experts
    if chosen == max(problem.experts) > 1:
        warnings.append(f"{chosen} experts are the most that were asked about; more may be better still (--experts)")
    return Plan(
        inputs=asked,
        problem=problem,
        candidates=tuple(described),
        advice=advice,
        uncertainty=uncertainty(problem, table, found, order),
        pareto=_pareto(problem, table),
        sensitivity=tuple(sensitivity(problem, chosen)),
        laws=tuple(across_laws(problem, chosen)),
        provenance=_provenance(problem, asked),
        warnings=tuple(warnings + _warnings(problem, asked, table, found, described)),
    )


def _infeasible(problem: Problem, table: Rungs) -> Infeasible:
    """Say what keeps even the easiest rung from being served: the one that lacks least memory, the smallest."""
    easiest = int(np.argmin(table.served.bytes_missing))
    return infeasible(table.served.at(easiest), problem.deployment, "even the smallest model of the ladder")


def _pareto(problem: Problem, table: Rungs) -> pl.DataFrame:
    front = frontier(problem, table)
    group = counts(table.shape)
    index, served = front.index, table.served
    experts = np.broadcast_to(np.asarray(table.shape.n_experts), (table.usd_ER.size,))
    return pl.DataFrame(
        {
            "experts": experts[index],
            "n_dense": n_dense(table.shape)[index],
            "n_active": group.n_active[index],
            "n_total": group.n_total[index],
            "tokens": front.tokens,
            "train_flops": front.train_flops,
            "loss": front.loss,
            "usd_per_mtok_output": served.usd_per_token_output[index] * USD_PER_MTOK,
            "gpus": served.gpus[index],
            "batch": served.batch[index].astype(np.int64),
        }
    )


def _provenance(problem: Problem, asked: PlanInputs) -> dict[str, str]:
    loss = f"fitted: {problem.law.source}; {problem.law.loss_unit}; "
    loss += "90 % interval from draws" if problem.law.draws else f"no interval, no draws ({problem.law.fit_error})"
    return {
        "loss": loss,
        **serving_provenance(asked, problem.deployment, problem.model),
        "train_flops": f"counted as {problem.flop_count}",
        "train_usd": f"assumed MFU {asked.mfu:g}",
        "parameters": "exact counts, embeddings included",
    }


def _warnings(
    problem: Problem, asked: PlanInputs, table: Rungs, found: list[Choice], described: list[Candidate]
) -> list[str]:
    warnings = []
    far: dict[str, float] = {}
    for one in described:
        for name, distance in one.extrapolation_log10.items():
            far[name] = max(distance, far.get(name, 0.0))
    if far:
        words = ", ".join(f"{name} by up to {10**distance:.3g}x" for name, distance in far.items())
        warnings.append(f"losses are extrapolated: outside the data of {problem.law.name} in {words}")
    unknown = [name for name in problem.law.variables if name not in problem.law.domain]
    if unknown:
        warnings.append(
            f"the range of {', '.join(unknown)} in the data of {problem.law.name} is not known: "
            f"losses may be extrapolated"
        )
    warnings.extend(sorted({words for one in described for words in one.departures}))
    warnings.extend(serving_warnings(asked, problem.deployment))
    rung_count = table.usd_ER.shape[1]
    ends = {choice.index % rung_count for choice in found if choice.rule == LOSS_OPTIMAL}
    if ends & {0, rung_count - 1}:
        warnings.append("a loss-optimal model lies at the end of the ladder: its size is a bound, not an optimum")
    for experts, binding in cut_by_serving(problem, table).items():
        warnings.append(
            f"{binding} binds for E = {experts}: its loss-optimal size can not be served, the best that can is shown"
        )
    unique = asked.unique_tokens
    repeats = [one for one in described if unique is not None and one.tokens > unique]
    if repeats and unique is not None:
        most = max(one.tokens for one in repeats) / unique
        warnings.append(
            f"{len(repeats)} candidates repeat their data, up to {most:.3g} epochs; losses carry the penalty of "
            f"Muennighoff et al. 2023"
        )
    return warnings
