"""`train`: one specification to checkpoints and rows of the runs table; killed at any moment, it goes on exactly."""

import json
import math
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch.distributed.fsdp import FSDPModule, register_fsdp_forward_method

from moeconomics.shapes import counts
from moeconomics.training.data import Corpus, Sequences, prepare, validation_windows
from moeconomics.training.evaluate import Evaluation, evaluate
from moeconomics.training.model import Objective, build
from moeconomics.training.row import row_of
from moeconomics.training.schedule import Stretch, learning_rate, stretches, total_steps
from moeconomics.training.spec import RunSpec
from moeconomics.training.state import Checkpoints, DiskFull, disk_errors, save_checkpoint, write_whole

CHECKPOINT_SECONDS = 120.0
COMPILE_FROM = 100  # steps: a shorter run is over before compiling has paid (about 10 s per kind of layer)

Report = Callable[["Progress"], None]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run is: optimiser steps done of all (branches counted), training loss in nats/token, tokens/s."""

    step: int
    steps: int
    loss: float
    tokens_per_s: float


class Diverged(Exception):
    """The loss or the gradient is no longer a number."""


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
    and with the reason. `tracker`: one of Accelerate's (wandb, mlflow, tensorboard, trackio).

    Errors: `BadInput` for data or a model that can not be; `DiskFull` and whatever else ended the run, but not
    divergence: after all but that, the same call goes on from the last checkpoint.
    """
    home = folder / spec.run_id
    if is_finished(spec, folder) and failure(spec, folder) is None:
        return finished_rows(spec, folder)
    corpus = prepare(spec.data, corpora or folder / "corpora")
    with disk_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        write_whole(home / "spec.json", spec.model_dump_json(indent=2))
    run = _Run(spec, home, corpus, report, checkpoint_seconds, tracker)
    compiling = total_steps(spec) >= COMPILE_FROM
    with torch.compiler.set_stance("default" if compiling else "force_eager"):
        try:
            run.go()
        except Diverged as error:  # on all processes alike
            run.give_up(f"diverged: {error}")
            run.accelerator.wait_for_everyone()
        except Exception as error:
            with suppress(DiskFull):
                run.give_up(f"{type(error).__name__}: {error}")
            raise
        else:
            run.checkpoints.clear()
    run.accelerator.end_training()
    return finished_rows(spec, folder)


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
    """The short loop and what it moves: model, optimiser, data, checkpoints."""

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
        self.shape = spec.shape(corpus.vocab_size)
        # Accelerate keeps the first run's precision for the whole process; a sweep may change it between runs.
        AcceleratorState._reset_state()
        self.accelerator = Accelerator(
            mixed_precision="bf16" if spec.precision == "bf16" else "no", log_with=tracker, project_dir=str(home)
        )
        if tracker:
            self.accelerator.init_trackers("moeconomics", config={"spec": spec.model_dump_json()})
        size = counts(self.shape)
        self.peak = spec.lr or spec.plan.peak_lr(float(size.n_active_non_embedding), spec.experts)
        model = build(self.shape, spec.seed, spec.sequence_length)
        torch.compiler.reset()  # else a sweep's later shapes meet the limit of 8 compilations and run uncompiled
        for layer in model.model.layers:
            layer.compile(dynamic=False)
        self.objective = Objective(model, spec.plan)
        optimiser = torch.optim.AdamW(
            _decayed(self.objective, spec.plan.weight_decay), lr=self.peak, betas=spec.plan.betas, fused=True
        )
        self.wrapped, self.optimiser = self.accelerator.prepare(self.objective, optimiser)
        if isinstance(self.wrapped, FSDPModule):
            register_fsdp_forward_method(self.wrapped, "evaluate")  # type: ignore[arg-type]
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

    def give_up(self, reason: str) -> None:
        """Rows without a loss for the token counts that were not reached."""
        for steps, tokens in zip(self.spec.steps, self.spec.tokens, strict=True):
            if not (self.home / f"row-{steps}.json").exists():
                self._write_row(steps, tokens, None, reason)

    def _run(self, number: int, part: Stretch, begin: int) -> None:
        self.checkpoints.save(number, begin, part.first)
        saved = time.monotonic()
        for step in range(begin, part.last):
            start = time.monotonic()
            loss = self._step(part, step)
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
            if time.monotonic() - saved >= self.checkpoint_seconds and step + 1 < part.last:
                self.checkpoints.save(number, step + 1, part.first)
                saved = time.monotonic()

    def _step(self, part: Stretch, step: int) -> float:
        """One optimiser step on this process's share of the batch; the cross-entropy over all."""
        rate = learning_rate(self.spec, self.peak, part, step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        share = self.spec.batch_sequences // self.accelerator.num_processes
        rows = share // self.spec.accumulate
        first = step * self.spec.batch_sequences + self.accelerator.process_index * share
        total = torch.zeros((), device=self.accelerator.device)
        for piece in range(self.spec.accumulate):
            tokens = torch.from_numpy(self.data.batch(first + piece * rows, rows)).to(self.accelerator.device)
            last = piece == self.spec.accumulate - 1
            with self.accelerator.no_sync(self.wrapped) if not last else nullcontext():
                loss, cross_entropy = self.wrapped(tokens)
                self.accelerator.backward(loss / self.spec.accumulate)
            total += cross_entropy / self.spec.accumulate
        norm = self.accelerator.clip_grad_norm_(self.wrapped.parameters(), self.spec.plan.clip)
        value = float(self.accelerator.reduce(total, "mean"))
        if not math.isfinite(value) or not math.isfinite(float(norm)):
            raise Diverged(
                f"loss {value:g}, gradient norm {float(norm):g} at step {step} with learning rate {rate:.3g}"
            )
        self.optimiser.step()
        self.optimiser.zero_grad()
        if self.objective.has_bias():
            self.objective.move_bias()
        return value

    def _finish(self, steps: int, tokens: float) -> None:
        """Evaluate the annealed model, keep it as a transformers checkpoint, and write its row."""
        windows = validation_windows(self.corpus, self.spec.sequence_length, self.spec.evaluation_tokens)
        rows = max(1, self.spec.batch_sequences // self.spec.accumulate)
        found = evaluate(self.wrapped, self.objective, windows, rows, self.accelerator.autocast)
        target = self.home / "models" / str(steps)
        with disk_errors(self.home):
            state = self.accelerator.get_state_dict(self.wrapped)
            if self.accelerator.is_main_process:
                save_checkpoint(self.objective.model, state, self.corpus.tokenizer_file, target)
        self._write_row(steps, tokens, found, None)
        self.accelerator.wait_for_everyone()

    def _write_row(self, steps: int, tokens: float, found: Evaluation | None, reason: str | None) -> None:
        if self.accelerator.is_main_process:
            row = row_of(self.spec, self.shape, self.data, self.peak, tokens, found, reason)
            with disk_errors(self.home):
                write_whole(self.home / f"row-{steps}.json", json.dumps(row, indent=1))


def _decayed(objective: Objective, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay, gains of norms do not (Loshchilov & Hutter's AdamW as the field uses it)."""
    parameters = [one for one in objective.parameters() if one.requires_grad]
    return [
        {"params": [one for one in parameters if one.ndim >= 2], "weight_decay": weight_decay},
        {"params": [one for one in parameters if one.ndim < 2], "weight_decay": 0.0},
    ]
