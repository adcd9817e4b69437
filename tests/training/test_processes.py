"""One run by several processes on gloo, as torchrun or Ray Train start them: what one process gives."""

import json
import multiprocessing
import os
import signal
import socket
from itertools import count
from multiprocessing.connection import wait

import pytest
import test_train
import torch
from accelerate.state import DistributedType, PartialState
from torch.distributed.fsdp import FSDPModule

from moeconomics.errors import BadInput
from moeconomics.training import finished_rows, train
from moeconomics.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")
text, spec_of = test_train.text, test_train.spec_of
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["moeconomics.training"])
PATIENCE_S = 60.0
PORTS = count(20_000 + os.getpid() % 10_000)  # below those that the system, and Ray in another test, hand out


def one_of(rank, port, spec, folder, losses, hook):
    """Be one of two processes; the first keeps the loss of every step."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    torch.set_num_threads(1)
    seen = []

    def report(progress):
        seen.append(progress.loss)
        if hook is killed_at_step_7 and len(seen) == 7:
            os.kill(os.getpid(), signal.SIGKILL)

    if hook:
        hook()
    train(spec, folder, report=report, checkpoint_seconds=0.0)
    if rank == 0:
        losses.write_text(json.dumps(seen), encoding="utf-8")


def is_free(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0


def by_two(spec, folder, hook=None):
    """How the processes ended, and the losses that the first saw."""
    port = next(filter(is_free, PORTS))
    losses = folder / f"{spec.run_id}.json"
    both = [CONTEXT.Process(target=one_of, args=(rank, port, spec, folder, losses, hook)) for rank in (0, 1)]
    folder.mkdir(exist_ok=True)
    for one in both:
        one.start()
    wait([one.sentinel for one in both])
    for one in both:
        one.join(PATIENCE_S)
        one.terminate()  # as torchrun ends the others when one died: gloo may wait for it for half an hour
        one.join()
    return [one.exitcode for one in both], json.loads(losses.read_text(encoding="utf-8")) if losses.exists() else []


def by_one(spec, folder):
    losses = []
    rows = train(spec, folder, report=lambda progress: losses.append(progress.loss))
    return losses, rows


def sharded():
    """FSDP2, which Accelerate takes to accelerators only: let it take gloo for one. All else is its own and real."""
    os.environ |= {
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_VERSION": "2",
        "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
        "ACCELERATE_TORCH_DEVICE": "cpu",
    }
    torch.distributed.init_process_group("gloo")
    PartialState._prepare_backend = lambda *_: ("gloo", DistributedType.MULTI_GPU)
    step = Trainer.step

    def checked(trainer, *words):
        layers = trainer.objective.model.model.layers
        assert all(isinstance(module, FSDPModule) for module in (trainer.wrapped, *layers))
        return step(trainer, *words)

    Trainer.step = checked


def killed_at_step_7():
    """`one_of` sees to it."""


@pytest.mark.parametrize(("experts", "hook"), [(1, None), (4, None), (4, sharded)])
def test_two_processes_give_the_losses_of_one(text, tmp_path, experts, hook):
    spec = spec_of(text, experts=experts, precision="fp32")
    ended, losses = by_two(spec, tmp_path / "two", hook)
    assert ended == [0, 0]
    alone, rows = by_one(spec, tmp_path / "one")
    assert losses == pytest.approx(alone, rel=1e-5)  # without the load of all processes 1e-4 and more
    shared = finished_rows(spec, tmp_path / "two")
    for key in ("loss", "loss_se", "bits_per_byte") + ("expert_load_max", "router_entropy") * (experts > 1):
        assert [row[key] for row in shared] == pytest.approx([row[key] for row in rows], rel=1e-4)


def test_a_run_of_two_processes_of_which_one_is_killed_goes_on_exactly(text, tmp_path):
    spec = spec_of(text)
    ended, _ = by_two(spec, tmp_path / "killed", killed_at_step_7)
    assert ended[0] == -signal.SIGKILL
    assert ended[1] in (1, -signal.SIGTERM)
    assert finished_rows(spec, tmp_path / "killed") == []  # the survivor does not give the run up
    ended, losses = by_two(spec, tmp_path / "killed")
    assert ended == [0, 0]
    _, whole = by_two(spec, tmp_path / "whole")
    assert losses == whole[6:]
    assert finished_rows(spec, tmp_path / "killed") == finished_rows(spec, tmp_path / "whole")


def test_a_batch_in_parts_gives_the_losses_of_a_whole_one(text, tmp_path):
    whole, _ = by_one(spec_of(text, experts=1, precision="fp32"), tmp_path)
    parts, _ = by_one(spec_of(text, experts=1, precision="fp32", accumulate=4), tmp_path)
    assert parts == pytest.approx(whole, rel=1e-5)


def test_a_batch_that_can_not_be_shared_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.setattr("accelerate.Accelerator.num_processes", 3)
    with pytest.raises(BadInput, match=r"4 sequences .* can not be shared by 3 processes"):
        train(spec_of(text), tmp_path)
