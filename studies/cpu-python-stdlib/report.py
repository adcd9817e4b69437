"""Write README.md and the law `cpu-study` from the rows of this study: python studies/cpu-python-stdlib/report.py."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from moeconomics.fit import Fit, bootstrap, compare, fit, fitted_file, holdouts, identify, profile, rows_of, sha256_of
from moeconomics.laws import get_law
from moeconomics.runs import read_runs

HERE = Path(__file__).parent
LAW_FILE = HERE.parents[1] / "src" / "moeconomics" / "laws" / "cpu_study.json"
SHIPPED = "yun2024"  # the form of the law `cpu-study`: the lower error on all rows, and on the largest compute held out
LAWS = (SHIPPED, "joint2025")
DRAWS = 300
SURE = 2.0  # standard deviations
INTRODUCTION = """# Losses of small MoEs over size, experts and annealed tokens

Written by `report.py` from `runs/runs.csv`. A public grid in which N, E and annealed D vary together, at the scale of a
laptop: what it says of models a thousand times larger is an extrapolation.

{rows} rows of {trunks} trunks: Llama-style decoders of 2 layers with an MoE in the second, top-2, sequences of 128,
batches of {batch_tokens:.0f} tokens. A trunk of constant learning rate is left by a branch that anneals at each token
count (recipe `{schedule}`). No token is seen twice.

- text: {loss_dataset}; licence {licence}
- trained with {code_version} on {machines}
- again: `moeconomics sweep studies/cpu-python-stdlib/grid.yaml -o studies/cpu-python-stdlib/runs`

"""
HOLDOUTS = ("largest-compute", "largest-n", "largest-experts", "latest-tokens")


def millions(count: float) -> str:
    return f"{count / 1e6:.3g}M"


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def by_cell(runs: pl.DataFrame, column: str, digits: int) -> str:
    """A table of a column by size and experts, one column for each token count; first seed."""
    first = runs.filter(pl.col("seed") == 0)
    counts = sorted(first["tokens"].unique())
    rows = []
    for (size, experts), part in sorted(first.group_by(["n_params", "n_experts"])):
        found = dict(zip(part["tokens"], part[column], strict=True))
        cells = ["n/a" if found.get(count) is None else f"{found[count]:.{digits}f}" for count in counts]
        one = part.row(0, named=True)
        rows.append(
            [
                millions(size),
                str(experts),
                millions(one["n_active"]),
                millions(one["n_total"]),
                *cells,
            ]
        )
    return markdown(["N", "E", "N active", "N total", *(f"{count / 1e6:.3g}M tokens" for count in counts)], rows)


def seeds(runs: pl.DataFrame) -> pl.DataFrame:
    """Loss of each cell that has two seeds, and what the second adds."""
    key = ["n_params", "n_experts", "tokens"]
    first, second = (runs.filter(pl.col("seed") == seed) for seed in (0, 1))
    both = first.join(second, on=key, suffix="_second").sort(key)
    return both.with_columns((pl.col("loss_second") - pl.col("loss")).alias("difference"))


def separation(runs: pl.DataFrame, deviation: float) -> str:
    """By how much each step in experts lowers the loss, in standard deviations of such a difference, and a verdict."""
    first = runs.filter(pl.col("seed") == 0)
    rows, told = [], {True: Counter[str](), False: Counter[str]()}
    for (size, tokens), part in sorted(first.group_by(["n_params", "tokens"])):
        ordered = part.sort("n_experts")
        for (low, before), (high, after) in pairwise(zip(ordered["n_experts"], ordered["loss"], strict=True)):
            gain = (before - after) / (deviation * 2**0.5)
            told[low == 1]["better" if gain > SURE else "worse" if gain < -SURE else "undecided"] += 1
            rows.append(
                [millions(size), millions(tokens), f"{low} to {high}", f"{before - after:+.4f}", f"{gain:+.1f}"]
            )
    words = {
        first: ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("better", "worse", "undecided"))
        for first, counts in told.items()
    }
    return (
        f"Beyond {SURE:g} standard deviations of a difference: from dense to the fewest experts {words[True]};\n"
        f"from some experts to more {words[False]}.\n\n"
        + markdown(["N", "tokens", "experts", "gain, nats", "in deviations of a difference"], rows)
    )


def fitted(runs: pl.DataFrame, name: str) -> Fit:
    one = fit(rows_of(runs, get_law(name)))
    return bootstrap(one, DRAWS, np.random.default_rng(0))


def law_section(one: Fit) -> Iterator[str]:
    law = one.rows.law
    unknown = identify(one, profile(one)).not_identified
    yield f"### `{law.name}`\n\n{law.formula}\n\n"
    yield f"RMSLE {one.rmsle:.4f} on {len(one.rows)} rows; Huber objective {one.objective:.3g}.\n\n"
    rows = []
    for coefficient, value in one.coefficients.items():
        low, high = one.intervals[coefficient]
        why = unknown.get(coefficient, "")
        rows.append([coefficient, f"{value:.4g}", f"{low:.3g} to {high:.3g}", why and f"not identified: {why}"])
    yield markdown(["coefficient", "estimate", "90 % interval", ""], rows) + "\n"
    held = [score for kind in HOLDOUTS for score in holdouts(one, kind)]
    yield (
        markdown(
            ["held out", "rows fitted", "RMSLE", "rows held out", "RMSLE there"],
            [[s.kind, str(s.n_train), f"{s.rmsle_train:.4f}", str(s.n_test), f"{s.rmsle_test:.4f}"] for s in held],
        )
        + "\n"
    )


def tuning() -> str:
    rows = read_runs(HERE / "tuning" / "runs.csv").sort(["n_params", "n_experts", "batch_tokens", "lr"])
    return markdown(
        ["N", "E", "batch, tokens", "learning rate", "loss at 2.5M tokens"],
        [
            [
                millions(r["n_params"]),
                str(r["n_experts"]),
                f"{r['batch_tokens']:.0f}",
                f"{r['lr']:.3g}",
                f"{r['loss']:.4f}",
            ]
            for r in rows.iter_rows(named=True)
        ],
    )


def losses_section(runs: pl.DataFrame) -> Iterator[str]:
    """What was measured; nothing here is fitted."""
    yield "## Losses\n\nNats per token on the same validation documents; N counts the embeddings.\n\n"
    yield by_cell(runs, "loss", 4) + "\n"
    both = seeds(runs)
    deviation = float(np.sqrt((both["difference"] ** 2).mean() / 2))
    yield (
        "## Noise between seeds\n\nThe same data, other initial weights and order.\n\n"
        + markdown(
            ["N", "E", "tokens", "loss", "second seed", "difference"],
            [
                [
                    millions(r["n_params"]),
                    str(r["n_experts"]),
                    millions(r["tokens"]),
                    f"{r['loss']:.4f}",
                    f"{r['loss_second']:.4f}",
                    f"{r['difference']:+.4f}",
                ]
                for r in both.iter_rows(named=True)
            ],
        )
        + f"\nStandard deviation of one loss from these {both.height} pairs: {deviation:.4f} nats.\n\n"
    )
    yield "## Do experts separate?\n\n" + separation(runs, deviation) + "\n"
    yield "## Load of the experts\n\nThe largest load of one over the mean, on validation; no token is dropped.\n\n"
    yield by_cell(runs.filter(pl.col("n_experts") > 1), "expert_load_max", 2) + "\n"


def page(runs: pl.DataFrame, fits: list[Fit]) -> str:
    _, verdict = compare(fits, "largest-compute")
    parts = [
        INTRODUCTION.format(
            rows=runs.height,
            trunks=runs["trunk"].n_unique(),
            machines=", ".join(sorted(runs["hardware"].unique())),
            **runs.row(0, named=True),
        ),
        *losses_section(runs),
        "## Laws\n\nHuber loss of ln L, delta 0.001; intervals from a bootstrap over trunks.\n\n",
        *(text for each in fits for text in law_section(each)),
        f"Held out by compute: {verdict}.\n\n",
        f"The law `cpu-study` of this package is the `{SHIPPED}` fit with its draws. It is tiny-scale.\n\n",
        "## How batch and learning rate were chosen\n\n",
        tuning(),
    ]
    return "".join(parts)


def main() -> None:
    """Rewrite the page and the law's file."""
    runs = read_runs(HERE / "runs" / "runs.csv")
    fits = [fitted(runs, name) for name in LAWS]
    (HERE / "README.md").write_text(page(runs, fits), encoding="utf-8")
    LAW_FILE.write_text(fitted_file(fits[0], sha256_of(runs)).model_dump_json() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
