"""Which models of a plan are put to the test, and what the plan said of them.

Three: the loss-optimal model of the plan's base experts, the model that the plan recommends, and the loss-optimal dense
model where dense was asked about.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moeconomics.boundary import read_yaml
from moeconomics.errors import BadInput, invalid
from moeconomics.planning import LOSS_OPTIMAL
from moeconomics.shapes import counts
from moeconomics.training import RunSpec

DENSE, BASE, RECOMMENDED = "dense", "base", "recommended"
PLAN_FILE = "plan.json"

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Read(BaseModel):
    """What is read of a file that our own `plan` wrote; the rest of it is not needed."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Attention(_Read):
    head_dim: int = 0  # 0: latent attention, whose sizes the architecture sets


class _Shape(_Read):
    d_model: int
    n_layers: int
    d_ff: int
    attention: _Attention


class Candidate(_Read):
    """A model of the plan. Parameters count embeddings; loss in the unit of the law, nats/token."""

    rule: str
    experts: int
    base_experts: int | None
    n_active: int
    n_total: int
    tokens: Positive
    train_flops: Positive
    loss: Positive
    loss_low: Positive | None
    loss_high: Positive | None
    usd_per_mtok_output: Positive
    usd_per_mtok_output_low: Positive | None
    usd_per_mtok_output_high: Positive | None
    output_tok_s_per_gpu: Positive
    gpus: int
    batch: Annotated[int, Field(ge=1)]
    shape: _Shape


class Inputs(_Read):
    """The question that the plan answers, as far as it decides training and serving."""

    law: str
    cost_model: str
    architecture: str
    vocab_size: int
    seq_len: int
    unique_tokens: float | None
    precision: str
    input_len: Positive | None
    output_len: Positive | None
    base_experts: int
    train_flops: Positive
    usd_per_gpu_hour: Positive
    rps: float | None
    ttft_ms: float | None
    tpot_ms: float | None


class PlanFile(_Read):
    """plan.json."""

    inputs: Inputs
    candidates: tuple[Candidate, ...]
    recommended: Candidate
    provenance: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A model to train and serve: its role in the comparison, what the plan says of it, and its training run."""

    role: str
    candidate: Candidate
    spec: RunSpec

    def seeded(self, seeds: int) -> list[RunSpec]:
        """The run, and the same with the seeds that follow its own."""
        return [self.spec.model_copy(update={"seed": self.spec.seed + more}) for more in range(seeds)]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan that can be put to the test; `sha256` is of the file."""

    file: PlanFile
    sha256: str
    models: tuple[Planned, ...]

    def as_json(self) -> dict[str, Any]:
        """What is predicted, as plain values: written before anything is trained."""
        return {
            "plan_sha256": self.sha256,
            "inputs": self.file.inputs.model_dump(),
            "provenance": self.file.provenance,
            "models": [
                {
                    "role": one.role,
                    "run_id": one.spec.run_id,
                    **one.candidate.model_dump(),
                    "training": one.spec.model_dump(mode="json"),
                }
                for one in self.models
            ],
        }


def read_plan(path: Path, training: Path | None) -> Plan:
    """Read what `plan -o` wrote (plan.json or its folder) and how to train, a YAML file of `RunSpec` fields.

    The plan decides architecture, sizes, experts and tokens, `training` all else; without it the sequences are as long
    as the plan's and the rest is `RunSpec`'s own. Errors: `BadInput` for files that are none, for a model that can not
    be trained or served here, or when the plan recommends the model that it would be compared with.
    """
    file = path / PLAN_FILE if path.is_dir() else path
    try:
        content = file.read_bytes()
        plan = PlanFile.model_validate_json(content)
    except OSError as error:
        raise BadInput(f"plan {file}: {error.strerror}; `moeconomics plan ... -o DIR` writes one") from error
    except ValidationError as error:
        raise invalid(
            f"plan {file} (`moeconomics plan ... -o DIR` writes one)", error, PlanFile.model_fields
        ) from error
    _refuse_other_serving(plan, file)
    settings = _settings(training) if training else {}
    models = [
        Planned(role=role, candidate=one, spec=_spec(plan.inputs, one, settings, training or file))
        for role, one in _roles(plan, file)
    ]
    return Plan(file=plan, sha256=hashlib.sha256(content).hexdigest(), models=tuple(models))


def _roles(plan: PlanFile, file: Path) -> list[tuple[str, Candidate]]:
    optimal = {one.experts: one for one in plan.candidates if one.rule == LOSS_OPTIMAL}
    base = optimal.get(plan.inputs.base_experts)
    if base is None:
        raise BadInput(f"plan {file} has no loss-optimal model of its base, {plan.inputs.base_experts} experts")
    if (base.shape, base.experts) == (plan.recommended.shape, plan.recommended.experts):
        raise BadInput(
            f"plan {file} recommends the loss-optimal model of its own base, {base.experts} experts: there is no other "
            f"model to compare it with; plan with more --experts"
        )
    roles = [(BASE, base), (RECOMMENDED, plan.recommended)]
    if 1 in optimal and 1 not in (base.experts, plan.recommended.experts):
        roles.append((DENSE, optimal[1]))
    return roles


def _refuse_other_serving(plan: PlanFile, file: Path) -> None:
    """What the measurement here is not: an offered load, latency targets, several chips, prompts of no fixed length."""
    inputs = plan.inputs
    if inputs.input_len is None or inputs.output_len is None:
        raise BadInput(f"plan {file} names no lengths: plan with --input-len and --output-len, which are then served")
    limits = {"--rps": inputs.rps, "--ttft-ms": inputs.ttft_ms, "--tpot-ms": inputs.tpot_ms}
    given = [name for name, value in limits.items() if value is not None]
    if given:
        raise BadInput(f"plan {file} has {', '.join(given)}; what is measured is the throughput at saturation")
    if inputs.precision != "bf16":
        raise BadInput(f"plan {file} is for {inputs.precision}; checkpoints are served in bf16: plan with it")
    if any(one.gpus > 1 for one in (*plan.candidates, plan.recommended)):
        raise BadInput(f"plan {file} serves on several chips; what is measured is one machine: plan with --max-gpus 1")


def _settings(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise BadInput(f"training {path} must be fields of a run, such as {{batch_tokens: 4096}}")
    decided = sorted({"architecture", "d_model", "n_layers", "head_dim", "d_ff", "experts", "tokens"} & content.keys())
    if decided:
        raise BadInput(f"training {path} gives {', '.join(decided)}, which the plan decides: leave it out")
    return content


def _spec(inputs: Inputs, one: Candidate, settings: dict[str, Any], where: Path) -> RunSpec:
    shape = one.shape
    planned = {
        "architecture": inputs.architecture,
        "d_model": shape.d_model,
        "n_layers": shape.n_layers,
        "d_ff": shape.d_ff,
        "experts": one.experts,
        "tokens": (one.tokens,),
    }
    if shape.attention.head_dim:
        planned["head_dim"] = shape.attention.head_dim
    try:
        spec = RunSpec.model_validate({"sequence_length": inputs.seq_len} | settings | planned)
    except ValidationError as error:
        raise invalid(f"training {where}", error, RunSpec.model_fields) from error
    built = counts(spec.shape(inputs.vocab_size))
    if (int(built.n_active), int(built.n_total)) != (one.n_active, one.n_total):
        raise BadInput(
            f"the plan's {one.experts}-expert model has {one.n_active} active and {one.n_total} total parameters, the "
            f"one that would be trained {int(built.n_active)} and {int(built.n_total)}: plan again with this version"
        )
    return spec
