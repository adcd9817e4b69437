"""What a grid takes, before it starts: parameters, FLOPs, and seconds here from a short calibration."""

import time
from dataclasses import dataclass

import numpy as np

from moeconomics.hardware import Chip
from moeconomics.shapes import counts, train_flops_per_token
from moeconomics.training import RunSpec, Trainer, largest_vocabulary, total_steps
from moeconomics.training.row import FLOP_COUNT
from moeconomics.units import SECONDS_PER_HOUR

CALIBRATION_SECONDS = 20.0  # for both shapes together, compilation included


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One run before it starts. `tokens`: of trunk and branches; `flops_train`: matmul convention, embeddings' logits
    counted. `vocab_size`: the largest that the tokenizer can have."""

    spec: RunSpec
    vocab_size: int
    n_active: float
    n_total: float
    tokens: float
    flops_train: float

    @property
    def flops_per_token(self) -> float:
        """Training FLOPs per token."""
        return self.flops_train / self.tokens


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Measured here: FLOPs per token of two shapes, seconds per token of each, and seconds to a run's second step."""

    flops_per_token: tuple[float, ...]
    s_per_token: tuple[float, ...]
    start_s: float

    def seconds(self, one: Estimate) -> float:
        """Time of a run, evaluations not counted: ln(seconds per token) is a line in ln(FLOPs per token)."""
        line = np.interp(np.log(one.flops_per_token), np.log(self.flops_per_token), np.log(self.s_per_token))
        return self.start_s + one.tokens * float(np.exp(line))


def estimate(spec: RunSpec) -> Estimate:
    """Count one run. Errors: `BadInput` for dimensions or a tokenizer that can not be."""
    vocab_size = largest_vocabulary(spec.data)
    shape = spec.shape(vocab_size)
    size = counts(shape)
    tokens = total_steps(spec) * spec.batch_tokens
    per_token = float(train_flops_per_token(shape, FLOP_COUNT, spec.sequence_length))
    return Estimate(
        spec=spec,
        vocab_size=vocab_size,
        n_active=float(size.n_active),
        n_total=float(size.n_total),
        tokens=tokens,
        flops_train=per_token * tokens,
    )


def calibrate(found: list[Estimate]) -> Calibration:
    """Train on random tokens for `CALIBRATION_SECONDS`: the runs of fewest and of most FLOPs per token."""
    ordered = sorted(found, key=lambda one: one.flops_per_token)
    ends = [ordered[0], ordered[-1]] if ordered[0].flops_per_token < ordered[-1].flops_per_token else ordered[:1]
    measured = [_seconds_per_token(one, CALIBRATION_SECONDS / len(ends)) for one in ends]
    return Calibration(
        flops_per_token=tuple(one.flops_per_token for one in ends),
        s_per_token=tuple(per_token for _, per_token in measured),
        start_s=max(start for start, _ in measured),
    )


def gpu_hours(flops: float, chip: Chip, mfu: float) -> float:
    """Hours of one GPU at an assumed share of its dense bf16 peak. Errors: `BadInput` for a chip without that rate."""
    return flops / (chip.flops("bf16") * mfu) / SECONDS_PER_HOUR


def _seconds_per_token(one: Estimate, seconds: float) -> tuple[float, float]:
    """Seconds before the second step, and per token of the steps after it."""
    begin = time.monotonic()
    spec = one.spec
    trainer = Trainer(spec, one.vocab_size)
    random = np.random.default_rng(0)

    def batch_of(_first: int, count: int) -> np.ndarray:
        return random.integers(0, one.vocab_size, (count, spec.sequence_length + 1))

    trainer.step(0, trainer.peak, batch_of)
    start, steps = time.monotonic(), 0
    while not steps or time.monotonic() - begin < seconds:
        steps += 1
        trainer.step(steps, trainer.peak, batch_of)
    return start - begin, (time.monotonic() - start) / (steps * spec.batch_tokens)
