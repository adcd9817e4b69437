"""`train`: one specification to checkpoints and rows of the runs table; killed at any moment, it goes on exactly."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast

from moeconomics.training.data import Corpus, Sequences, prepare, validation_windows
from moeconomics.training.evaluate import Evaluation, evaluate
from moeconomics.training.row import row_of
from moeconomics.training.schedule import Stretch, learning_rate, stretches, total_steps
from moeconomics.training.spec import RunSpec
from moeconomics.training.state import Checkpoints, DiskFull, disk_errors, save_checkpoint, write_whole
from moeconomics.training.trainer import Diverged, Trainer

CHECKPOINT_SECONDS = 120.0

Report = Callable[["Progress"], None]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run is: optimiser steps done of all (branches counted), training loss in nats/token, tokens/s."""

    step: int
    steps: int
    loss: float
    tokens_per_s: float


def train(
    spec: RunSpec,
    folder: Path,
    *,
    corpora: Path | None = None,
    report: Report | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    tracker: str | None = None,
) -> list[dict[str, Any]]:
    """Train `spec` in `folder`/<run id>, or go on where it was left; the rows, one for each token count.

    Corpora are prepared in `corpora` (`folder`/corpora unless given). A run that ends early leaves rows without a loss
    and with the reason; but of several processes (those of torchrun, `accelerate launch` or Ray Train) one can not
    know why the others ended, so that only divergence leaves any. `tracker`: one of Accelerate's (wandb, mlflow,
    tensorboard, trackio).

    Errors: `BadInput` for data or a model that can not be; `DiskFull` and whatever else ended the run, but not
    divergence: after all but that, the same call goes on from the last checkpoint.
    """
    home = folder / spec.run_id
    if is_finished(spec, folder) and failure(spec, folder) is None:
        return finished_rows(spec, folder)
    corpus = prepare(spec.data, corpora or folder / "corpora")
    run = _Run(spec, home, corpus, report, checkpoint_seconds, tracker)
    try:
        run.go()
    except Diverged as error:  # on all processes alike
        if run.accelerator.is_main_process:
            give_up(spec, folder, f"diverged: {error}", corpora=corpora)
        run.accelerator.wait_for_everyone()
    except Exception as error:
        if run.accelerator.num_processes == 1:  # else it may be the death of another: who started them knows
            with suppress(DiskFull):
                give_up(spec, folder, f"{type(error).__name__}: {error}", corpora=corpora)
        raise
    else:
        run.checkpoints.clear()
    run.accelerator.end_training()
    return finished_rows(spec, folder)


def give_up(spec: RunSpec, folder: Path, reason: str, *, corpora: Path | None = None) -> None:
    """Rows without a loss for the token counts that a run has not reached. Errors: as `train`."""
    corpus = prepare(spec.data, corpora or folder / "corpora")
    for steps, tokens in zip(spec.steps, spec.tokens, strict=True):
        if not (folder / spec.run_id / f"row-{steps}.json").exists():
            _write_row(spec, folder / spec.run_id, corpus, steps, tokens, None, reason)


def finished_rows(spec: RunSpec, folder: Path) -> list[dict[str, Any]]:
    """Rows of the token counts that are done or given up; all of them when the run has ended."""
    found = (folder / spec.run_id / f"row-{steps}.json" for steps in spec.steps)
    return [json.loads(path.read_text(encoding="utf-8")) for path in found if path.exists()]


def is_finished(spec: RunSpec, folder: Path) -> bool:
    """Whether every token count has its row."""
    return len(finished_rows(spec, folder)) == len(spec.tokens)


def failure(spec: RunSpec, folder: Path) -> str | None:
    """Why a run has rows without a loss; None when it has none."""
    return next((str(row["flags"]) for row in finished_rows(spec, folder) if row["loss"] is None), None)


class _Run:
    """The short loop over stretches, with checkpoints, evaluations and rows."""

    def __init__(
        self,
        spec: RunSpec,
        home: Path,
        corpus: Corpus,
        report: Report | None,
        checkpoint_seconds: float,
        tracker: str | None,
    ):
        self.spec, self.home, self.corpus, self.report = spec, home, corpus, report
        self.checkpoint_seconds = checkpoint_seconds
        self.trainer = Trainer(spec, corpus.vocab_size, home=home, tracker=tracker)
        self.accelerator = self.trainer.accelerator
        if self.accelerator.is_main_process:
            with disk_errors(home):
                home.mkdir(parents=True, exist_ok=True)
                write_whole(home / "spec.json", spec.model_dump_json(indent=2))
        self.checkpoints = Checkpoints(home / "state", self.accelerator)
        self.data = Sequences(corpus, spec.sequence_length, spec.seed)
        self.done = 0

    def go(self) -> None:
        """Run all stretches that are left."""
        plan = stretches(self.spec)
        at = self.checkpoints.latest()
        if at is not None:
            self.checkpoints.load(*at)
        stretch, step = at or (0, 0)
        for number in range(stretch, len(plan)):
            part = plan[number]
            self.done = sum(one.last - one.first for one in plan[:number])
            begin = step if number == stretch else part.first
            self._run(number, part, begin)
            if part.tokens is not None:
                self._finish(part.last, part.tokens)
                if number + 1 < len(plan):
                    self.checkpoints.load(number, part.first)  # back on the trunk

    def _run(self, number: int, part: Stretch, begin: int) -> None:
        # Not before the first step: the seed is enough to begin again, and to save an optimiser without a state FSDP
        # makes it one by a step of Adam, which training would go on from.
        if begin:
            self.checkpoints.save(number, begin, part.first)
        saved = time.monotonic()
        for step in range(begin, part.last):
            start = time.monotonic()
            rate = learning_rate(self.spec, self.trainer.peak, part, step)
            loss = self.trainer.step(step, rate, self.data.batch)
            seconds = time.monotonic() - start
            if self.report and self.accelerator.is_main_process:
                self.report(
                    Progress(
                        step=self.done + step - part.first + 1,
                        steps=total_steps(self.spec),
                        loss=loss,
                        tokens_per_s=self.spec.batch_tokens / seconds,
                    )
                )
            self.accelerator.log({"loss": loss}, step=self.done + step - part.first)
            due = torch.tensor(time.monotonic() - saved >= self.checkpoint_seconds, device=self.accelerator.device)
            if broadcast(due) and step + 1 < part.last:  # by the main process's clock: all save or none
                self.checkpoints.save(number, step + 1, part.first)
                saved = time.monotonic()

    def _finish(self, steps: int, tokens: float) -> None:
        """Evaluate the annealed model, keep it as a transformers checkpoint, and write its row."""
        windows = validation_windows(self.corpus, self.spec.sequence_length, self.spec.evaluation_tokens)
        rows = max(1, self.spec.batch_sequences // self.spec.accumulate)
        trainer = self.trainer
        found = evaluate(trainer.wrapped, trainer.objective, windows, rows, self.accelerator.autocast)
        target = self.home / "models" / str(steps)
        with disk_errors(self.home):
            state = self.accelerator.get_state_dict(trainer.wrapped)
            if self.accelerator.is_main_process:
                save_checkpoint(trainer.objective.model, state, self.corpus.tokenizer_file, target)
        if self.accelerator.is_main_process:
            _write_row(self.spec, self.home, self.corpus, steps, tokens, found, None)
        self.accelerator.wait_for_everyone()


def _write_row(
    spec: RunSpec, home: Path, corpus: Corpus, steps: int, tokens: float, found: Evaluation | None, reason: str | None
) -> None:
    with disk_errors(home):
        write_whole(home / f"row-{steps}.json", json.dumps(row_of(spec, corpus, tokens, found, reason), indent=1))
