"""Which conclusions hold under every combination, which under none, and what decides the others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from moeconomics.reproduction.claims import CLAIMS, Claim
from moeconomics.reproduction.reproduce import AGREES, DIFFERS, UNDECIDED, Finding, span_text
from moeconomics.reproduction.scale import PAPER, Scale

CIRCULAR = ("yun2024-reconstructed",)  # made from the paper's outputs: that it agrees with them says nothing
HOLDS, FAILS, DEPENDS, OPEN = "robust", "not reproduced", "not robust", "undecided"
PARTS = "Smallest and largest value, and in brackets how many of the combinations that can decide agree."
FACTORS = {"cost model": "setting", "law": "law", "FLOP convention": "count"}


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one law, or one cost model, says of a claim over all that it is combined with.

    `ours`: smallest and largest value; of `decided` combinations `agree` agree.
    """

    ours: str
    agree: int
    decided: int

    def __str__(self) -> str:
        return f"{self.ours} ({self.agree} of {self.decided})"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One claim at one scale over the combinations of laws that are independent of it.

    `ours`: the smallest and largest value. `parts`: law or cost model → its name → what it says. `banded`: verdicts
    whose cost model has an error band, `surviving` those of them that stay the same in its worst case
    (`Claim.survives`).
    """

    claim: Claim
    scale: str
    standing: str
    agree: int
    differ: int
    undecided: int
    banded: int
    surviving: int
    ours: tuple[float, float] | None
    parts: Mapping[str, Mapping[str, Part]]
    sentence: str

    @property
    def ours_text(self) -> str:
        """The range in the claim's unit."""
        return "n/a" if self.ours is None else span_text(self.ours, self.claim.unit)

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {
            "claim": self.claim.name,
            "standing": self.standing,
            "agree": self.agree,
            "differ": self.differ,
            "undecided": self.undecided,
            "banded": self.banded,
            "surviving": self.surviving,
            "scale": self.scale,
            "ours": self.ours_text,
            "by": {
                factor.replace(" ", "_"): {level: asdict(part) for level, part in own.items()}
                for factor, own in self.parts.items()
            },
            "sentence": self.sentence,
        }


def tables_by_factor(summaries: Sequence[Summary]) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Title → columns and rows of what each law and each cost model says; "n/a" where it can not decide."""
    by_law, priced = ([one for one in summaries if one.parts.get(factor)] for factor in ("law", "cost model"))
    dense = [one for one in by_law if one.claim.dense]
    found = {
        "By law": _across([one for one in by_law if not one.claim.dense], "law"),
        "Dense models by law": (
            ["law", *(f"{one.claim.name} (the paper: {one.claim.paper})" for one in dense)],
            [[law, *(str(one.parts["law"].get(law, "n/a")) for one in dense)] for law in _levels(dense, "law")],
        ),
        "By cost model": _across(priced, "cost model"),
    }
    return {title: (columns, rows) for title, (columns, rows) in found.items() if rows}


def _levels(summaries: Sequence[Summary], factor: str) -> list[str]:
    return list(dict.fromkeys(level for one in summaries for level in one.parts[factor]))


def _across(summaries: Sequence[Summary], factor: str) -> tuple[list[str], list[list[str]]]:
    """A row a claim, a column a level of the factor."""
    levels = _levels(summaries, factor)
    rows = [
        [one.claim.name, one.claim.paper, *(str(one.parts[factor].get(level, "n/a")) for level in levels)]
        for one in summaries
    ]
    return ["claim", "paper", *levels], rows


def summarise(findings: Sequence[Finding], scale: Scale = PAPER) -> list[Summary]:
    """One summary a claim that was asked at the scale, in the paper's order."""
    here = [one for one in findings if one.scale == scale.name]
    asked = {one.claim.name for one in here}
    return [
        _summary(claim, scale, [one for one in here if one.claim is claim]) for claim in CLAIMS if claim.name in asked
    ]


def _summary(claim: Claim, scale: Scale, findings: Sequence[Finding]) -> Summary:
    counted = [one for one in findings if one.law not in CIRCULAR]
    decided = [one for one in counted if one.verdict != UNDECIDED]
    agree = sum(one.verdict == AGREES for one in decided)
    ends = [one.ours for one in decided if one.ours is not None]
    ours = (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None
    standing = OPEN if not decided else HOLDS if agree == len(decided) else FAILS if agree == 0 else DEPENDS
    head = f"{claim.name} ({claim.paper}): {standing}, "
    if ours is None:
        tail = "no combination can decide it."
    else:
        tail = f"{agree} of {len(decided)} combinations agree, {span_text(ours, claim.unit)}"
        tail += f"; {_decider(decided)}." if standing == DEPENDS else "."
    banded = [one.survives for one in decided if one.survives is not None]
    if banded:
        tail += f" In the worst case of the serving model's error band {sum(banded)} of {len(banded)} verdicts stay."
    return Summary(
        claim=claim,
        scale=scale.name,
        standing=standing,
        agree=agree,
        differ=len(decided) - agree,
        undecided=len(counted) - len(decided),
        banded=len(banded),
        surviving=sum(banded),
        ours=ours,
        parts={factor: _parts(decided, factor, claim) for factor in _factors(claim)},
        sentence=head + tail,
    )


def _decider(decided: Sequence[Finding]) -> str:
    """The one factor whose levels each have one verdict, or that there is none."""
    for words, field in FACTORS.items():
        levels: dict[str, set[str]] = {}
        for one in decided:
            levels.setdefault(str(getattr(one, field)), set()).add(one.verdict)
        if len(levels) > 1 and all(len(verdicts) == 1 for verdicts in levels.values()):
            agreeing, differing = (
                ", ".join(level for level, found in levels.items() if found == {verdict})
                for verdict in (AGREES, DIFFERS)
            )
            return f"the {words} decides: it agrees with {agreeing} and differs with {differing}"
    return "no single assumption decides"


def _factors(claim: Claim) -> tuple[str, ...]:
    """What a claim's number depends on besides the count of FLOPs."""
    return (*(() if claim.lawless else ("law",)), *(("cost model",) if claim.priced else ()))


def _parts(decided: Sequence[Finding], factor: str, claim: Claim) -> dict[str, Part]:
    """The range and the verdicts of each level of a factor."""
    parts = {}
    for level in dict.fromkeys(getattr(one, FACTORS[factor]) for one in decided):
        own = [one for one in decided if getattr(one, FACTORS[factor]) == level]
        ends = [one.ours for one in own if one.ours is not None]
        whole = min(low for low, _ in ends), max(high for _, high in ends)
        agree = sum(one.verdict == AGREES for one in own)
        parts[level] = Part(ours=span_text(whole, claim.unit), agree=agree, decided=len(own))
    return parts
