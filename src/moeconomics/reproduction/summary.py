"""Which conclusions hold under every combination, which under none, and what decides the others: in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moeconomics.reproduction.claims import CLAIMS, Claim
from moeconomics.reproduction.reproduce import AGREES, DIFFERS, UNDECIDED, Finding, span_text
from moeconomics.reproduction.scale import PAPER, Scale

CIRCULAR = ("yun2024-reconstructed",)  # made from the paper's outputs: that it agrees with them says nothing
HOLDS, FAILS, DEPENDS, OPEN = "robust", "not reproduced", "not robust", "undecided"
FACTORS = {"cost model": "setting", "law": "law", "FLOP convention": "count"}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One claim at one scale over the combinations of laws that are independent of it.

    `ours`: the smallest and largest value. `banded`: verdicts whose cost model has an error band, `surviving` those of
    them that stay the same in its worst case (`Claim.survives`).
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
            "sentence": self.sentence,
        }


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
        if standing != HOLDS:
            tail += "".join(f" By {words}: {_by(decided, words, claim)}." for words in _factors(claim))
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


def _by(decided: Sequence[Finding], words: str, claim: Claim) -> str:
    """The range of each level of a factor."""
    parts = []
    for level in dict.fromkeys(getattr(one, FACTORS[words]) for one in decided):
        ends = [one.ours for one in decided if getattr(one, FACTORS[words]) == level and one.ours is not None]
        whole = min(low for low, _ in ends), max(high for _, high in ends)
        parts.append(f"{level} {span_text(whole, claim.unit)}")
    return ", ".join(parts)
