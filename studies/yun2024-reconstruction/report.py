"""Look for coefficients of Yun et al. 2024 Eq. 4 that give the paper's stated outputs; write the law and README.md.

    python studies/yun2024-reconstruction/report.py

Each draw disturbs prior and outputs by their standard deviations and is the best fit to what results (randomize then
optimize, Bardsley et al. 2014), so the draws spread as far as the outputs leave the coefficients free.
"""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from moeconomics.laws import FittedLaw, Law, get_law
from moeconomics.reproduction import AGREES, BUDGETS, CLAIMS, Abstract, Question
from moeconomics.reproduction.claims import written
from moeconomics.reproduction.reproduce import span_text, verdict_of

HERE = Path(__file__).parent
LAW_FILE = HERE.parents[1] / "src" / "moeconomics" / "laws" / "yun2024_reconstructed.json"
FORM = get_law("yun2024")
DRAWS = 60
# What a stated size and a training token's FLOPs are of: N (6nd) or activated parameters, (1 + c)·N of an MoE with
# top-2 (6nd-active). The paper writes both; the second fits its numbers far better.
READING, OTHER_READING = "6nd-active", "6nd"
# Coefficient: prior mean, standard deviation; of the logarithm where the form is fitted so. Size and data terms as
# Hoffmann et al. 2022; saturation and interaction as Clark et al. 2022 (0.009 in base 10 is 0.004 in base e).
PRIOR = {
    "a": (np.log(406.4), 1.5), "b": (np.log(1.0), 1.5), "c": (np.log(410.7), 1.5), "f": (1.6, 0.4),
    "alpha": (0.34, 0.08), "beta": (0.5, 0.4), "gamma": (0.28, 0.06), "d": (0.0, 0.004),
    "e_start": (2.0, 1.0), "e_max": (np.log(100.0), 1.2),
}  # fmt: skip
# Losses of dense models at two corners of the paper's sweep (N, D), from Hoffmann et al.'s law, to 10 %: the level is
# nowhere stated, and no output depends on it.
LEVEL = ((81.4e6, 2.5e9, 3.46), (679e6, 20e9, 2.63))
LEVEL_DEVIATION = 0.1
# Outputs that the law alone decides: claim, budget, value, standard deviation of its logarithm (rounding; or, where the
# paper prints no budgets and the ends are put at the ends of those of its Fig. 5, what that may be wrong by).
OUTPUTS = (
    ("dense-optimum-small", 2.12e21, 3.36e9, 0.02),
    ("dense-optimum-large", 5.96e21, 6.14e9, 0.02),
    ("size-8-over-dense", 2.12e21, 0.282, 0.02),
    ("size-8-over-dense", 5.96e21, 0.233, 0.02),
    ("size-8-over-4", 2.12e21, 0.251, 0.02),
    ("size-8-over-4", 5.96e21, 0.210, 0.02),
    ("flops-16-over-4", 2.12e21, 0.428, 0.15),
    ("flops-16-over-4", 8.18e21, 0.237, 0.15),
    ("size-of-16-for-cost", 5.15e21, 0.16, 0.1),
    ("size-of-16-for-cost", 8.18e21, 0.16, 0.1),
)
NO_ANSWER = 3.0  # logarithm that stands for an output without a value
STEP = 1e-5  # of a standard deviation of the prior, for derivatives
MATCHED = 2.0  # standard deviations
OPEN = 0.5  # a spread of more than this share of the prior's
TOGETHER = 0.7  # a correlation

Z = np.ndarray  # coefficients in standard deviations from the prior's means, (10,) or (sets, 10)
MEANS, DEVIATIONS = np.array(list(PRIOR.values())).T
LOW, HIGH = np.array(
    [np.log([p.low, p.high]) if p.log else (p.low, p.high) for p in (FORM.parameters[name] for name in PRIOR)]
).T
BOUNDS = ((LOW - MEANS) / DEVIATIONS + 1e-6, (HIGH - MEANS) / DEVIATIONS - 1e-6)


def coefficients(z: Z) -> dict[str, np.ndarray]:
    values = MEANS + DEVIATIONS * z
    return {
        name: np.exp(values[..., at]) if FORM.parameters[name].log else values[..., at] for at, name in enumerate(PRIOR)
    }


def law_of(z: Z) -> Law:
    """The form with the first set as its coefficients and the others as draws."""
    sets = coefficients(np.atleast_2d(z))
    draws = {name: values[1:] for name, values in sets.items()} if len(np.atleast_2d(z)) > 1 else None
    return replace(FORM, coefficients={name: float(values[0]) for name, values in sets.items()}, draws=draws)


def outputs(z: Z, reading: str = READING) -> np.ndarray:
    """What each set says of `OUTPUTS`: (sets, outputs)."""
    question = Question(law_of(z), Abstract(), reading)
    claims = {claim.name: claim for claim in CLAIMS}
    found = {name: claims[name].measure(question) for name in dict.fromkeys(output[0] for output in OUTPUTS)}
    return np.stack([found[name][:, BUDGETS.index(budget)] for name, budget, _, _ in OUTPUTS], axis=-1)


def residuals(z: Z, reading: str = READING) -> np.ndarray:
    """Outputs, level and prior in standard deviations: (sets, ...)."""
    z = np.atleast_2d(z)
    target, deviation = np.array([output[2:] for output in OUTPUTS]).T
    off = np.clip(np.log(outputs(z, reading) / target), -NO_ANSWER, NO_ANSWER)
    levels = [
        np.log(FORM.loss_of(coefficients(z), dict(zip(FORM.variables, (n, 1.0, d), strict=True))) / loss)
        for n, d, loss in LEVEL
    ]
    parts = [np.nan_to_num(off, nan=NO_ANSWER) / deviation, np.stack(levels, axis=-1) / LEVEL_DEVIATION, z]
    return np.concatenate(parts, axis=-1)


def best(start: Z, disturbed: np.ndarray, reading: str = READING) -> tuple[Z, float]:
    """The set nearest to disturbed outputs and prior, and half the sum of squares."""

    def derivative(z: Z) -> np.ndarray:
        sets = z + np.concatenate([STEP * np.eye(len(z)), -STEP * np.eye(len(z))])
        around = residuals(sets, reading)
        return (around[: len(z)] - around[len(z) :]).T / (2 * STEP)

    found = least_squares(
        lambda z: residuals(z, reading)[0] - disturbed,
        np.clip(start, *BOUNDS),
        jac=derivative,
        bounds=BOUNDS,
        max_nfev=60,
    )
    return found.x, float(found.cost)


def best_of_starts(rng: np.random.Generator, reading: str = READING) -> tuple[Z, float]:
    """The best set from several starts, outputs and prior undisturbed."""
    size = residuals(np.zeros(len(PRIOR))).shape[-1]
    starts = [np.zeros(len(PRIOR)), *rng.normal(size=(5, len(PRIOR)))]
    return min((best(start, np.zeros(size), reading) for start in starts), key=lambda found: found[1])


def family(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """(the best set, then draws; half its sum of squares)."""
    middle, cost = best_of_starts(rng)
    size = residuals(middle).shape[-1]
    draws = [best(middle, rng.normal(size=size))[0] for _ in range(DRAWS)]
    return np.stack([middle, *draws]), cost


def table(columns: list[str], rows: list[list[str]]) -> str:
    return "".join("| " + " | ".join(line) + " |\n" for line in [columns, ["---"] * len(columns), *rows]) + "\n"


def outputs_table(sets: np.ndarray) -> tuple[str, list[str]]:
    """The outputs that were fitted, and the names of those that the best set misses."""
    found = outputs(sets)
    units = {claim.name: claim.unit for claim in CLAIMS}
    rows, violated = [], []
    for column, (name, budget, value, deviation) in enumerate(OUTPUTS):
        off = np.log(found[0, column] / value) / deviation
        verdict = "matched" if abs(off) <= MATCHED else "violated"
        if verdict == "violated":
            violated.append(f"`{name}` at {budget:.3g}")
        low, high = np.nanpercentile(found[1:, column], (5, 95))
        one = [written(number, units[name]) for number in (value, found[0, column])]
        rows.append([f"`{name}`", f"{budget:.3g}", *one, span_text((low, high), units[name]), f"{off:+.1f}", verdict])
    columns = ["output", "training FLOPs", "paper", "best set", "90 % of draws", "off, in deviations", ""]
    return table(columns, rows), violated


def others_table(law: Law) -> str:
    """The claims that were not fitted, with cost proportional to size: how many agree, and each."""
    question = Question(law, Abstract(), READING)
    fitted = {output[0] for output in OUTPUTS}
    rows = []
    for claim in CLAIMS:
        if claim.name in fitted or claim.lawless:
            continue
        values = claim.values(question)
        ends = (float(np.min(values[0])), float(np.max(values[0])))
        rows.append([f"`{claim.name}`", claim.paper, span_text(ends, claim.unit), verdict_of(claim, values[:1])[0]])
    agree = sum(row[-1] == AGREES for row in rows)
    head = f"{agree} of {len(rows)} agree, within the tolerances of `moeconomics reproduce`.\n\n"
    return head + table(["claim, with cost proportional to size", "paper", "best set", ""], rows)


def coefficients_table(sets: np.ndarray) -> tuple[str, list[str]]:
    """The coefficients with their spread, and the names of those that the outputs leave open."""
    values = coefficients(sets)
    rows, open_ones = [], []
    for column, (name, (mean, deviation)) in enumerate(PRIOR.items()):
        log = FORM.parameters[name].log
        ends = [mean + sign * 1.645 * deviation for sign in (-1, 1)]
        before = np.exp(ends) if log else np.array(ends)
        low, high = np.percentile(values[name][1:], (5, 95))
        left = float(np.std(sets[1:, column]))
        if left > OPEN:
            open_ones.append(f"`{name}`")
        rows.append([
            f"`{name}`", f"{before[0]:.3g} to {before[1]:.3g}", f"{values[name][0]:.4g}", f"{low:.3g} to {high:.3g}",
            f"{left:.2f}" + (", open" if left > OPEN else ""),
        ])  # fmt: skip
    return table(
        ["coefficient", "prior, 90 %", "best set", "90 % of draws", "spread over the prior's"], rows
    ), open_ones


def bound_together(sets: np.ndarray) -> str:
    """Pairs of coefficients whose draws move together."""
    names = list(PRIOR)
    correlation = np.corrcoef(sets[1:].T)
    pairs = [
        f"`{names[one]}` and `{names[other]}` ({correlation[one, other]:+.2f})"
        for one in range(len(names))
        for other in range(one)
        if abs(correlation[one, other]) > TOGETHER
    ]
    return f"Known better together than alone (correlation of the draws): {', '.join(pairs)}.\n\n" if pairs else ""


def page(sets: np.ndarray, cost: float, other_cost: float) -> tuple[str, str]:
    """README.md, and a sentence on the fit."""
    first, violated = outputs_table(sets)
    second, open_ones = coefficients_table(sets)
    matched = len(OUTPUTS) - len(violated)
    sentence = (
        f"reconstructed, not the paper's: {matched} of {len(OUTPUTS)} fitted outputs within {MATCHED:g} deviations"
        + (f", not {'; '.join(violated)}" if violated else "")
    )
    found = (
        f"No set was found that satisfies all; violated: {'; '.join(violated)}." if violated else "All are satisfied."
    )
    left_open = f"Open, with more than half the prior's spread left: {', '.join(open_ones)}. " if open_ones else ""
    text = f"""# Coefficients of Eq. 4 that give the paper's stated outputs

Written by `report.py`. Yun et al. 2024 (arXiv 2404.02852) print none of the ten coefficients of their law. This is a
family of sets that give what they state of it, `yun2024-reconstructed`: **reconstructed from stated outputs, not the
paper's coefficients**. The outputs are sizes and ratios of sizes and FLOPs, so they can not fix the level of the loss.

Prior: size and data terms as Hoffmann et al. 2022, saturation and interaction about as Clark et al. 2022, level as
Hoffmann et al. to {100 * LEVEL_DEVIATION:.0f} %. {DRAWS} draws, each the best fit to outputs and prior disturbed by
their deviations.

The paper does not say whether an MoE's size and training FLOPs are of N or of activated parameters, (4/3)·N here. Half
the sum of squares of the best set is {cost:.1f} with activated ones (`{READING}`), which is shipped, and
{other_cost:.1f} with N (`{OTHER_READING}`).

## Fitted outputs

{found}
FLOP ratios: the paper prints the range, not the budgets; its ends are put at those of its Fig. 5, so their deviation is
wide.

{first}## Outputs that were not fitted

Most need serving costs, which the paper measured; here they are proportional to all parameters.

{others_table(law_of(sets[0]))}Cost and size of the over-trained 8-expert model do not go together with such a cost:
23.3-28.2 % of the dense optimum's activated parameters are {0.75 * 23.3 * 10 / 3:.0f}-{0.75 * 28.2 * 10 / 3:.0f} % of
all its parameters (times 10/3 over 4/3), and the stated cost is 31.6-38.1 % of the dense one's. The paper's measured
cost lies between activated and all parameters.

## Coefficients

{left_open}{bound_together(sets)}{second}"""
    return text, sentence


def main() -> None:
    """Rewrite the page and the law's file."""
    sets, cost = family(np.random.default_rng(0))
    _, other_cost = best_of_starts(np.random.default_rng(0), OTHER_READING)
    text, sentence = page(sets, cost, other_cost)
    values = coefficients(sets)
    rows = [{name: float(f"{values[name][row]:.10g}") for name in PRIOR} for row in range(len(sets))]
    file = FittedLaw(
        law=FORM.name,
        coefficients=rows[0],
        draws=rows[1:],
        domain=dict(FORM.domain),
        data_sha256=sha256(repr(OUTPUTS).encode()).hexdigest(),
        fit_error=sentence,
    )
    LAW_FILE.write_text(file.model_dump_json() + "\n", encoding="utf-8")
    (HERE / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
