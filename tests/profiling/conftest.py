"""What tests of a real engine share."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def vllm() -> str:
    """Python of the environment that `make vllm-env` makes. CI has it and must use it."""
    python = Path(os.environ.get("MOECONOMICS_VLLM", Path(__file__).parents[2] / ".venv-vllm/bin/python"))
    if not python.exists():
        reason = f"no vLLM at {python}: make vllm-env"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return str(python)
