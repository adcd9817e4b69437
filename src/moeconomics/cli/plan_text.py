"""A plan for people: tables and sentences."""

import numpy as np

from moeconomics.cli.output import say, table
from moeconomics.planning import ALL_LAWS, SURE, Candidate, Plan, Spread, Uncertainty, Variation
from moeconomics.units import count_text


def print_plan(made: Plan) -> None:
    """Candidates, recommendation, what its law leaves open, what could change it, and where the numbers are from."""
    problem = made.problem
    deployment, traffic = problem.deployment, problem.deployment.traffic
    load = "saturated" if traffic.requests_per_s is None else f"{traffic.requests_per_s:g} requests/s"
    say(
        f"Budget {problem.train_flops:.3g} training FLOPs (counted as {problem.flop_count}); law {problem.law.name}; "
        f"architecture {problem.architecture.name}.\n"
        f"Served on up to {max(deployment.gpus)} x {deployment.chip.name} at {deployment.usd_per_gpu_hour:.4g} USD per "
        f"GPU-hour in {deployment.precision}; traffic {traffic.name}: {traffic.input_tokens:g} tokens in, "
        f"{traffic.output_tokens:g} out, {load}.\n"
    )
    rows = [_row(one, one == made.recommended) for one in made.candidates]
    columns = [
        "", "E", "rule", "base", "active", "total", "tokens", "loss",
        "USD/Mtok", "low-high", "GPUs", "batch", "TPOT ms",
    ]  # fmt: skip
    table(
        "Candidates: E experts per MoE layer; parameters with embeddings; USD per million output tokens",
        columns,
        rows,
        text_columns=4,
        can_drop=("low-high", "batch", "TPOT ms"),
    )
    say(
        "* outside the law's data: extrapolated. The low and high prices are the cost model's band.\n",
        "dim",
    )
    advice = made.advice
    say(advice.sentence, "bold")
    say("\n".join([advice.reason, *advice.comparisons, f"What binds: {'; '.join(advice.binds)}."]) + "\n")
    if made.uncertainty is not None:
        _print_uncertainty(made, made.uncertainty)
    able = [one for one in made.laws if one.note is None]
    _print_variations("If something else changes", [*made.sensitivity, *able])
    if made.inputs.law == ALL_LAWS:
        _print_laws(made, able)
    for warning in made.warnings:
        say(f"Note: {warning}", "yellow")
    say("\nWhere the numbers are from:", "bold")
    for kind, source in made.provenance.items():
        say(f"  {kind}: {source}", "dim")


def _row(one: Candidate, best: bool) -> list[str]:
    band = (
        "n/a"
        if one.usd_per_mtok_output_low is None
        else f"{one.usd_per_mtok_output_low:.3g}-{one.usd_per_mtok_output_high:.3g}"
    )
    return [
        ">" if best else "",
        _kind(one.experts),
        one.rule.replace("_", "-"),
        "" if one.base_experts is None else _kind(one.base_experts),
        count_text(one.n_active),
        count_text(one.n_total),
        count_text(one.tokens),
        f"{one.loss:.4f}" + {True: "*", None: "?", False: " "}[one.extrapolated],
        f"{one.usd_per_mtok_output:.3g}",
        band,
        str(one.gpus),
        str(one.batch),
        f"{one.tpot_ms:.3g}",
    ]


def _print_uncertainty(made: Plan, found: Uncertainty) -> None:
    shares = ", ".join(f"{_kind(number)} {share:.0%}" for number, share in found.chosen.items() if share > 0)
    best = found.chosen[made.recommended.experts]
    say(
        f"Chosen anew for each of the law's draws, the recommendation is: {shares}."
        + (" Undecided: the law does not settle the number of experts." if best < SURE else "")
    )
    rows = [
        [_kind(experts), rule.replace("_", "-"), "" if base is None else _kind(base), *_spread(one), f"{one.share:.0%}"]
        for (rule, experts, base), one in found.spreads.items()
    ]
    columns = ["E", "rule", "base", "active", "tokens", "loss", "USD/Mtok", "draws"]
    table("90 % intervals of each rule's choice over the draws", columns, rows, text_columns=3)
    say("")
    if found.next_runs:
        _print_next_runs(found)


def _print_next_runs(found: Uncertainty) -> None:
    rows = [
        [
            _kind(run.experts),
            count_text(run.n_active),
            count_text(run.tokens),
            f"{run.train_flops:.2g}",
            f"{run.train_usd:.3g}",
            f"x {np.exp(run.deviation_before):.3g}",
            f"x {np.exp(run.deviation_after):.3g}",
        ]
        for run in found.next_runs
    ]
    columns = ["E", "active", "tokens", "FLOPs", "USD", "before", "after"]
    table(f"Train next, each given those above it: {found.question}, known to within a factor", columns, rows)
    say("")


def _spread(one: Spread) -> list[str]:
    return [
        "n/a" if ends is None else "-".join(words(end) for end in ends)
        for ends, words in (
            (one.n_active, count_text),
            (one.tokens, count_text),
            (one.loss, "{:.3f}".format),
            (one.usd_per_mtok_output, "{:.3g}".format),
        )
    ]


def _kind(experts: int) -> str:
    return "dense" if experts == 1 else str(experts)


def _print_laws(made: Plan, able: list[Variation]) -> None:
    same = sum(bool(one.same_experts) for one in able)
    say(f"The choice of {made.recommended.experts} experts stands in {same} of the {len(able)} laws that can answer.")
    for one in made.laws:
        if one.note is not None:
            say(f"  no answer: {one.note}", "dim")
    say("")


def _print_variations(title: str, variations: list[Variation]) -> None:
    rows = [
        [
            one.what,
            one.value,
            "n/a" if one.same_experts is None else "same" if one.same_experts else "CHANGES",
            "n/a" if one.experts is None else _kind(one.experts),
            *("n/a" if count is None else count_text(count) for count in (one.n_dense, one.tokens)),
            "n/a" if one.usd_per_mtok_output is None else f"{one.usd_per_mtok_output:.3g}",
        ]
        for one in variations
    ]
    columns = ["what", "to", "choice", "experts", "dense size", "tokens", "USD/Mtok out"]
    table(title, columns, rows, text_columns=3)
    for one in variations:
        if one.note is not None:
            say(f"{one.what} {one.value}: {one.note}", "yellow")
    say("")
