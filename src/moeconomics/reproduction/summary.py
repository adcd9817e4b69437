"""Which conclusions hold under every combination, which under none, and what decides the others: in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moeconomics.reproduction.claims import CLAIMS, Claim
from moeconomics.reproduction.reproduce import AGREES, DIFFERS, FARTHEST, SURE, UNDECIDED, Finding, span_text

CIRCULAR = ("yun2024-reconstructed",)  # made from the paper's outputs: that it agrees with them says nothing
HOLDS, FAILS, DEPENDS, OPEN = "robust", "not reproduced", "not robust", "undecided"
FACTORS = {"cost model": "setting", "law": "law", "FLOP convention": "count"}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One claim over the combinations of laws that are independent of it. `ours`: the smallest and largest value."""

    claim: Claim
    standing: str
    agree: int
    differ: int
    undecided: int
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
            "ours": self.ours_text,
            "sentence": self.sentence,
        }


def summarise(findings: Sequence[Finding]) -> list[Summary]:
    """One summary a claim, in the paper's order."""
    return [_summary(claim, [one for one in findings if one.claim is claim]) for claim in CLAIMS]


def _summary(claim: Claim, findings: Sequence[Finding]) -> Summary:
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
    return Summary(
        claim=claim,
        standing=standing,
        agree=agree,
        differ=len(decided) - agree,
        undecided=len(counted) - len(decided),
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


def _laws(findings: Sequence[Finding], *, dense: bool) -> list[str]:
    """Laws that decide claims of MoEs, or dense ones alone."""
    moe, all_laws = (
        {one.law for one in findings if one.ours is not None and one.law and (both or not one.claim.dense)}
        for both in (False, True)
    )
    return [f"`{law}`" for law in sorted(map(str, all_laws - moe if dense else moe))]


def markdown(findings: Sequence[Finding]) -> str:
    """The page docs/reproduction.md: summary, sentences and what was not counted."""
    summaries = summarise(findings)
    lines = [
        "# The paper's claims, asked again",
        "",
        "Written by `moeconomics reproduce -o DIR` (as reproduction.md). Each number or conclusion that Yun et al. "
        "2024 (arXiv\n2404.02852) state and that can be computed, asked of each law, cost model and count of FLOPs:",
        "",
        f"- **laws** that have experts and tokens: {', '.join(_laws(findings, dense=False))};",
        f"  for dense models also {', '.join(_laws(findings, dense=True))}.",
        f"  A law more than {FARTHEST:g} decades outside its data (`cpu-study`), or with no variable for the question,",
        "  says nothing. Granularity is not asked: no law here has it together with experts and tokens;",
        "- **cost models**: "
        + "; ".join(dict.fromkeys(one.setting for one in findings if one.setting is not None))
        + "\n  (`size` is the paper's abstract setting, the others price its architecture for ShareGPT traffic on up "
        "to 8 GPUs);",
        "- **FLOPs**: `6nd` (N the corresponding dense size) and `6nd-active`.",
        "",
        "A number agrees when it lies within the stated range, widened by the tolerance, at every stated budget; "
        f"with a law's\ndraws {100 * SURE:.0f} % of them must say so. `yun2024-reconstructed` is in the JSON but not "
        "counted here: it was made\nfrom these numbers. The 2 decades are a choice: with 1 decade only\n"
        "`abnar2025` would answer, whose data's sizes and tokens are not known.",
        "",
        "| claim | paper | tolerance | ours | agree | differ | can not be decided | standing |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{one.claim.name}` ({one.claim.where}) | {one.claim.paper} | {100 * one.claim.tolerance:g} % | "
        f"{one.ours_text} | {one.agree} | {one.differ} | {one.undecided} | {one.standing} |"
        for one in summaries
    ]
    for standing in (HOLDS, DEPENDS, FAILS, OPEN):
        chosen = [one for one in summaries if one.standing == standing]
        if chosen:
            lines += ["", f"## {standing.capitalize()}", ""]
            lines += [f"- {one.claim.text[0].upper()}{one.claim.text[1:]}.\n  {one.sentence}" for one in chosen]
    return "\n".join(lines) + "\n"
