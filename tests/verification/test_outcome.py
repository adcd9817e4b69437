"""Verdicts on made-up measurements whose answers are plain."""

import pytest

from moeconomics.verification import BASE, DENSE, RECOMMENDED, Outcome, Trial, name_of
from moeconomics.verification.outcome import AGREES, DIFFERS, UNDECIDED
from moeconomics.verification.planned import Candidate

SHAPE = {"d_model": 96, "n_layers": 2, "d_ff": 256, "attention": {"head_dim": 32}}


def candidate(experts: int, loss: float, usd: float, **changed) -> Candidate:
    return Candidate.model_validate(
        {
            "rule": "loss_optimal", "experts": experts, "base_experts": None, "n_active": 1000, "n_total": 2000,
            "tokens": 1e6, "train_flops": 1e12, "loss": loss, "loss_low": loss - 0.1, "loss_high": loss + 0.1,
            "usd_per_mtok_output": usd, "usd_per_mtok_output_low": 0.8 * usd, "usd_per_mtok_output_high": 1.2 * usd,
            "output_tok_s_per_gpu": 1e4, "gpus": 1, "batch": 8, "shape": SHAPE,
        }
        | changed
    )  # fmt: skip


def trial(role: str, plan: Candidate, loss: float, tok_s: float, *, spread: float = 0.01) -> Trial:
    return Trial(
        role=role,
        candidate=plan,
        tokens=2e6,
        unique_tokens=1e6,
        loss=loss,
        loss_se=0.05,
        tok_s=tok_s,
        tok_s_low=tok_s * (1 - spread),
        tok_s_high=tok_s * (1 + spread),
        usd_per_hour=3.6,
    )


def outcome(loss: float, tok_s: float, *, noise: float | None = 0.005) -> Outcome:
    """The base has a loss of 2.0 and 1000 tokens/s, which is 1 USD per million tokens."""
    models = (
        trial(BASE, candidate(4, 2.0, 1.0), 2.0, 1000.0),
        trial(RECOMMENDED, candidate(16, 2.0, 0.5), loss, tok_s),
        trial(DENSE, candidate(1, 2.0, 1.0), 2.05, 1000.0),
    )
    return Outcome(plan_sha256="0", models=models, noise=noise, facts={})


def test_the_price_is_that_of_the_machine_over_its_tokens():
    base = outcome(2.0, 2000.0).of(BASE)
    assert base.usd == pytest.approx(1.0)  # 3.6 USD/h are 0.001 USD/s, for 1000 tokens
    assert base.usd_within


@pytest.mark.parametrize(
    ("loss", "tok_s", "quality", "both"),
    [
        (1.99, 2000.0, AGREES, AGREES),  # better at half
        (1.99, 1400.0, AGREES, DIFFERS),  # better, but at 71 %
        (2.02, 2000.0, UNDECIDED, UNDECIDED),  # 2 sqrt(2) 0.005 * 2.0 = 0.028
        (2.02, 1400.0, UNDECIDED, DIFFERS),
        (2.03, 2000.0, DIFFERS, DIFFERS),
    ],
)
def test_verdicts(loss, tok_s, quality, both):
    first, cost, paper, dense = outcome(loss, tok_s).claims()
    assert (first.verdict, paper.verdict) == (quality, both)
    assert first.measured == pytest.approx(loss - 2.0)
    assert cost.measured == pytest.approx(1000 / tok_s)
    assert cost.verdict == (AGREES if tok_s == 2000.0 else DIFFERS)  # the plan says 50 %
    assert "dense" in dense.claim


def test_without_noise_a_higher_loss_is_undecided():
    assert outcome(2.03, 2000.0, noise=None).claims()[0].verdict == UNDECIDED


def test_losses_and_costs_are_looked_for_in_their_intervals():
    chosen = outcome(2.2, 1000.0).of(RECOMMENDED)
    assert chosen.loss_within is False
    assert chosen.usd_within is False
    unknown = trial(RECOMMENDED, candidate(16, 2.0, 0.5, loss_low=None, loss_high=None), 2.0, 1000.0)
    assert unknown.loss_within is None


def test_repeated_tokens_are_said():
    words = outcome(2.0, 2000.0).reasons()
    assert "2.00 epochs" in words[-1]
    assert name_of(outcome(2.0, 2000.0).of(DENSE)) == "loss-optimal dense"
