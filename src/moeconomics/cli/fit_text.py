"""A fit for people and for programs: tables, sentences, JSON."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from moeconomics.cli.output import say, table
from moeconomics.units import count_text

if TYPE_CHECKING:
    from moeconomics.fit import Comparison, Decision, Fit, Holdout, Identification, IsoFlop, NextRun

OUTLIERS_NAMED = 10  # in words; the JSON has all


@dataclass(kw_only=True)
class FitAnswer:
    """Everything that `moeconomics fit` found."""

    fit: "Fit"
    identified: "Identification"
    profiles: "dict[str, tuple[float | None, float | None]]"
    missing: "dict[str, NextRun | None]"
    groups: "list[IsoFlop]"
    proposed: "tuple[Decision, list[NextRun]] | None"
    scores: "list[Holdout]" = field(default_factory=list)
    compared: "tuple[list[Comparison], str] | None" = None


def answer_json(answer: FitAnswer) -> dict[str, Any]:
    """Plain values with stable keys; unknown is null."""
    one, identified = answer.fit, answer.identified
    return {
        "law": one.rows.law.name,
        "parameters": one.coefficients,
        "intervals": {name: list(ends) for name, ends in one.intervals.items()},
        "profile_intervals": {name: list(ends) for name, ends in answer.profiles.items()},
        "rmsle": one.rmsle,
        "objective": one.objective,
        "aic": _known(one.aic),
        "n_rows": len(one.rows),
        "convergence": _words(one),
        "share_best": one.share_best,
        "condition": _known(identified.condition),
        "correlation": {
            name: dict(zip(one.space.names, (_known(float(value)) for value in row), strict=True))
            for name, row in zip(one.space.names, identified.correlation, strict=True)
        },
        "not_identified": identified.not_identified,
        "identified_by": {name: None if run is None else asdict(run) for name, run in answer.missing.items()},
        "outliers": list(one.outliers()),
        "holdout": {
            score.kind: {
                "rmsle_train": _known(score.rmsle_train),
                "rmsle_test": _known(score.rmsle_test),
                "n_train": score.n_train,
                "n_test": score.n_test,
            }
            for score in answer.scores
        },
        "compare": None
        if answer.compared is None
        else {
            "verdict": answer.compared[1],
            "laws": [
                {
                    "law": score.law,
                    "rmsle": score.rmsle,
                    "aic": _known(score.aic),
                    "rmsle_test": score.held_out.rmsle_test,
                }
                for score in answer.compared[0]
            ],
        },
        "isoflop": _isoflop_json(answer.groups),
        "decision": None if answer.proposed is None else answer.proposed[0].question,
        "next_runs": None if answer.proposed is None else [asdict(run) for run in answer.proposed[1]],
        "warnings": notes_of(answer),
    }


def print_fit(answer: FitAnswer) -> None:
    """Coefficients, scores, isoFLOP groups, proposed runs and notes."""
    one, identified = answer.fit, answer.identified
    say(f"{one.rows.law.name}: {one.rows.law.formula}", "bold")
    say(f"{len(one.rows)} runs; {_words(one)}.\nObjective {one.objective:.7g}, RMSLE {one.rmsle:.4g}.\n")
    rows = [
        [
            name,
            _value(one, name, value, 6),
            *(_value(one, name, end, 4) for end in one.intervals.get(name, ())),
            *["n/a"] * (0 if one.draws else 2),
            *("open" if end is None else _value(one, name, end, 4) for end in answer.profiles[name]),
            "not identified" if name in identified.not_identified else "",
        ]
        for name, value in one.coefficients.items()
    ]
    columns = ["name", "estimate", "low", "high", "profile low", "profile high", ""]
    table("Coefficients with 90 % intervals: bootstrap over runs, and profile", columns, rows)
    say(f"Scaled condition number of the Jacobian: {identified.condition:.3g}\n")
    if answer.scores:
        held = [
            [score.kind, str(score.n_train), _or_na(score.rmsle_train), str(score.n_test), _or_na(score.rmsle_test)]
            for score in answer.scores
        ]
        table("Held out", ["kind", "rows fitted", "RMSLE", "rows held out", "RMSLE there"], held)
        say("")
    if answer.compared is not None:
        shown = [
            [score.law, f"{score.rmsle:.4g}", f"{score.aic:.1f}", f"{score.held_out.rmsle_test:.4g}"]
            for score in answer.compared[0]
        ]
        table("Laws", ["law", "RMSLE", "AIC", "RMSLE held out"], shown)
        say(f"{answer.compared[1]}\n", "bold")
    if answer.groups:
        _print_isoflop(answer.groups)
    _print_runs(answer)
    for warning in notes_of(answer):
        say(f"Note: {warning}", "yellow")


def _words(one: "Fit") -> str:
    state = "converged" if one.converged else "NOT CONVERGED: the solver ran out of steps"
    return f"{state}; of {one.starts} starts, {one.share_best:.0%} of those that went on reach the best objective"


def notes_of(answer: FitAnswer) -> list[str]:
    """What a reader must know before believing the fit."""
    one = answer.fit
    warnings = list(one.rows.notes)
    for name, why in answer.identified.not_identified.items():
        run = answer.missing[name]
        by = "no single run within reach would" if run is None else f"a run that would tell most: {_run_words(run)}"
        by = by if one.draws else "--bootstrap names a run that would"
        warnings.append(f"{name} is not identified by this data: {why}; {by}")
    outliers = one.outliers()
    if outliers:
        named = ", ".join(outliers[:OUTLIERS_NAMED]) + ("" if len(outliers) <= OUTLIERS_NAMED else ", ...")
        warnings.append(f"outliers, kept in the fit: {len(outliers)} ({named})")
    if not one.converged:
        warnings.append("the solver did not converge")
    warnings += [
        f"the parabola of {group.flops:.3g} FLOPs{_of_experts(group.experts)} is biased by {group.bias:+.0%} in size: "
        f"its grid is too wide or off-centre"
        for group in answer.groups
        if group.is_biased
    ]
    return warnings


def _isoflop_json(groups: "list[IsoFlop]") -> dict[str, Any]:
    from moeconomics.fit import exponents

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(part) for name, part in value.items()}
        return _known(value) if isinstance(value, float) else value

    left_out = ("sizes", "losses", "curve")
    return {
        "groups": [
            plain({name: value for name, value in asdict(group).items() if name not in left_out})
            | {"runs": int(group.sizes.size)}
            for group in groups
        ],
        "exponents": [plain(asdict(one)) for one in exponents(groups)],
    }


def _print_isoflop(groups: "list[IsoFlop]") -> None:
    from moeconomics.fit import exponents

    rows = [
        [
            "any" if np.isnan(group.experts) else f"{group.experts:g}",
            f"{group.flops:.3g}",
            str(group.sizes.size),
            *(_optimum(one) for one in (group.parabola, group.direct)),
            "n/a" if np.isnan(group.bias) else f"{group.bias:+.1%}",
        ]
        for group in groups
    ]
    columns = ["E", "FLOPs", "runs", "parabola (90 %)", "direct (90 %)", "bias"]
    table("isoFLOP groups: size of lowest loss in the law's N; bias of the parabola on the fitted law", columns, rows)
    for one in exponents(groups):
        say(
            f"N_opt ~ C^a{_of_experts(one.experts)}, {one.method}: a = {one.a:.3f} ({one.low:.3f} to {one.high:.3f}) "
            f"over {one.groups} computes"
        )
    say("")


def _print_runs(answer: FitAnswer) -> None:
    if answer.proposed is None:
        return
    decision, found = answer.proposed
    say(f"Next runs, to decide {decision.question}", "bold")
    rows = [
        [
            _run_words(run),
            "n/a" if run.flops is None else f"{run.flops:.3g}",
            f"x {np.exp(run.deviation_before):.3g}",
            f"x {np.exp(run.deviation_after):.3g}",
        ]
        for run in found
    ]
    table("Each given those above it; the size is known to within a factor", ["run", "FLOPs", "before", "after"], rows)
    say("")


def _run_words(run: "NextRun") -> str:
    return ", ".join(
        f"{name} {f'{value:g}' if name == 'experts' else count_text(value)}" for name, value in run.variables.items()
    )


def _value(one: "Fit", name: str, value: float, digits: int) -> str:
    """A coefficient; what is nothing beside its allowed range, as 1e-127 where a range begins at 0, is 0."""
    column = one.space.names.index(name)
    nothing = 1e-9 * (one.space.high[column] - one.space.low[column])
    return "0" if not one.space.log[column] and abs(value) < nothing else f"{value:.{digits}g}"


def _of_experts(experts: float) -> str:
    return "" if np.isnan(experts) else f" with {experts:g} experts"


def _optimum(one: Any) -> str:
    if np.isnan(one.n):
        return "no minimum inside"
    ends = "" if np.isnan(one.low) else f" ({count_text(one.low)}-{count_text(one.high)})"
    return f"{count_text(one.n)}{ends}"


def _or_na(value: float) -> str:
    return "n/a" if np.isnan(value) else f"{value:.4g}"


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
