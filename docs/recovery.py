"""Write the table of known fits in fit.md anew: MOECONOMICS_DATA=FOLDER python docs/recovery.py."""

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from moeconomics.fit import fit, holdout, rows_of
from moeconomics.laws import get_law
from moeconomics.runs import load_runs

PAGE = Path(__file__).parent / "fit.md"
START, END = "<!-- docs/recovery.py -->\n", "<!-- end -->\n"


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Data, law, what is known, and what the code finds now."""
    points = load_runs("chinchilla_epoch")
    kept = fit(rows_of(points.filter(pl.col("excluded_by_besiroglu") == 0), get_law("chinchilla2022")))
    known = "objective 0.00101875 at Besiroglu et al.'s values"
    yield "Chinchilla, 240 of 245 points", "`chinchilla2022`", known, f"{kept.objective:.6f}"
    whole = fit(rows_of(points, get_law("chinchilla2022"))).coefficients
    yield "Chinchilla, all points", "`chinchilla2022`", "beta moves from 0.37 to 0.45", f"{whole['beta']:.2f}"
    curves = load_runs("clark2022_routed_curves").filter(
        pl.col("law_family").is_in(["clark2022-s-base", "clark2022-dense"])
        & (pl.col("routing_frequency") == 0.5)
        & (pl.col("top_k") == 1)
        & (pl.col("flop_increase") == 1)
        & (pl.col("step") % 20_000 == 10_000)
        & pl.col("step").is_between(30_000, 230_000)
    )
    for law, known in (("joint2025", "0.0053 and 0.014"), ("yun2024", "0.0159 (bounded) and 0.033")):
        one = fit(rows_of(curves, get_law(law)), delta=None)
        found = f"{one.rmsle:.4f} and {holdout(one, 'largest-n').rmsle_test:.3f}"
        yield "Clark et al., S-BASE curves", f"`{law}`", f"RMSLE and held-out N = 1.3B: {known}", found


def table() -> str:
    """The table as Markdown."""
    lines = ["| data | law | known | here |", "|---|---|---|---|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows())]) + "\n"


def main() -> None:
    """Rewrite the page."""
    text = PAGE.read_text(encoding="utf-8")
    made = re.sub(f"{START}.*?{END}", lambda _: START + table() + END, text, flags=re.DOTALL)
    PAGE.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
