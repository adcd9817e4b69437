"""`Trainer`: the model of a specification, its optimiser, and one step of both on however many processes there are."""

import ctypes
import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.tracking import get_available_trackers
from torch.distributed.fsdp import FSDPModule, register_fsdp_forward_method

from moeconomics.errors import BadInput
from moeconomics.training.data import Ints
from moeconomics.training.model import Objective, build
from moeconomics.training.schedule import total_steps
from moeconomics.training.spec import RunSpec

COMPILE_FROM = 100  # steps: a shorter run is over before compiling has paid (about 10 s per kind of layer)

BatchOf = Callable[[int, int], Ints]  # sequences `first` to `first + count` of the run: (count, length + 1) token ids


class Diverged(Exception):
    """The loss or the gradient is no longer a number."""


class Trainer:
    """A compiled model in float32, fused AdamW, and Accelerate, which knows the devices and processes."""

    def __init__(self, spec: RunSpec, vocab_size: int, *, home: Path | None = None, tracker: str | None = None):
        self.spec = spec
        self.shape = spec.shape(vocab_size)
        if tracker and tracker not in map(str, get_available_trackers()):  # Accelerate would go on without it
            raise BadInput(f"tracker {tracker} is not installed: pip install {tracker}")
        # Accelerate keeps the first run's precision for the whole process; a sweep may change it between runs.
        AcceleratorState._reset_state()
        self.accelerator = Accelerator(
            mixed_precision="bf16" if spec.precision == "bf16" else "no",
            cpu=not torch.accelerator.is_available(),  # else several processes on CPUs would each train alone
            log_with=tracker,
            project_dir=home,
        )
        if self.accelerator.device.type == "cpu":
            _keep_freed_memory()
        parts = self.accelerator.num_processes * spec.accumulate
        if spec.batch_sequences % parts:
            raise BadInput(
                f"{spec.batch_sequences} sequences of a batch can not be shared by {self.accelerator.num_processes} "
                f"processes in {spec.accumulate} parts each: make batch_tokens a multiple of "
                f"{parts * spec.sequence_length}"
            )
        if tracker:
            _start(tracker, self.accelerator, spec)
        self.peak = spec.peak_lr(self.shape)
        model = build(self.shape, spec.seed, spec.sequence_length)
        torch.compiler.reset()  # else a sweep's later shapes meet the limit of 8 compilations and run uncompiled
        if total_steps(spec) >= COMPILE_FROM:
            for layer in model.model.layers:
                layer.compile(dynamic=False)
        self.objective = Objective(model, spec.plan)
        optimiser = torch.optim.AdamW(
            _decayed(self.objective, spec.plan.weight_decay), lr=self.peak, betas=spec.plan.betas, fused=True
        )
        self.wrapped, self.optimiser = self.accelerator.prepare(self.objective, optimiser)
        if isinstance(self.wrapped, FSDPModule):
            register_fsdp_forward_method(self.wrapped, "evaluate")  # type: ignore[arg-type]

    def step(self, number: int, rate: float, batch_of: BatchOf) -> float:
        """Optimiser step `number` at a learning rate, on this process's share of the batch.

        Gives the cross-entropy over all processes, nats/token. Errors: `Diverged`.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        share = self.spec.batch_sequences // self.accelerator.num_processes
        rows = share // self.spec.accumulate
        first = number * self.spec.batch_sequences + self.accelerator.process_index * share
        total = torch.zeros((), device=self.accelerator.device)
        for piece in range(self.spec.accumulate):
            tokens = torch.from_numpy(batch_of(first + piece * rows, rows)).to(self.accelerator.device)
            last = piece == self.spec.accumulate - 1
            with self.accelerator.no_sync(self.wrapped) if not last else nullcontext():
                loss, cross_entropy = self.wrapped(tokens)
                self.accelerator.backward(loss / self.spec.accumulate)
            total += cross_entropy / self.spec.accumulate
        norm = self.accelerator.clip_grad_norm_(self.wrapped.parameters(), self.spec.plan.clip)
        value = float(self.accelerator.reduce(total, "mean"))
        if not math.isfinite(value) or not math.isfinite(float(norm)):
            raise Diverged(
                f"loss {value:g}, gradient norm {float(norm):g} at step {number} with learning rate {rate:.3g}"
            )
        self.optimiser.step()
        self.optimiser.zero_grad()
        if self.objective.has_bias():
            self.objective.move_bias()
        return value


def _keep_freed_memory() -> None:
    """Have glibc reuse what a step frees: by default it gives large blocks back and faults them in again, zeroed.

    Measured (benchmarks/train.py, 2 cores): 15.5 against 9 to 12 thousand tokens/s with 8 experts, for a quarter more
    peak memory. The numbers are mallopt(3)'s; another C library has no such call and is left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3
        mallopt(mmap_threshold, 2**30)  # bytes from which a block is mapped by itself, and unmapped when freed
        mallopt(trim_threshold, -1)  # never shrink the heap


def _start(tracker: str, accelerator: Accelerator, spec: RunSpec) -> None:
    try:
        accelerator.init_trackers("moeconomics", config={"spec": spec.model_dump_json()})
    except Exception as error:  # each tracker raises its own
        raise BadInput(f"tracker {tracker}: {error}") from error


def _decayed(objective: Objective, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay, gains of norms do not (Loshchilov & Hutter's AdamW as the field uses it)."""
    parameters = [one for one in objective.parameters() if one.requires_grad]
    return [
        {"params": [one for one in parameters if one.ndim >= 2], "weight_decay": weight_decay},
        {"params": [one for one in parameters if one.ndim < 2], "weight_decay": 0.0},
    ]
