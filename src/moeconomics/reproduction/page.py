"""The page docs/reproduction.md: what the findings say at each scale, and how the headlines move."""

from collections import Counter
from collections.abc import Iterator, Sequence

from moeconomics.reproduction.claims import CLAIMS, written
from moeconomics.reproduction.moves import ARCHITECTURES, GRAINS, HALF, Grain, Move
from moeconomics.reproduction.reproduce import AGREES, DIFFERS, FARTHEST, SURE, UNDECIDED, Finding, span_text
from moeconomics.reproduction.scale import CPU, PAPER
from moeconomics.reproduction.summary import DEPENDS, FAILS, HOLDS, OPEN, PARTS, Summary, summarise, tables_by_factor

INTRODUCTION = """# The paper's claims, asked again

Written by `moeconomics reproduce -o DIR` (as reproduction.md), with `--profile FILE` for each file of measured
latencies that is named below. Each number or conclusion that Yun et al. 2024 (arXiv 2404.02852) state and that can be
computed, asked of each law, cost model and count of FLOPs:

- **laws** that have experts and tokens: {laws};
  for dense models also {dense_laws}.
  A law more than {farthest:g} decades outside its data (`cpu-study`, asked at its own scale further down), or with no
  variable for the question, says nothing. No law here has granularity together with experts and tokens;
- **cost models**: {cost_models}
  (`size` is the paper's abstract setting, the others price its architecture for ShareGPT traffic on up to 8 GPUs);
- **FLOPs**: `6nd` (N the corresponding dense size) and `6nd-active`.

A number agrees when it lies within the stated range, widened by the tolerance, at every stated budget; with a law's
draws {sure:.0f} % of them must say so. `yun2024-reconstructed` is in the JSON but not counted here: it was made
from these numbers. The {farthest:g} decades are a choice: with 1 decade only
`abnar2025` would answer, whose data's sizes and tokens are not known.

**In the band**: of the verdicts that hang on a ratio of two costs, those that stay the same in the worst case of the
cost model's error band, one of the two costs at its low end and the other at its high end. The band of `operator` is 5
to 95 % of measured over predicted for families of models left out of its fit (high over low: 1.8 to 2.0), that of
`paper` its optimistic and pessimistic assumptions; `size` has none. Errors of two models under one cost model go
together, how much is not known: a verdict that stays is safe, one that does not may hold all the same.
"""
OWN_SCALE = """Ratios have no scale, so laws of tiny data are asked with {experts} experts at {budgets}
training FLOPs: {laws}. `cpu-study` is the form of `yun2024` and
`cpu-study-joint2025` that of `joint2025`, both fitted to the same 54 rows of studies/cpu-python-stdlib. The models have
0.3M to 1M parameters besides those of further experts, half of them embeddings, are trained on source code, and lie up
to 0.7 decades beyond the rows' tokens: neither agreement nor disagreement here carries over to the paper's scale.
Absolute sizes and claims of 32 experts are not asked. The cost is `size`, or comes from latencies that were measured in
vLLM on a CPU, by the paper's Eq. 5 and 6; a model outside the measured sizes has no price. Ranges are over budgets and
both counts of FLOPs. Where a verdict "can not be decided", the draws of the fit do not agree.
"""
MOVES = """Cost of the over-trained 8- and 16-expert models over that of the loss-optimal 4-expert one, and the number
of experts of the cheapest model at the dense optimum's loss, in brackets those the error band can not tell from it;
5.15e21 FLOPs, `6nd-active`, cost model `operator`. E counts experts as wide as the dense FFN: a fine-grained model of
E = 8 has 64 experts 1/8 as wide. Bold: both ratios are at most {half} in the worst case of the band.
"""
KNOWN = """`joint2025` knows neither granularity nor shared experts: its columns differ by price alone. `zhao2025` sees
how many experts a token uses and how many of them are shared."""
GRAINED = """What granularity G does by `krajewski2024` at a fixed number E of full-width experts (G of G·E experts 1/G
as wide, in every layer): training FLOPs, and serving cost, at the loss of the loss-optimal model of granularity 1, over
the latter's; 5.15e21 FLOPs, cost model `operator`. n/a: that model's loss-optimal size does not fit.
"""
OPEN_OF_GRAINS = """The ranges of the E = 16 runs are not known; at E = 64 the models lie up to 1.7 decades beyond the
law's data.

**Can not be decided**: whether granularity changes which number of experts is cheapest. `krajewski2024` has
granularity at 16 or at 64 experts only, `joint2025` and `yun2024` have experts at granularity 1 only, `zhao2025` the
number of active experts, `abnar2025` granularities 1 and 2 without a variable for them; `ling2025` has both, but
predicts a ratio of training FLOPs and no loss. What shared experts do to the loss only `zhao2025` says."""


def markdown(findings: Sequence[Finding], moves: Sequence[Move] = (), grains: Sequence[Grain] = ()) -> str:
    """The whole page."""
    summaries = summarise(findings)
    here = [one for one in findings if one.scale == PAPER.name]
    own = [one for one in findings if one.scale == CPU.name]
    lines = [
        INTRODUCTION.format(
            laws=", ".join(_laws(here, dense=False)),
            dense_laws=", ".join(_laws(here, dense=True)),
            cost_models="; ".join(dict.fromkeys(one.setting for one in here if one.setting is not None)),
            farthest=FARTHEST,
            sure=100 * SURE,
        ),
        *_table(summaries),
    ]
    for standing in (HOLDS, DEPENDS, FAILS, OPEN):
        chosen = [one for one in summaries if one.standing == standing]
        if chosen:
            lines += ["", f"## {standing.capitalize()}", ""]
            lines += [f"- {one.claim.heading}.\n  {one.sentence}" for one in chosen]
    tables = tables_by_factor(summaries)
    lines += ["", "## What decides", "", PARTS] if tables else []
    for title, (columns, rows) in tables.items():
        lines += ["", f"### {title}", "", *_head(*columns), *(_row(*cells) for cells in rows)]
    lines += ["", f"## {CPU.title}", "", *_own_scale(own)] if own else []
    lines += ["", "## How they move", "", *_moves(moves)] if moves else []
    lines += ["", "## Granularity alone", "", *_grains(grains)] if grains else []
    return "\n".join(lines) + "\n"


def _laws(findings: Sequence[Finding], *, dense: bool) -> list[str]:
    """Laws that decide claims of MoEs, or dense ones alone."""
    moe, all_laws = (
        {one.law for one in findings if one.ours is not None and one.law and (both or not one.claim.dense)}
        for both in (False, True)
    )
    return [f"`{law}`" for law in sorted(map(str, all_laws - moe if dense else moe))]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _head(*cells: str) -> tuple[str, str]:
    return _row(*cells), "|" + "---|" * len(cells)


def _table(summaries: Sequence[Summary]) -> Iterator[str]:
    counts = ("agree", "differ", "can not be decided", "standing", "in the band")
    yield from _head("claim", "paper", "tolerance", "ours", *counts)
    for one in summaries:
        claim = one.claim
        yield _row(
            f"`{claim.name}` ({claim.where})",
            claim.paper,
            f"{100 * claim.tolerance:g} %",
            one.ours_text,
            *(str(count) for count in (one.agree, one.differ, one.undecided)),
            one.standing,
            f"{one.surviving} of {one.banded}" if one.banded else "n/a",
        )


def _own_scale(findings: Sequence[Finding]) -> Iterator[str]:
    """A row a claim and cost model, a column a law."""
    known = [one for one in findings if one.law is not None]
    laws = list(dict.fromkeys(str(one.law) for one in known))
    priced = {one.setting for one in known if one.ours is not None}
    yield OWN_SCALE.format(
        budgets=", ".join(f"{budget:.2g}".replace("e+", "e") for budget in CPU.budgets),
        experts=", ".join(map(str, CPU.experts)),
        laws=", ".join(f"`{law}`" for law in laws),
    )
    yield from _head("claim", "paper", "cost model", *(f"`{law}`" for law in laws))
    for claim in CLAIMS:
        rows = [one for one in known if one.claim is claim and one.setting in priced]
        for setting in dict.fromkeys(one.setting for one in rows if one.ours is not None):
            cells = [_cell([one for one in rows if (one.law, one.setting) == (law, setting)]) for law in laws]
            yield _row(f"`{claim.name}`", claim.paper, setting or "none", *cells)
    said = Counter(one.verdict for one in known if one.ours is not None)
    yield (
        f"\nOf {sum(said.values())} combinations with a number {said[AGREES]} agree and {said[DIFFERS]} differ; the "
        f"draws of {said[UNDECIDED]} do not decide."
    )
    for setting in dict.fromkeys(one.setting for one in known if one.setting not in priced):
        yield f"`{setting}` prices none of these comparisons: one or both models lie outside what was measured."
    slopes = [one for one in findings if one.law is None and one.ours is not None]
    if slopes:
        yield "\nWithout any law: the serving cost of dense models grows as all their parameters to the power of"
        yield ", ".join(f"{one.ours_text} ({one.setting})" for one in slopes) + f"; the paper: {slopes[0].claim.paper}."


def _cell(findings: Sequence[Finding]) -> str:
    """What one law says of one claim in one setting, over the counts of FLOPs."""
    told = [one for one in findings if one.ours is not None]
    ends = [one.ours for one in told if one.ours is not None]
    if not ends:
        return "n/a"
    whole = min(low for low, _ in ends), max(high for _, high in ends)
    return f"{span_text(whole, told[0].claim.unit)}: " + " or ".join(dict.fromkeys(one.verdict for one in told))


def _moves(moves: Sequence[Move]) -> Iterator[str]:
    yield MOVES.format(half=written(HALF.accepted[1], "share"))
    yield from (f"- `{one.name}`: {one.about}" for one in ARCHITECTURES)
    for law in dict.fromkeys(one.law for one in moves):
        own = [one for one in moves if one.law == law]
        yield f"\nBy `{law}`:\n"
        yield from _head("chip, weights, cache", *(one.name for one in ARCHITECTURES))
        for where in dict.fromkeys((one.gpu, one.weights, one.kv) for one in own):
            yield _row(", ".join(where), *(_headline(one) for one in own if (one.gpu, one.weights, one.kv) == where))
    dearer = [max(one.cost_8_over_4, one.cost_16_over_4) for one in moves if one.cost_8_over_4 and one.cost_16_over_4]
    saves, half, sure = (
        sum(bool(getattr(one, name)) for one in moves)
        for name in ("saves_in_band", "half_or_less", "half_or_less_in_band")
    )
    cheapest = Counter(one.cheapest for one in moves)
    left_open = {number: sum(number in one.not_excluded for one in moves) for number in (4, 8, 16)}
    yield (
        f"\nOver these {len(moves)} the dearer of both costs {span_text((min(dearer), max(dearer)), 'share')} of the "
        f"4-expert model: about half or less\nin {half} ({sure} in the worst case of the band), below 100 % in the "
        f"worst case of the band in {saves}. The cheapest\nmodel has "
        + ", ".join(f"{number} experts in {count}" for number, count in cheapest.items())
        + "; the band leaves open "
        + ", ".join(f"{number} in {count}" for number, count in left_open.items())
        + "."
    )
    first, *_, last = [one for one in moves if (one.law, one.architecture) == (moves[0].law, moves[0].architecture)]
    yield (
        f"From {first.gpu} in {first.weights} to {last.gpu} in {last.weights} with an {last.kv} cache the paper's "
        f"architecture moves from\n{_headline(first)} to {_headline(last)} by `{first.law}`.\n\n{KNOWN}"
    )


def _headline(one: Move) -> str:
    ratios = ", ".join(written(ratio, "share") for ratio in (one.cost_8_over_4, one.cost_16_over_4))
    others = ", ".join(str(number) for number in one.not_excluded if number != one.cheapest)
    text = f"{ratios}; {one.cheapest}" + (f" ({others})" if others else "")
    return f"**{text}**" if one.half_or_less_in_band else text


def _grains(grains: Sequence[Grain]) -> Iterator[str]:
    yield GRAINED
    yield from _head("law", "E", "chip, weights, cache", *(f"G = {grain}" for grain in GRAINS[1:]))
    for law, gpu, weights, kv in dict.fromkeys((one.law, one.gpu, one.weights, one.kv) for one in grains):
        own = [one for one in grains if (one.law, one.gpu, one.weights, one.kv) == (law, gpu, weights, kv)]
        cells = [f"{written(one.flops, 'share')}, {written(one.cost, 'share')}" for one in own]
        yield _row(f"`{law}`", str(own[0].experts), f"{gpu}, {weights}, {kv}", *cells)
    told = [one.cheaper_in_band for one in grains if one.cheaper_in_band is not None]
    yield f"\nCheaper in the worst case of the band: {sum(told)} of {len(told)}.\n{OPEN_OF_GRAINS}"
