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


def trial(role: str, plan: Candidate, losses: tuple[float, ...], tok_s: float, *, spread: float = 0.01) -> Trial:
    return Trial(
        role=role,
        candidate=plan,
        tokens=2e6,
        unique_tokens=1e6,
        losses=losses,
        loss_se=0.05,
        tok_s=tok_s,
        tok_s_low=tok_s * (1 - spread),
        tok_s_high=tok_s * (1 + spread),
        usd_per_hour=3.6,
    )


def outcome(loss: float, tok_s: float, *, noise: float | None = 0.005, apart: float | None = None) -> Outcome:
    """The base has a loss of 2.0 and 1000 tokens/s, which is 1 USD per million tokens.

    `apart`: between the two losses of each model; None: one seed.
    """

    def about(mean: float) -> tuple[float, ...]:
        return (mean,) if apart is None else (mean - apart / 2, mean + apart / 2)

    models = (
        trial(BASE, candidate(4, 2.0, 1.0), about(2.0), 1000.0),
        trial(RECOMMENDED, candidate(16, 2.0, 0.5), about(loss), tok_s),
        trial(DENSE, candidate(1, 2.0, 1.0), about(2.05), 1000.0),
    )
    return Outcome(plan_sha256="0", models=models, noise=noise, facts={})


def test_the_price_is_that_of_the_machine_over_its_tokens():
    base = outcome(2.0, 2000.0).of(BASE)
    assert base.usd == pytest.approx(1.0)  # 3.6 USD/h are 0.001 USD/s, for 1000 tokens
    assert base.usd_within


@pytest.mark.parametrize(
    ("loss", "tok_s", "quality", "both"),
    [
        (1.97, 2000.0, AGREES, AGREES),  # better at half
        (1.97, 1400.0, AGREES, DIFFERS),  # better, but at 71 %
        (1.98, 2000.0, UNDECIDED, UNDECIDED),  # 1.645 sqrt(2) 0.005 * 2.0 = 0.0233
        (2.02, 2000.0, UNDECIDED, UNDECIDED),
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


@pytest.mark.parametrize("loss", [1.5, 2.5])
def test_one_seed_without_noise_decides_nothing(loss):
    quality = outcome(loss, 2000.0, noise=None).claims()[0]
    assert (quality.verdict, quality.measured_low, quality.measured_high) == (UNDECIDED, None, None)


@pytest.mark.parametrize(
    ("loss", "verdict"), [(1.976, AGREES), (1.977, UNDECIDED), (2.023, UNDECIDED), (2.024, DIFFERS)]
)
def test_two_seeds_decide_by_their_own_spread(loss, verdict):
    """Two losses 0.01 sqrt(2) apart have a deviation of 0.01; t of 3 degrees at 95 % is 2.353, in any table."""
    found = outcome(loss, 2000.0, noise=None, apart=0.01 * 2**0.5)
    assert found.seed_sd == pytest.approx(0.01)
    assert found.loss_half_width == pytest.approx(2.353 * 0.01 / 2**0.5, rel=1e-3)
    quality = found.claims()[0]
    assert quality.verdict == verdict  # 2.353 * 0.01 = 0.0235
    assert quality.measured == pytest.approx(loss - 2.0)
    assert quality.measured_high - quality.measured == pytest.approx(0.02353, rel=1e-3)
    assert found.as_json()["models"][0]["loss_measured_by_seed"] == pytest.approx([1.9929, 2.0071], abs=1e-4)


def test_losses_and_costs_are_looked_for_in_their_intervals():
    chosen = outcome(2.2, 1000.0).of(RECOMMENDED)
    assert chosen.loss_within is False
    assert chosen.usd_within is False
    unknown = trial(RECOMMENDED, candidate(16, 2.0, 0.5, loss_low=None, loss_high=None), (2.0,), 1000.0)
    assert unknown.loss_within is None


def test_repeated_tokens_are_said():
    words = outcome(2.0, 2000.0).reasons()
    assert "2.00 epochs" in words[-1]
    assert name_of(outcome(2.0, 2000.0).of(DENSE)) == "loss-optimal dense"
