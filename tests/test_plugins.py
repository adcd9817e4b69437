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
FITTED = """
from moeconomics.laws import Law, Parameter

# L = e + a/(N_active·E^s): a form of one's own, with bounds and starts for each coefficient.
LAW = Law(
    name="ours2027",
    formula="L = e + a / (N_act·E^s)^0.3",
    loss_of=lambda c, v: c["e"] + c["a"] * (v["n_active"] * v["experts"] ** c["s"]) ** -0.3,
    variables=("n_active", "experts"),
    coefficients={"e": None, "a": None, "s": None},
    domain={},
    source="our own",
    loss_unit="nats/token",
    fit_error="not fitted yet",
    parameters={
        "e": Parameter(low=0.1, high=4.0, starts=(1.0, 2.0)),
        "a": Parameter(low=1.0, high=1e4, starts=(10.0, 100.0), log=True),
        "s": Parameter(low=0.0, high=1.0, starts=(0.3,)),
    },
)
"""
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


def test_own_law_with_named_bounded_parameters_is_fitted(installed, tmp_path):
    run = installed("[moeconomics.laws]\nours2027 = fitted:LAW\n")
    (tmp_path / "fitted.py").write_text(FITTED, encoding="utf-8")
    rows = ["run_id,n_params,n_active,n_experts,top_k,granularity,embeddings_counted,tokens,loss"]
    for size in (1e8, 3e8, 1e9, 3e9):
        for experts in (1, 4, 16, 64):
            loss = 1.5 + 300 * (size * experts**0.4) ** -0.3
            rows.append(f"{size:g}-{experts},{size},{size},{experts},1,1,true,1e10,{loss!r}")
    (tmp_path / "runs.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = run("fit", str(tmp_path / "runs.csv"), "--law", "ours2027", "--bootstrap", "0", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["parameters"]
    assert found == pytest.approx({"e": 1.5, "a": 300, "s": 0.4}, rel=1e-4)


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
