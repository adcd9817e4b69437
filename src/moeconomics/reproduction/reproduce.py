"""Every claim for every law, setting, FLOP convention and scale, with a verdict and its reason."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from moeconomics.laws import DEFAULT_LAW, INTERVAL_PERCENTILES, JOINT2025, Law, get_law, known_laws, load_fitted
from moeconomics.reproduction.claims import CLAIMS, Claim, written
from moeconomics.reproduction.measured import Profiled
from moeconomics.reproduction.question import DRAWS, Question
from moeconomics.reproduction.scale import PAPER, SCALES, Scale
from moeconomics.reproduction.setting import ARCHITECTURE, CONVENTIONS, SETTINGS, VOCABULARY, Abstract, Setting
from moeconomics.shapes import get_architecture, relaxed
from moeconomics.units import Array

AGREES, DIFFERS, UNDECIDED = "agrees", "differs", "can not be decided"
FARTHEST = 2.0  # decades outside a law's data; the paper's own over-trained models lie 1.9 beyond its tokens
SURE = 0.95  # share of a law's draws that must say the same
ALL_LAWS = "all"
CPU_JOINT2025 = "cpu-study-joint2025"
TINY = (1e3, 1e10)  # N that is searched at the CPU study's scale

Advance = Callable[[float, float, str], None]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one combination says of a claim: `ours` over the claim's budgets, smallest and largest.

    `ours_interval`: 90 % of the law's draws, None where it has none. `ours_band`: `ours` with one of the two costs at
    an end of the cost model's error band, the other at the other; `survives`: whether the verdict stays the same there
    (`Claim.survives`); None where the cost model has no band. `law` is None where no loss enters, `setting` where no
    serving cost does, `count` where no FLOPs do or there is no answer. `extrapolation`: variable → decades outside the
    law's data; `unknown_domain`: variables whose range in the data is not known. `scale`: a name of `SCALES`.
    """

    claim: Claim
    law: str | None
    setting: str | None
    count: str | None
    verdict: str
    reason: str
    scale: str = PAPER.name
    ours: tuple[float, float] | None = None
    ours_interval: tuple[float, float] | None = None
    ours_band: tuple[float, float] | None = None
    survives: bool | None = None
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
            "ours_band": self.ours_band and list(self.ours_band),
            "law": self.law,
            "cost_model": self.setting,
            "flops_convention": self.count,
            "scale": self.scale,
            "verdict": self.verdict,
            "survives_band": self.survives,
            "reason": self.reason,
            "extrapolation_log10": self.extrapolation,
            "unknown_domain": list(self.unknown_domain),
        }


def span_text(ends: tuple[float, float], unit: str) -> str:
    """Two ends in a unit, once where they are written alike."""
    low, high = (written(end, unit) for end in ends)
    return low if low == high else f"{low} to {high}"


@cache
def cpu_joint2025() -> Law:
    """The form of `joint2025` fitted to the CPU study's rows, with draws: the other form is the law `cpu-study`.

    Written by `moeconomics fit studies/cpu-python-stdlib/runs/runs.csv --law joint2025 --bootstrap 40`.
    """
    path = Path(str(files(__package__) / "cpu_study_joint2025.json"))
    return replace(load_fitted(path, {JOINT2025.name: JOINT2025}), name=CPU_JOINT2025)


def asked_laws(names: Sequence[str] | None = None) -> list[Law]:
    """Laws by name, a fitted file's among them; all that are known for None, and where `all` is one of the names.

    Errors: `BadInput` for an unknown law.
    """
    every = {**known_laws(), CPU_JOINT2025: cpu_joint2025()}
    found = {}
    for name in [ALL_LAWS] if names is None else names:
        found.update(every if name == ALL_LAWS else {name: every[name] if name in every else get_law(name)})
    return list(found.values())


def reproduce(
    laws: Sequence[str] | None = None,
    settings: Sequence[Setting] = SETTINGS,
    advance: Advance | None = None,
    *,
    profiles: Sequence[Path] = (),
    scales: Sequence[Scale] = SCALES,
) -> list[Finding]:
    """Ask every claim; `laws` as `asked_laws` takes them, `settings` of the paper's scale.

    `profiles`: measured latencies of tiny models, which price the claims at the CPU study's scale. Errors: `BadInput`
    for an unknown law or a file that is no profile.
    """
    asked = asked_laws(laws)
    tiny: list[Setting] = [Abstract(sizes=TINY), *(Profiled(path=path) for path in profiles)]
    for one in tiny:
        _ = one.spread  # a file that is none is said before the work
    ways: list[Question] = []
    findings: list[Finding] = []
    for scale in scales:
        own, known = [law for law in asked if scale.has(law)], settings if scale.is_paper else tiny
        ways += [Question(law, setting, count, scale) for law in own for setting, count in product(known, CONVENTIONS)]
        if own:
            findings += _lawless(known, scale)
    for done, question in enumerate(ways):
        if advance is not None:
            advance(done, len(ways), f"{question.law.name}, {question.setting.name}, {question.count}")
        findings += _ask(question, first=not any(one.law == question.law.name for one in findings))
    return sorted(findings, key=lambda one: CLAIMS.index(one.claim))


def _lawless(settings: Sequence[Setting], scale: Scale) -> Iterator[Finding]:
    """Claims that no loss enters; those without cost are of no scale, and told at the paper's."""
    for claim in CLAIMS:
        if claim.lawless and (claim.priced or scale.is_paper):
            for setting in settings if claim.priced else settings[:1]:
                yield _judge(claim, Question(get_law(DEFAULT_LAW), setting, CONVENTIONS[0], scale), {})


def _ask(question: Question, *, first: bool) -> Iterator[Finding]:
    """The findings of one combination. Claims without cost are asked in the abstract setting, refusals said once."""
    # Without its draws a law tells how far it is asked, and whether it answers at all, in a fraction of the time.
    alone = question if question.law.draws is None else replace(question, law=replace(question.law, draws=None))
    refused = {dense: _refusal(question.law, 1 if dense else 8) for dense in (True, False)}
    for claim in (claim for claim in CLAIMS if not claim.lawless):
        reason = refused[claim.dense]
        if reason is not None:
            if first:
                yield Finding(
                    claim=claim, law=question.law.name, setting=None, count=None, verdict=UNDECIDED, reason=reason
                )
        elif claim.priced or isinstance(question.setting, Abstract):
            far = {} if claim.unasked(question.scale) else alone.distance(dense=claim.dense)
            yield _judge(claim, question if alone is question or _answers(claim, alone, far) else alone, far)


def _answers(claim: Claim, alone: Question, far: dict[str, float]) -> bool:
    """Whether a law's own coefficients give a number."""
    if claim.unasked(alone.scale) or max(far.values(), default=0.0) > FARTHEST:
        return False
    return bool(np.isfinite(claim.values(alone)).all())


def _refusal(law: Law, experts: int) -> str | None:
    shape = relaxed(get_architecture(ARCHITECTURE), 4096.0, experts, VOCABULARY)
    return law.refusal(shape, np.array([1e10, 1e11]))


def _judge(claim: Claim, question: Question, far: dict[str, float]) -> Finding:
    setting = question.setting
    outside = "" if setting.priced == setting.sizes else f", or {setting.name} was not measured at it"
    asked = Finding(
        claim=claim,
        law=None if claim.lawless else question.law.name,
        setting=setting.name if claim.priced else None,
        count=None if claim.lawless else question.count,
        scale=question.scale.name,
        verdict=UNDECIDED,
        reason=f"no model of the searched sizes reaches that loss or cost and can be served{outside}",
        extrapolation=far,
        unknown_domain=()
        if claim.lawless
        else tuple(name for name in question.law.variables if name not in question.law.domain),
    )
    unasked = claim.unasked(question.scale)
    if unasked is not None:
        return replace(asked, reason=unasked)
    worst = max(far.items(), key=lambda one: one[1], default=("", 0.0))
    if worst[1] > FARTHEST:
        return replace(asked, reason=f"{worst[0]} lies {worst[1]:.1f} decades outside the data of {question.law.name}")
    values = claim.values(question)
    if not np.isfinite(values[0]).all():
        return asked
    verdict, reason = verdict_of(claim, values)
    spread, own = setting.spread, (float(values[0].min()), float(values[0].max()))
    return replace(
        asked,
        verdict=verdict,
        reason=reason,
        ours=own,
        ours_interval=_interval(values),
        ours_band=(own[0] / spread, own[1] * spread) if claim.of_costs and spread is not None else None,
        survives=None if verdict == UNDECIDED else claim.survives(question, values),
    )


def _interval(values: Array) -> tuple[float, float] | None:
    """90 % of the sets (M, B) that answer: of their smallest values the low end, of their largest the high one."""
    answered = values[np.isfinite(values).all(axis=1)]
    if len(values) == 1:
        return None
    low, high = INTERVAL_PERCENTILES
    return float(np.percentile(answered.min(axis=1), low)), float(np.percentile(answered.max(axis=1), high))


def verdict_of(claim: Claim, values: Array) -> tuple[str, str]:
    """Verdict and reason from values (M, B): the law's own, then its draws.

    It agrees when every budget's value lies within the stated range, widened by the tolerance. With draws, at least
    `SURE` of them must say the same; a draw without an answer says nothing.
    """
    holds = claim.holds(values).all(axis=1)
    verdict = AGREES if holds[0] else DIFFERS
    within = "within" if holds[0] else "outside"
    reason = f"{within} {claim.paper} with a tolerance of {100 * claim.tolerance:g} %"
    if len(values) > 1:
        same = (holds == holds[0]) & np.isfinite(values).all(axis=1)
        share = float(np.mean(same[1:]))
        reason += f"; {100 * share:.0f} % of {min(DRAWS, len(values) - 1)} draws say so"
        if share < SURE:
            return UNDECIDED, reason
    return verdict, reason
