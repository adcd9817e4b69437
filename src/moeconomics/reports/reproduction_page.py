"""The report of the reproduction: which of the paper's claims hold, under what, and its figures drawn again."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import plotly.graph_objects as go

from moeconomics.reports.page import Cell, Chart, Number, Page, Table
from moeconomics.reproduction import CPU, PARTS, Finding, Summary, summarise, tables_by_factor

HEADLINES = ("cost-8-over-4", "flops-16-over-4", "few-experts-cheapest")
FIRST = "fig3-trilemma"
COLUMNS = ("claim", "standing", "paper", "ours", "agree", "differ", "undecided", "in the band")
WORDS = {
    "fig1-loss-against-experts": "A panel for each number of training tokens, a line for each size: loss falls as "
    "experts are added.",
    "fig2-cost-against-size": "Serving cost rises with the corresponding dense size; a line for each number of "
    "experts, which ends where no number of GPUs holds the model.",
    FIRST: "Loss-optimal models, a line for each number of experts: loss against serving cost, loss against training, "
    "serving cost against training.",
    "fig4-loss-cost": "Models of one training budget, a line for each number of experts. Left of its dot a model is "
    "smaller than the loss-optimal one and trained on more tokens.",
    "fig5-bounded-loss": "Models that reach the loss of the loss-optimal base: at the left their serving cost over the "
    "base's, at the right their size over the base's. Above the dense base, below that of 4 experts.",
    "fig6-bounded-cost": "Models that cost no more to serve than the loss-optimal base: at the left their loss less "
    "the base's, at the right their size over the base's. Above the dense base, below that of 4 experts.",
    "fig8-cache-against-size": "Width times layers, which decides the KV cache, of this package's ladder, of public "
    "dense models and of the paper's Table 1.",
}


def reproduction_page(findings: Sequence[Finding], figures: Mapping[str, go.Figure]) -> Page:
    """The claims over laws, cost models and counts of FLOPs as a page; `figures` by `reproduction_figures`."""
    summaries = sorted(summarise(findings), key=lambda one: -one.agree / max(one.agree + one.differ, 1))
    standings = Counter(one.standing for one in summaries)
    tiny = summarise(findings, CPU)
    by_name = {one.claim.name: one for one in summaries}
    charts = {name: Chart(figure=figure, words=WORDS[name]) for name, figure in figures.items()}
    first = charts.pop(FIRST)
    undecided = sum(one.undecided for one in summaries)
    return Page(
        title="The claims of Yun et al. 2024, asked again",
        sentence=(
            f"Of {len(summaries)} stated numbers and conclusions "
            f"{', '.join(f'{count} are {standing}' for standing, count in standings.items())}: robust is what every "
            "law, cost model and count of training FLOPs that can answer agrees with, not reproduced what none does."
        ),
        details=[
            f"{one.claim.heading} ({one.claim.where}). {one.sentence}"
            for standing in standings
            for one in summaries
            if one.standing == standing
        ],
        numbers=[_number(by_name[name]) for name in HEADLINES],
        charts=[first],
        tables=(
            _claims("Claims", summaries),
            *(
                Table(title=title, note=PARTS, columns=columns, rows=rows)
                for title, (columns, rows) in tables_by_factor(summaries).items()
            ),
            *([_claims(f"{CPU.title}: the same asked of laws of tiny models", tiny)] if tiny else []),
        ),
        more=list(charts.values()),
        provenance={
            "claims": "Yun et al. 2024, arXiv 2404.02852, at the place that the table names",
            "losses (fitted)": f"laws {_names(one.law for one in findings)}",
            "serving costs (modelled)": _names(one.setting for one in findings),
            "training FLOPs": _names(one.count for one in findings),
            "figures (modelled)": "the law and the cost model that each figure names",
        },
        warnings=(
            f"{undecided} combinations can not decide their claim (a law too far outside its data, or with no variable "
            "for the question) and count for nothing.",
            "yun2024-reconstructed was made from these numbers; where it was asked, it is not counted.",
            "The figures hold for one law and one cost model; the table says what changes with others.",
        ),
    )


def _number(one: Summary) -> Number:
    return Number(
        label=one.claim.text,
        value=one.ours_text,
        interval=f"over {one.agree + one.differ} combinations that can answer; the paper: {one.claim.paper}",
    )


def _claims(title: str, summaries: Sequence[Summary]) -> Table:
    return Table(
        title=title,
        note="What each claim says stands above. Agree, differ, undecided: combinations of law, cost model and count "
        "of FLOPs. In the band: verdicts that the worst case of the serving model's error band leaves as they are. "
        "Press a column's name to sort by it.",
        columns=COLUMNS,
        rows=[_row(one) for one in summaries],
    )


def _row(one: Summary) -> list[Cell]:
    claim = one.claim
    counts: list[Cell] = [one.agree, one.differ, one.undecided]
    band: Cell = (one.surviving / one.banded, f"{one.surviving} of {one.banded}") if one.banded else None
    return [claim.name, one.standing, claim.paper, one.ours_text, *counts, band]


def _names(found: Iterable[str | None]) -> str:
    return ", ".join(dict.fromkeys(name for name in found if name is not None))
