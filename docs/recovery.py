"""Write the table of known fits in fit.md anew: MOECONOMICS_DATA=FOLDER python docs/recovery.py.

A row of the table is data, law, what is known of the fit, and what the code gives now. Interval coverage takes minutes
and is a test alone (tests/fit/test_recovery.py).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from moeconomics.fit import fit, holdout, identify, predict, profile, rows_of
from moeconomics.laws import get_law
from moeconomics.runs import load_runs

PAGE = Path(__file__).parent / "fit.md"
START, END = "<!-- docs/recovery.py -->\n", "<!-- end -->\n"
# Besiroglu et al. 2024: values and their standard errors.
PUBLISHED = {
    "e": (1.8172, 0.03), "a": (482.01, 124.58), "b": (2085.43, 1293.23), "alpha": (0.3478, 0.02),
    "beta": (0.3658, 0.02),
}  # fmt: skip
# Muennighoff et al. 2023: size, tokens, unique tokens and the loss that the authors' code gives.
GOLDEN = ((6.34e9, 242e9, 25e9, 2.2256440889984477), (8.67e9, 178e9, 25e9, 2.2269634075087867))

Row = tuple[str, str, str, str]


def chinchilla() -> Iterator[Row]:
    """Hoffmann et al.'s points as Besiroglu et al. read them."""
    law, points = get_law("chinchilla2022"), load_runs("chinchilla_epoch")
    excluded = pl.col("excluded_by_besiroglu") == 1
    kept, whole = fit(rows_of(points.filter(~excluded), law)), fit(rows_of(points, law))
    data = "Chinchilla, 240 of 245 points"
    yield data, f"`{law.name}`", "objective at most 0.001019", f"{kept.objective:.6f}"
    far = max(abs(kept.coefficients[name] - value) / error for name, (value, error) in PUBLISHED.items())
    yield data, f"`{law.name}`", "each coefficient within 1 standard error of the published", f"within {far:.2f}"
    shift = (kept.coefficients["b"], whole.coefficients["b"], kept.coefficients["beta"], whole.coefficients["beta"])
    known = "B from 2,144 to 12,846 and β from 0.367 to 0.453"
    found = "{:,.0f} to {:,.0f}, {:.3f} to {:.3f}".format(*shift)
    yield "Chinchilla, all points", f"`{law.name}`", known, found
    named = set(points.filter(excluded)["run_id"]) & set(whole.outliers())
    known = "the 5 excluded points are named as outliers"
    yield "Chinchilla, all points", f"`{law.name}`", known, f"{len(named)} of 5, {len(whole.outliers())} named"


def routers() -> Iterator[Row]:
    """Clark et al.'s last losses, the subset of their notebook for each router."""
    for router, known in (("s-base", "0.0074"), ("rl-r", "0.0074"), ("hash", "0.0069")):
        runs = load_runs("clark2022_routed_final").filter(
            pl.col("law_family").is_in([f"clark2022-{router}", "clark2022-dense"])
            & (pl.col("routing_frequency") == 0.5)
            & (pl.col("top_k") == 1)
            & (pl.col("seed") == 42)
            & (pl.col("flop_increase") == 1)
        )
        found = fit(rows_of(runs, get_law(f"clark2022-{router}")), delta=None)
        yield f"Clark et al., {router}", f"`clark2022-{router}`", f"RMSLE {known}", f"{found.rmsle:.4f}"


def curves() -> Iterator[Row]:
    """Clark et al.'s S-BASE losses during training."""
    runs = load_runs("clark2022_routed_curves").filter(
        pl.col("law_family").is_in(["clark2022-s-base", "clark2022-dense"])
        & (pl.col("routing_frequency") == 0.5)
        & (pl.col("top_k") == 1)
        & (pl.col("flop_increase") == 1)
        & (pl.col("step") % 20_000 == 10_000)
        & pl.col("step").is_between(30_000, 230_000)
    )
    for law, unknown, known in (("joint2025", "c", "0.0053 and 0.014"), ("yun2024", "f", "0.0159 (bounded) and 0.033")):
        one = fit(rows_of(runs, get_law(law)), delta=None)
        found = f"{one.rmsle:.4f} and {holdout(one, 'largest-n').rmsle_test:.3f}"
        yield "Clark et al., S-BASE curves", f"`{law}`", f"RMSLE and held-out N = 1.3B: {known}", found
        said = ", ".join(identify(one, profile(one)).not_identified)
        yield "Clark et al., S-BASE curves", f"`{law}`", f"not identified: {unknown}", said


def gadre() -> Row:
    """Gadre et al.'s five small runs, and what they predict of 1.4B at M = 640 and 7B at M = 20."""
    runs = load_runs("gadre2024_overtraining").filter(pl.col("train_set") == "rpj")
    small, times = sorted(runs["n_params"].unique())[:4], pl.col("chinchilla_multiplier")
    five = (pl.col("n_params").is_in(small) & (times == 1)) | ((pl.col("n_params") == small[0]) & (times == 16))
    large = (pl.col("n_params").is_between(1e9, 3e9) & (times == 32)) | (pl.col("n_params") > 5e9)
    law = fit(rows_of(runs.filter(five), get_law("gadre2024-redpajama"))).law
    found = predict(law, runs.filter(large).sort("n_params"))
    errors = (100 * (found["pred_loss"] / found["loss"] - 1)).to_list()
    known = "1.4B at M = 640 and 7B at M = 20 within 0.8 %"
    return "Gadre et al., five runs", f"`{law.name}`", known, " and ".join(f"{error:+.2f} %" for error in errors)


def muennighoff() -> Row:
    """The published law at the authors' two golden points."""
    law, off = get_law("muennighoff2023"), 0.0
    for size, tokens, unique, loss in GOLDEN:
        at = {"n_dense": np.float64(size), "tokens": np.float64(tokens), "unique_tokens": np.float64(unique)}
        off = max(off, abs(float(law.loss_of(law.coefficients, at)) / loss - 1))
    return (
        "Muennighoff et al.",
        f"`{law.name}`",
        "the authors' two losses to 1e-9",
        "within 1e-9" if off < 1e-9 else f"off by {off:.0e}",
    )


def table() -> str:
    """The table as Markdown."""
    rows = [*chinchilla(), *routers(), *curves(), gadre(), muennighoff()]
    lines = ["| data | law | known | here |", "|---|---|---|---|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def main() -> None:
    """Rewrite the page."""
    text = PAGE.read_text(encoding="utf-8")
    made = re.sub(f"{START}.*?{END}", lambda _: START + table() + END, text, flags=re.DOTALL)
    PAGE.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
