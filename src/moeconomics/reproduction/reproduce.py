"""Every claim for every law, setting and FLOP convention, with a verdict and its reason."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from moeconomics.laws import DEFAULT_LAW, INTERVAL_PERCENTILES, Law, get_law, known_laws
from moeconomics.reproduction.claims import CLAIMS, Claim, written
from moeconomics.reproduction.question import DRAWS, Question
from moeconomics.reproduction.setting import ARCHITECTURE, CONVENTIONS, SETTINGS, VOCABULARY, Abstract, Setting
from moeconomics.shapes import get_architecture, relaxed
from moeconomics.units import Array

AGREES, DIFFERS, UNDECIDED = "agrees", "differs", "can not be decided"
FARTHEST = 2.0  # decades outside a law's data; the paper's own over-trained models lie 1.9 beyond its tokens
SURE = 0.95  # share of a law's draws that must say the same

Advance = Callable[[float, float, str], None]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one combination says of a claim: `ours` over the claim's budgets, smallest and largest.

    `ours_interval`: 90 % of the law's draws, None where it has none. `law` is None where no loss enters, `setting`
    where no serving cost does, `count` where no FLOPs do or there is no answer. `extrapolation`: variable → decades
    outside the law's data; `unknown_domain`: variables whose range in the data is not known.
    """

    claim: Claim
    law: str | None
    setting: str | None
    count: str | None
    verdict: str
    reason: str
    ours: tuple[float, float] | None = None
    ours_interval: tuple[float, float] | None = None
    extrapolation: dict[str, float] | None = None
    unknown_domain: tuple[str, ...] = ()

    @property
    def ours_text(self) -> str:
        """`ours` in the claim's unit."""
        return "n/a" if self.ours is None else span_text(self.ours, self.claim.unit)

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {
            "claim": self.claim.name,
            "text": self.claim.text,
            "where": self.claim.where,
            "paper": self.claim.paper,
            "paper_low": self.claim.low,
            "paper_high": self.claim.high,
            "tolerance": self.claim.tolerance,
            "unit": self.claim.unit,
            "ours": self.ours_text,
            "ours_low": self.ours and self.ours[0],
            "ours_high": self.ours and self.ours[1],
            "ours_interval_90": self.ours_interval and list(self.ours_interval),
            "law": self.law,
            "cost_model": self.setting,
            "flops_convention": self.count,
            "verdict": self.verdict,
            "reason": self.reason,
            "extrapolation_log10": self.extrapolation,
            "unknown_domain": list(self.unknown_domain),
        }


def span_text(ends: tuple[float, float], unit: str) -> str:
    """Two ends in a unit, once where they are written alike."""
    low, high = (written(end, unit) for end in ends)
    return low if low == high else f"{low} to {high}"


def reproduce(
    laws: Sequence[str] | None = None,
    settings: Sequence[Setting] = SETTINGS,
    advance: Advance | None = None,
) -> list[Finding]:
    """Ask every claim; `laws` by name, by default all that are known.

    Errors: `BadInput` for an unknown law.
    """
    asked = list(known_laws().values()) if laws is None else [get_law(name) for name in laws]
    ways = [(law, setting, count) for law in asked for setting, count in product(settings, CONVENTIONS)]
    findings = [
        _judge(claim, Question(get_law(DEFAULT_LAW), setting, CONVENTIONS[0]), {})
        for claim in CLAIMS
        if claim.lawless
        for setting in (settings if claim.priced else settings[:1])
    ]
    for done, (law, setting, count) in enumerate(ways):
        if advance is not None:
            advance(done, len(ways), f"{law.name}, {setting.name}, {count}")
        findings += _ask(law, setting, count, first=not any(one.law == law.name for one in findings))
    return sorted(findings, key=lambda one: CLAIMS.index(one.claim))


def _ask(law: Law, setting: Setting, count: str, *, first: bool) -> Iterator[Finding]:
    """The findings of one combination. Claims without cost are asked in the abstract setting, refusals said once."""
    question = Question(law, setting, count)
    alone = Question(replace(law, draws=None), setting, count)  # distances need no draws, and may end the matter
    refused = {dense: _refusal(law, 1 if dense else 8) for dense in (True, False)}
    for claim in (claim for claim in CLAIMS if not claim.lawless):
        reason = refused[claim.dense]
        if reason is not None:
            if first:
                yield Finding(claim=claim, law=law.name, setting=None, count=None, verdict=UNDECIDED, reason=reason)
        elif claim.priced or isinstance(setting, Abstract):
            far = alone.distance(dense=claim.dense)
            yield _judge(claim, alone if max(far.values(), default=0.0) > FARTHEST else question, far)


def _refusal(law: Law, experts: int) -> str | None:
    shape = relaxed(get_architecture(ARCHITECTURE), 4096.0, experts, VOCABULARY)
    return law.refusal(shape, np.array([1e10, 1e11]))


def _judge(claim: Claim, question: Question, far: dict[str, float]) -> Finding:
    asked = Finding(
        claim=claim,
        law=None if claim.lawless else question.law.name,
        setting=question.setting.name if claim.priced else None,
        count=None if claim.lawless else question.count,
        verdict=UNDECIDED,
        reason="no model of the searched sizes reaches that loss or cost and can be served",
        extrapolation=far,
        unknown_domain=()
        if claim.lawless
        else tuple(name for name in question.law.variables if name not in question.law.domain),
    )
    worst = max(far.items(), key=lambda one: one[1], default=("", 0.0))
    if worst[1] > FARTHEST:
        return replace(asked, reason=f"{worst[0]} lies {worst[1]:.1f} decades outside the data of {question.law.name}")
    values = claim.values(question)
    if not np.isfinite(values[0]).all():
        return asked
    verdict, reason = verdict_of(claim, values)
    interval = None
    if len(values) > 1:
        low, high = INTERVAL_PERCENTILES
        interval = (
            float(np.nanpercentile(np.nanmin(values, axis=1), low)),
            float(np.nanpercentile(np.nanmax(values, axis=1), high)),
        )
    ours = float(values[0].min()), float(values[0].max())
    return replace(asked, verdict=verdict, reason=reason, ours=ours, ours_interval=interval)


def verdict_of(claim: Claim, values: Array) -> tuple[str, str]:
    """Verdict and reason from values (M, B): the law's own, then its draws.

    It agrees when every budget's value lies within the stated range, widened by the tolerance. With draws, at least
    `SURE` of them must say the same.
    """
    holds = claim.holds(values).all(axis=1)
    verdict = AGREES if holds[0] else DIFFERS
    within = "within" if holds[0] else "outside"
    reason = f"{within} {claim.paper} with a tolerance of {100 * claim.tolerance:g} %"
    if len(values) > 1:
        share = float(np.mean(holds[1:] == holds[0]))
        reason += f"; {100 * share:.0f} % of {min(DRAWS, len(values) - 1)} draws say so"
        if share < SURE:
            return UNDECIDED, reason
    return verdict, reason
