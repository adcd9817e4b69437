"""A user's own law, chip and cost model, offered by a really installed distribution."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = '''
from dataclasses import replace

from moeconomics.hardware import Source, get_chip
from moeconomics.laws import JOINT2025
from moeconomics.serving import SizeCost

LAW = replace(JOINT2025, name="ours2026", source="our runs")
CHIP = get_chip("H100-SXM-80GB").model_copy(update={"name": "ours", "bytes_memory": 1e11})


class Dearer(SizeCost):
    """Twice the size model."""

    def serve(self, shape, gpus):
        served = super().serve(shape, gpus)
        return replace(served, usd_per_token_output=2 * served.usd_per_token_output)


COST = Dearer.of
NUMBER = 3
'''
ENTRY_POINTS = """[moeconomics.laws]
ours2026 = ours:LAW
[moeconomics.chips]
ours = ours:CHIP
[moeconomics.cost_models]
dearer = ours:COST
"""


@pytest.fixture
def installed(tmp_path):
    def install(entry_points: str):
        folder = tmp_path / "ours-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n", encoding="utf-8")
        (folder / "entry_points.txt").write_text(entry_points, encoding="utf-8")
        (tmp_path / "ours.py").write_text(MODULE, encoding="utf-8")
        program = Path(sys.executable).parent / "moeconomics"

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            environment = os.environ | {"PYTHONPATH": str(tmp_path)}
            return subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False)

        return run

    return install


def test_own_law_chip_and_cost_model_plan_together(installed):
    run = installed(ENTRY_POINTS)
    words = ["plan", "--train-flops", "1e21", "--law", "ours2026", "--gpu", "ours", "--cost-model"]
    dear, plain = (json.loads(run(*words, name, "--json").stdout) for name in ("dearer", "size"))
    assert dear["recommended"]["usd_per_mtok_output"] == 2 * plain["recommended"]["usd_per_mtok_output"]
    assert "our runs" in dear["provenance"]["loss"]
    assert "ours2026" in run("laws").stdout
    assert json.loads(run("hardware", "ours", "--json").stdout)["bytes_memory"] == 1e11


@pytest.mark.parametrize(
    ("entry_points", "message"),
    [
        ("[moeconomics.laws]\nodd = ours:NUMBER\n", "entry point 'odd' (ours:NUMBER) of moeconomics.laws is no Law"),
        ("[moeconomics.laws]\ngone = ours:GONE\n", "can not be loaded: AttributeError"),
        ("[moeconomics.laws]\njoint2025 = ours:LAW\n", "the name is taken by moeconomics itself"),
    ],
)
def test_an_entry_point_that_is_no_use_is_named(installed, entry_points, message):
    done = installed(entry_points)("laws")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
