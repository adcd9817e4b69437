"""`cost`: the price of serving one given model, with where each number is from."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from moeconomics.errors import BadInput, Infeasible, invalid
from moeconomics.serving.cost_models import make_cost_model
from moeconomics.serving.deployment import Deployment
from moeconomics.serving.inputs import GpuCount, ServingInputs
from moeconomics.serving.served import Served, cheapest
from moeconomics.shapes import ModelShape, bytes_kv_per_token, bytes_weights
from moeconomics.units import bytes_text


class CostInputs(ServingInputs):
    """A serving question; `gpus` fixes the tensor-parallel degree, None looks for the cheapest."""

    gpus: GpuCount | None = None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Steady serving of one model. Low and high span the cost model's own assumptions; None is unknown.

    `weights_gb` over all GPUs (GB = 1e9 bytes); what is left of their memory holds the KV cache.
    """

    usd_per_mtok_output: float
    usd_per_mtok_output_low: float | None
    usd_per_mtok_output_high: float | None
    usd_per_mtok_total: float
    output_tok_s_per_gpu: float
    tpot_ms: float
    ttft_ms: float | None
    gpus: int
    tp: int
    batch: int
    replicas: int | None
    kv_bytes_per_token: float
    weights_gb: float
    limited_by: str
    provenance: dict[str, str]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return asdict(self)


def cost(shape: ModelShape, **inputs: Any) -> Estimate:
    """Price one model. Keywords are the fields of `CostInputs`.

    Errors: `BadInput` for a wrong value or name; `Infeasible` with the binding constraint.
    """
    try:
        asked = CostInputs(**inputs)
    except ValidationError as error:
        raise invalid("cost", error, CostInputs.model_fields) from error
    deployment = asked.deployment()
    gpus = deployment.gpus if asked.gpus is None else (asked.gpus,)
    if asked.gpus is not None and asked.gpus > deployment.chip.link_domain:
        raise BadInput(
            f"gpus {asked.gpus}: one link domain of {deployment.chip.name} joins {deployment.chip.link_domain}"
        )
    served = cheapest(make_cost_model(asked.cost_model, deployment), shape, gpus)
    if not np.isfinite(served.usd_per_token_output):
        raise infeasible(served, deployment, "the model")
    traffic = deployment.traffic
    usd_per_mtok = float(served.usd_per_token_output) * 1e6
    return Estimate(
        usd_per_mtok_output=usd_per_mtok,
        usd_per_mtok_output_low=known(served.usd_low * 1e6),
        usd_per_mtok_output_high=known(served.usd_high * 1e6),
        usd_per_mtok_total=usd_per_mtok / (1 + traffic.input_tokens / traffic.output_tokens),
        output_tok_s_per_gpu=float(served.output_tok_s / served.gpus),
        tpot_ms=float(served.tpot_s) * 1e3,
        ttft_ms=known(served.ttft_s * 1e3),
        gpus=int(served.gpus),
        tp=int(served.gpus),
        batch=int(served.batch),
        replicas=whole(served.replicas),
        kv_bytes_per_token=float(bytes_kv_per_token(shape, deployment.precision)),
        weights_gb=float(bytes_weights(shape, deployment.precision)) / 1e9,
        limited_by=str(served.limited_by),
        provenance=serving_provenance(asked, deployment),
        warnings=tuple(serving_warnings(asked, deployment)),
    )


def known(value: float) -> float | None:
    """Unknown stays unknown: NaN becomes None."""
    return float(value) if np.isfinite(value) else None


def whole(value: float) -> int | None:
    """A whole number, or None where it is unknown."""
    return int(value) if np.isfinite(value) else None


def infeasible(served: Served, deployment: Deployment, what: str) -> Infeasible:
    """Say what forbids serving: how many bytes are missing, or which target is missed."""
    where = f"{int(served.gpus)} x {deployment.chip.name}"
    binding = str(served.limited_by)
    traffic = deployment.traffic
    targets = [
        f"{name} {limit:g} ms" for name, limit in (("TPOT", traffic.tpot_ms), ("TTFT", traffic.ttft_ms)) if limit
    ]
    words = {
        "memory": f"{what} does not fit: {bytes_text(float(served.bytes_missing))} are missing on {where}; allow more "
        f"GPUs, shorter requests or a smaller precision",
        "latency target": f"{what} misses {' and '.join(targets)} on {where} even at batch 1; relax the target or "
        f"choose a faster chip",
        "heads per GPU": f"{what} can not be split over {where}: its attention heads are no multiple of the GPUs",
    }
    return Infeasible(words.get(binding, f"{what} can not be served on {where}"), binding=binding)


def serving_provenance(asked: ServingInputs, deployment: Deployment) -> dict[str, str]:
    """Where each kind of serving number is from."""
    if asked.usd_per_gpu_hour is None:
        price = deployment.chip.price(asked.price)
        source = f"catalogue ({price.kind}): {price.source}{'' if price.verified else '; UNVERIFIED'}"
    else:
        source = "given by the user"
    model = {
        "paper": "modelled: roofline with assumed efficiencies, not calibrated; low and high are its optimistic and "
        "pessimistic assumptions",
        "size": "modelled: proportional to total parameters; no interval, as it makes no assumption of efficiency",
    }
    spec = deployment.chip.source_spec
    return {
        "serving": model.get(asked.cost_model, f"modelled: cost model {asked.cost_model}"),
        "usd_per_gpu_hour": f"{deployment.usd_per_gpu_hour:.4g} USD; {source}",
        "chip": f"catalogue: {spec.text} ({spec.date})",
        "traffic": deployment.traffic.source,
    }


def serving_warnings(asked: ServingInputs, deployment: Deployment) -> list[str]:
    """What to keep in mind of the catalogue's figures."""
    warnings = []
    chip = deployment.chip
    if asked.usd_per_gpu_hour is None and not chip.price(asked.price).verified:
        warnings.append(f"the price of {chip.name} is unverified; give your own with --usd-per-gpu-hour")
    fields = (
        "bytes_memory",
        "bytes_per_s_memory",
        "bytes_per_s_link",
        "link_domain",
        f"flops_per_s.{asked.precision}",
    )
    doubtful = [field for field in fields if chip.is_unverified(field)]
    if doubtful:
        warnings.append(f"unverified figures of {chip.name} enter: {', '.join(doubtful)}")
    return warnings
