"""What tests of every room share."""

import os
from pathlib import Path

import pytest


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
