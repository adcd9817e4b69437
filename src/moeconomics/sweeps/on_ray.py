"""`run_on_ray`: the runs of a grid as tasks of a Ray cluster, each once, whoever else works on the same folder."""

import os
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from moeconomics.errors import BadInput
from moeconomics.sweeps.sweep import Done, Report, lease, run_one, state_of, write_table
from moeconomics.training import Progress, RunSpec, finished_rows, give_up, train

POLL_S = 1.0
LEASE_S = 120.0  # a network file system may keep the lock of a dead node for its grace period, 90 s on Linux


def run_on_ray(
    specs: list[RunSpec],
    folder: Path,
    *,
    processes: int = 1,
    cpus: float = 1,
    gpus: float = 0,
    retries: int = 3,
    report: Report | None = None,
    done: Done | None = None,
) -> None:
    """Train what is left on the cluster at RAY_ADDRESS, or on a local one started for the sweep, as `ray.init` does.

    `cpus` and `gpus` are those of each of a run's `processes`; several are Ray Train's TorchTrainer: DDP, or FSDP when
    Accelerate's environment variables here say so. The package, `folder` and the files that the specifications name
    must be at the same paths on all nodes: a shared file system. A run whose process or node dies is started again up
    to `retries` times, and goes on from its last checkpoint; of several processes any failure counts, as Ray Train
    does not tell them apart. A run that no node has room for waits for one.

    Errors: `BadInput` for the data, or a node that does not see the folder; `DiskFull`; other failures become rows.
    """
    folder = folder.resolve()
    by_id = {spec.run_id: spec for spec in specs}
    waiting = state_of(specs, folder).left
    going: dict[Any, RunSpec] = {}
    deaths: Counter[str] = Counter()
    by = train if processes == 1 else partial(_together, processes=processes, cpus=cpus, gpus=gpus, retries=retries)
    with nullcontext() if ray.is_initialized() else ray.init(), _mark(folder) as mark:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        board: Any = ray.remote(_Board).options(num_cpus=0, scheduling_strategy=here).remote()
        # No retries by Ray itself: it would start a run again while the dying process may still hold it.
        needs = (
            {"num_cpus": cpus, "num_gpus": gpus} if processes == 1 else {"num_cpus": 0, "runtime_env": _environment()}
        )
        task = ray.remote(_work).options(max_retries=0, **needs)
        while waiting or going:
            while waiting and (processes == 1 or len(going) < _room(processes * cpus, processes * gpus)):
                spec = waiting.pop(0)
                going[task.remote(spec, folder, mark, board, by)] = spec
            ended, _ = ray.wait(list(going), timeout=POLL_S)
            for run_id, progress in ray.get(board.read.remote()).items():
                if report:
                    report(by_id[run_id], progress)
            for reference in ended:
                spec = going.pop(reference)
                try:
                    rows = ray.get(reference)
                except RayError as error:
                    if isinstance(error, RayTaskError) and not isinstance(error.cause, RayError):
                        raise error.cause from error
                    _await_lease(spec, folder)
                    deaths[spec.run_id] += 1
                    if deaths[spec.run_id] <= retries:
                        waiting.insert(0, spec)
                        continue
                    give_up(spec, folder, f"its process died {deaths[spec.run_id]} times: {type(error).__name__}")
                    rows = finished_rows(spec, folder)
                if rows is not None:
                    write_table(specs, folder)
                    if done:
                        done(spec, rows)


class _Board:
    """An actor beside the driver: the latest progress of each run. Telling it waits for nothing and can not fail."""

    def __init__(self) -> None:
        self._news: dict[str, Progress] = {}

    def tell(self, run_id: str, progress: Progress) -> None:
        self._news[run_id] = progress

    def read(self) -> dict[str, Progress]:
        """What is new."""
        news, self._news = self._news, {}
        return news


def _work(
    spec: RunSpec, folder: Path, mark: Path, board: Any, by: Callable[..., list[dict[str, Any]]]
) -> list[dict[str, Any]] | None:
    """What a task does, wherever it runs."""
    if not mark.exists():
        raise BadInput(
            f"node {socket.gethostname()} does not see the folder {folder} that the sweep was started with: give one "
            f"on a file system that all nodes share"
        )
    return run_one(spec, folder, lambda spec, progress: board.tell.remote(spec.run_id, progress), by)


def _together(
    spec: RunSpec,
    folder: Path,
    *,
    report: Callable[[Progress], None],
    processes: int,
    cpus: float,
    gpus: float,
    retries: int,
) -> list[dict[str, Any]]:
    """Train one run by several processes, wherever the cluster has room for them."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchTrainer

    def loop() -> None:
        train(spec, folder, report=report)

    trainer = TorchTrainer(
        loop,
        scaling_config=ScalingConfig(
            num_workers=processes,
            use_gpu=gpus > 0,
            resources_per_worker={"CPU": cpus} | ({"GPU": gpus} if gpus else {}),
        ),
        run_config=RunConfig(
            name="ray", storage_path=str(folder / spec.run_id), failure_config=FailureConfig(max_failures=retries)
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        give_up(spec, folder, str(error).strip().splitlines()[-1])
    return finished_rows(spec, folder)


def _environment() -> dict[str, Any]:
    """What the processes of a run take from here: Accelerate's settings, and paths that mean the same."""
    settings = {name: value for name, value in os.environ.items() if name.startswith(("ACCELERATE_", "FSDP_"))}
    # Ray Train begins anew after a minute, in which processes may not even have imported torch.
    ours = {"RAY_CHDIR_TO_TRIAL_DIR": "0", "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600"}
    return {"env_vars": settings | ours}


def _room(cpus: float, gpus: float) -> int:
    """Runs of several processes at a time: as many as fit, for each costs some processes of Ray Train even to wait."""
    there = ray.cluster_resources()  # type: ignore[no-untyped-call]
    fit = min(there.get(name, 0) // need for name, need in (("CPU", cpus), ("GPU", gpus)) if need)
    return max(1, int(fit))


@contextmanager
def _mark(folder: Path) -> Iterator[Path]:
    """A file that whoever sees the same folder sees."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / f".sweep-{uuid.uuid4().hex}"
    mark.touch()
    try:
        yield mark
    finally:
        mark.unlink()


def _await_lease(spec: RunSpec, folder: Path) -> None:
    """Wait until a dead process no longer holds its run: it may outlive its node by seconds."""
    until = time.monotonic() + LEASE_S
    while time.monotonic() < until:
        with lease(spec, folder) as free:
            if free:
                return
        time.sleep(POLL_S)
