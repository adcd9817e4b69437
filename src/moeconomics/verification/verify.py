"""`verify`: predictions written down, models trained, checkpoints served, and both compared. Stopped, it goes on."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from moeconomics.errors import BadInput
from moeconomics.laws import get_law
from moeconomics.profiling import measure_load
from moeconomics.sweeps import run_here, state_of, write_table
from moeconomics.training import Progress, RunSpec, finished_rows
from moeconomics.training.data import prepare, validation_windows
from moeconomics.training.export import export_model
from moeconomics.training.state import disk_errors, write_whole
from moeconomics.verification.outcome import Outcome, Trial
from moeconomics.verification.planned import Plan, Planned

PREDICTIONS, SERVED, VERIFICATION = "predictions.json", "served.json", "verification.json"
RUNS, CHECKPOINTS = "runs", "checkpoints"
VISITS = 2  # times each model is served, in turn, so that a drift of the machine falls on all alike
REPEATS = 3  # of each visit
PROMPTS = 256  # different ones at most, of whole validation documents; requests take them in turn

Report = Callable[[float, float, str], None]  # done, of, words


def verify(plan: Plan, folder: Path, *, python: Path, seeds: int = 1, report: Report | None = None) -> Outcome:
    """Train and serve the models of a plan in `folder`, or go on where it was left, and compare with the predictions.

    `predictions.json` is written first and never changed; `runs` holds the trained models, `runs/runs.csv` their rows,
    `checkpoints` what was served; then `served.json` and `verification.json`. What is in the folder is not done again,
    but serving that was stopped begins anew. Two processes on one folder share the training. `seeds`: how often each
    model is trained, from its `seed` on; the first is served. `python`: that of an environment with vLLM, whose machine
    should have nothing else to do while it serves.

    Errors: `BadInput` for a folder of another plan, data of another vocabulary, a model that could not be trained or
    that vLLM does not serve; `DiskFull`.
    """
    _predict(plan, folder)
    _train([spec for one in plan.models for spec in one.seeded(seeds)], folder / RUNS, report)
    served = _serve(plan, folder, python, report)
    law = get_law(plan.file.inputs.law)
    outcome = Outcome(
        plan_sha256=plan.sha256,
        models=tuple(_tested(plan, one, folder, seeds, served["models"][one.role]) for one in plan.models),
        noise=law.noise,
        facts={
            **served["facts"],
            "predicted_at": _read(folder / PREDICTIONS)["predicted_at"],
            **_trained_by(plan, folder),
        },
    )
    _write(folder / VERIFICATION, outcome.as_json())
    return outcome


def _predict(plan: Plan, folder: Path) -> None:
    """Write the predictions, once. Errors: `BadInput` where others stand there."""
    made = plan.as_json()
    path = folder / PREDICTIONS
    if path.exists():
        before = _read(path)
        if {name: before.get(name) for name in made} != json.loads(json.dumps(made)):
            raise BadInput(f"{path} holds the predictions of another plan or training: give another folder with -o")
        return
    _write(path, {"predicted_at": _now(), "code_version": f"moeconomics {version('moeconomics')}", **made})


def _train(specs: list[RunSpec], runs: Path, report: Report | None) -> None:
    left = state_of(specs, runs).left
    share = dict.fromkeys((one.run_id for one in left), 0.0)  # of the training FLOPs, which are the budget for each

    def tell(spec: RunSpec, progress: Progress) -> None:
        share[spec.run_id] = progress.step / progress.steps
        if report:
            words = f"training {spec.run_id}: loss {progress.loss:.3f}, {progress.tokens_per_s:,.0f} tokens/s"
            report(sum(share.values()), len(left), words)

    run_here(specs, runs, report=tell)
    state = state_of(specs, runs)
    if state.failed:
        told = "; ".join(f"{run}: {reason}" for run, reason in state.failed.items())
        raise BadInput(f"a model could not be trained, so that there is nothing to compare: {told}")
    if state.left:
        names = ", ".join(one.run_id for one in state.left)
        raise BadInput(f"another process trains {names}: give the command again when it has ended")
    write_table(specs, runs)  # other commands on this folder may have trained some, with fewer seeds


def _serve(plan: Plan, folder: Path, python: Path, report: Report | None) -> dict[str, Any]:
    """Tokens/s of every checkpoint: `models`, role → list; and `facts` of the engine."""
    path = folder / SERVED
    if path.exists():
        return _read(path)
    inputs = plan.file.inputs
    assert inputs.input_len is not None
    assert inputs.output_len is not None
    rates: dict[str, list[float]] = {one.role: [] for one in plan.models}
    facts: dict[str, str] = {}
    corpus = prepare(plan.models[0].spec.data, folder / RUNS / "corpora")  # all models have the same
    windows = validation_windows(corpus, int(inputs.input_len), PROMPTS * int(inputs.input_len))
    prompts = windows.tokens[:, :-1].tolist()
    visits = [one for visit in range(VISITS) for one in plan.models[:: -1 if visit % 2 else 1]]
    for done, one in enumerate(visits):
        if report:
            report(done, len(visits), f"serving the {one.role} model")
        checkpoint = folder / CHECKPOINTS / one.role
        if not checkpoint.exists():
            export_model(folder / RUNS / one.spec.run_id, checkpoint)
        found, engine = measure_load(
            checkpoint,
            prompts,
            batch=one.candidate.batch,
            output_len=int(inputs.output_len),
            repeats=REPEATS,
            python=python,
        )
        rates[one.role] += found
        facts = {name: str(engine[name]) for name in ("engine_version", "hardware")}
    served = {"facts": {**facts, "served_at": _now()}, "models": rates}
    _write(path, served)
    return served


def _tested(plan: Plan, one: Planned, folder: Path, seeds: int, tok_s: list[float]) -> Trial:
    rows = [row for spec in one.seeded(seeds) for row in finished_rows(spec, folder / RUNS)]
    row = rows[0]
    return Trial(
        role=one.role,
        candidate=one.candidate,
        tokens=row["tokens"],
        unique_tokens=row["unique_tokens"],
        losses=tuple(each["loss"] for each in rows),
        loss_se=row["loss_se"],
        tok_s=float(np.median(tok_s)),
        tok_s_low=min(tok_s),
        tok_s_high=max(tok_s),
        usd_per_hour=plan.file.inputs.usd_per_gpu_hour,
    )


def _trained_by(plan: Plan, folder: Path) -> dict[str, str]:
    [row] = finished_rows(plan.models[0].spec, folder / RUNS)
    return {"trained_with": row["code_version"], "text": row["loss_dataset"]}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: {error}; remove it, and it is made anew") from error
    return content


def _write(path: Path, content: dict[str, Any]) -> None:
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(content, indent=1) + "\n")
