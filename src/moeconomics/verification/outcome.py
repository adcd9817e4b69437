"""Predicted against measured, and what it says of the paper's claim."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import t

from moeconomics.units import SECONDS_PER_HOUR
from moeconomics.verification.planned import BASE, DENSE, RECOMMENDED, Candidate

AGREES, DIFFERS, UNDECIDED = "agrees", "differs", "can not be decided"
PAPER_RATIO = (0.47, 0.52)  # Yun et al. 2024 §1: cost of over-trained 8 and 16 experts over the 4-expert optimum's
TOLERANCE = 0.1  # relative, as in `reproduction`
VERBS = {AGREES: "holds", DIFFERS: "does not hold", UNDECIDED: "can not be decided"}
CONFIDENCE = 0.9  # of the intervals of measured losses, as that of the predicted ones
TOKENS_PER_MTOK = 1e6


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One model. Loss in nats/token, throughput in output tokens/s.

    `tokens` were seen, `unique_tokens` of them once only; `losses` has one of each seed, `loss_se` is the first's.
    `tok_s` is the median of all repeats, with their extremes.
    """

    role: str
    candidate: Candidate
    tokens: float
    unique_tokens: float
    losses: tuple[float, ...]
    loss_se: float
    tok_s: float
    tok_s_low: float
    tok_s_high: float
    usd_per_hour: float

    @property
    def loss(self) -> float:
        """Measured loss, the mean over seeds."""
        return float(np.mean(self.losses))

    def usd_per_mtok(self, tok_s: float) -> float:
        """USD per million output tokens at a throughput."""
        return self.usd_per_hour * self.candidate.gpus / SECONDS_PER_HOUR / tok_s * TOKENS_PER_MTOK

    @property
    def usd(self) -> float:
        """Measured USD per million output tokens."""
        return self.usd_per_mtok(self.tok_s)

    @property
    def loss_within(self) -> bool | None:
        """Whether the loss lies in the predicted interval; None without one."""
        return _within(self.loss, self.candidate.loss_low, self.candidate.loss_high)

    @property
    def usd_within(self) -> bool | None:
        """Whether the cost lies in the predicted band; None without one."""
        one = self.candidate
        return _within(self.usd, one.usd_per_mtok_output_low, one.usd_per_mtok_output_high)

    def as_json(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        one = self.candidate
        return {
            "role": self.role,
            "experts": one.experts,
            "n_active": one.n_active,
            "n_total": one.n_total,
            "tokens": self.tokens,
            "unique_tokens": self.unique_tokens,
            "train_flops": one.train_flops,
            "loss_predicted": one.loss,
            "loss_low": one.loss_low,
            "loss_high": one.loss_high,
            "loss_measured": self.loss,
            "loss_measured_by_seed": list(self.losses),
            "loss_se_over_documents": self.loss_se,
            "loss_within": self.loss_within,
            "usd_per_mtok_output_predicted": one.usd_per_mtok_output,
            "usd_per_mtok_output_low": one.usd_per_mtok_output_low,
            "usd_per_mtok_output_high": one.usd_per_mtok_output_high,
            "usd_per_mtok_output_measured": self.usd,
            "usd_within": self.usd_within,
            "output_tok_s_predicted": one.output_tok_s_per_gpu * one.gpus,
            "output_tok_s_measured": self.tok_s,
            "output_tok_s_measured_low": self.tok_s_low,
            "output_tok_s_measured_high": self.tok_s_high,
            "batch": one.batch,
        }


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What was claimed, by the paper or the plan, what was measured, and the verdict with its reason.

    The interval of the measured value is that of `why`; None where there is none.
    """

    claim: str
    claimed: str
    predicted: float
    measured: float
    measured_low: float | None
    measured_high: float | None
    verdict: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that `verify` found; each model has as many seeds.

    `noise`: standard deviation of ln loss about the law, None where unknown.
    """

    plan_sha256: str
    models: tuple[Trial, ...]
    noise: float | None
    facts: dict[str, str]

    def of(self, role: str) -> Trial | None:
        """The model of a role."""
        return next((one for one in self.models if one.role == role), None)

    def pair(self, role: str) -> tuple[Trial, Trial]:
        """The recommended model and another."""
        chosen, other = self.of(RECOMMENDED), self.of(role)
        assert chosen is not None
        assert other is not None
        return chosen, other

    @property
    def seeds(self) -> int:
        """Seeds that each model was trained with."""
        return len(self.models[0].losses)

    @property
    def seed_sd(self) -> float | None:
        """Standard deviation of a loss over seeds, nats/token, one for all models; None with one seed."""
        if self.seeds == 1:
            return None
        return math.sqrt(np.mean([np.var(one.losses, ddof=1) for one in self.models]))

    @property
    def loss_half_width(self) -> float | None:
        """Of the interval of each measured loss, a mean over seeds, by Student's t; None with one seed."""
        if self.seed_sd is None:
            return None
        quantile = float(t.ppf((1 + CONFIDENCE) / 2, len(self.models) * (self.seeds - 1)))
        return quantile * self.seed_sd / math.sqrt(self.seeds)

    def claims(self) -> tuple[Claim, ...]:
        """The verdicts: quality and cost against the base, the paper's claim of both, cost against the dense model."""
        quality, cost = self._quality(), self._cost(BASE)
        found = [quality, cost, self._both(quality, cost)]
        if self.of(DENSE):
            found.append(self._cost(DENSE))
        return tuple(found)

    def _quality(self) -> Claim:
        """No worse loss than the base: decided where the interval of the difference lies on one side of 0."""
        chosen, base = self.pair(BASE)
        measured = chosen.loss - base.loss
        half, why = self._difference(base.loss)
        low, high = measured - half, measured + half
        return Claim(
            claim=f"no worse loss than the loss-optimal {base.candidate.experts}-expert model",
            claimed="a difference of at most 0 nats/token",
            predicted=chosen.candidate.loss - base.candidate.loss,
            measured=measured,
            measured_low=low if math.isfinite(low) else None,
            measured_high=high if math.isfinite(high) else None,
            verdict=AGREES if high <= 0 else DIFFERS if low > 0 else UNDECIDED,
            why=why,
        )

    def _difference(self, loss: float) -> tuple[float, str]:
        """Half the interval of a difference of two models' losses, and what it is from: seeds, or else the law."""
        if self.loss_half_width is not None:
            half = math.sqrt(2) * self.loss_half_width
            return half, f"give or take {half:.3f} at {CONFIDENCE:.0%}, from {self.seeds} seeds of each model"
        if self.noise is None:
            return math.inf, "not known how far: one seed of each model, and a law without noise"
        half = float(t.ppf((1 + CONFIDENCE) / 2, math.inf)) * math.sqrt(2) * self.noise * loss
        return half, f"give or take {half:.3f} at {CONFIDENCE:.0%} by the law's noise: one seed of each model"

    def _cost(self, role: str) -> Claim:
        """The ratio of costs against the plan's own; agrees where its repeats come within the plan's bands."""
        chosen, other = self.pair(role)
        predicted = chosen.candidate.usd_per_mtok_output / other.candidate.usd_per_mtok_output
        measured = chosen.usd / other.usd
        low = other.tok_s_low / chosen.tok_s_high
        high = other.tok_s_high / chosen.tok_s_low
        agrees = low <= predicted * (1 + TOLERANCE) and high >= predicted * (1 - TOLERANCE)
        name = "dense" if role == DENSE else f"{other.candidate.experts}-expert"
        return Claim(
            claim=f"cost over that of the loss-optimal {name} model",
            claimed=f"{predicted:.1%} (the plan)",
            predicted=predicted,
            measured=measured,
            measured_low=low,
            measured_high=high,
            verdict=AGREES if agrees else DIFFERS,
            why=f"{low:.1%} to {high:.1%} over the repeats; the plan's ratio is given {TOLERANCE:.0%}",
        )

    def _both(self, quality: Claim, cost: Claim) -> Claim:
        """The paper's: equal quality at about half of the cost."""
        low, high = PAPER_RATIO
        half = cost.measured <= high * (1 + TOLERANCE)
        return Claim(
            claim="the paper: equal quality at about half of the cost (§1, Algorithm 1)",
            claimed=f"{low:.0%} to {high:.0%} of the cost, or less",
            predicted=cost.predicted,
            measured=cost.measured,
            measured_low=cost.measured_low,
            measured_high=cost.measured_high,
            verdict=quality.verdict if half else DIFFERS,
            why=f"{cost.measured:.1%} of the cost; that the loss is no worse {VERBS[quality.verdict]}",
        )

    def reasons(self) -> tuple[str, ...]:
        """Where predicted and measured part, in words."""
        chosen, base = self.pair(BASE)
        found = []
        for one in self.models:
            label = name_of(one)
            found.append(
                f"{label}: loss {one.loss:.4f} against {one.candidate.loss:.4f} predicted "
                f"({one.loss - one.candidate.loss:+.4f}; {_inside(one.loss_within)} its interval)"
            )
            ratio = one.usd / one.candidate.usd_per_mtok_output
            found.append(f"{label}: cost {ratio:.1%} of the predicted ({_inside(one.usd_within)} its band)")
        active, total = (
            getattr(chosen.candidate, name) / getattr(base.candidate, name) for name in ("n_active", "n_total")
        )
        found.append(
            f"The recommended model has {active:.1%} of the base's active and {total:.1%} of its total parameters, and "
            f"costs {chosen.usd / base.usd:.1%}"
        )
        epochs = [one.tokens / one.unique_tokens for one in self.models]
        if max(epochs) > 1:
            found.append(
                "Tokens are repeated: "
                + ", ".join(
                    f"{name_of(one)} {epoch:.2f} epochs" for one, epoch in zip(self.models, epochs, strict=True)
                )
            )
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """Everything, as plain values with stable keys."""
        return {
            "plan_sha256": self.plan_sha256,
            "models": [one.as_json() for one in self.models],
            "claims": [asdict(one) for one in self.claims()],
            "reasons": list(self.reasons()),
            "seeds": self.seeds,
            "loss_sd_over_seeds": self.seed_sd,
            "loss_half_width": self.loss_half_width,
            "law_noise_ln_loss": self.noise,
            "facts": self.facts,
        }


def name_of(one: Trial) -> str:
    """A model in words."""
    kind = "dense" if one.candidate.experts == 1 else f"{one.candidate.experts}-expert"
    words = {BASE: f"loss-optimal {kind}", DENSE: "loss-optimal dense", RECOMMENDED: f"recommended {kind}"}
    return words[one.role]


def _within(value: float, low: float | None, high: float | None) -> bool | None:
    return None if low is None or high is None else low <= value <= high


def _inside(within: bool | None) -> str:
    return {None: "without", True: "inside", False: "outside"}[within]
