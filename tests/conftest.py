"""What tests of every room share."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from moeconomics.cli import main

# pytest-xdist runs a process on each core; two of them with two threads each spend their time waiting for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of real measurements beside the repository, which is never part of it.

    A clone without it can not run the tests that read it: they are skipped and say so. CI has it and must run them.
    """
    folder = Path(os.environ.get("MOECONOMICS_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        reason = f"the measured data is not at {folder}; set MOECONOMICS_SHARED"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the program as a user does: words in; exit code, standard output and error out."""

    def run_command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["moeconomics", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run_command


@pytest.fixture
def one_thread():
    """As each of several processes and a Ray task of one CPU have: other numbers of threads add up in another order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def calibrated(shared_folder: Path):
    """The calibration of the shared measurements, its end-to-end rows and the counts of rows left out; 6 s."""
    from moeconomics.calibration import calibrate

    return calibrate(shared_folder / "data" / "serving")


@pytest.fixture
def vllm() -> str:
    """Python of the environment that `make vllm-env` makes. CI has it and must use it."""
    python = Path(os.environ.get("MOECONOMICS_VLLM", Path(__file__).parents[1] / ".venv-vllm/bin/python"))
    if not python.exists():
        reason = f"no vLLM at {python}: make vllm-env"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return str(python)


@pytest.fixture(scope="session")
def study_report():
    """Load the module that writes the page of a folder of studies/."""

    def load(study: str) -> ModuleType:
        path = Path(__file__).parents[1] / "studies" / study / "report.py"
        spec = importlib.util.spec_from_file_location(f"report of {study}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
