"""`cost`: the price of serving one given model, with where each number is from."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ValidationError

from moeconomics.boundary import is_yaml, within
from moeconomics.errors import BadInput, Infeasible, invalid
from moeconomics.serving.cost_models import make_cost_model
from moeconomics.serving.deployment import MODES, Deployment
from moeconomics.serving.inputs import GpuCount, ServingInputs
from moeconomics.serving.kernels import RATE
from moeconomics.serving.layout import Layout
from moeconomics.serving.operator_cost import OperatorCost
from moeconomics.serving.profiled import OUTSIDE, PROFILE
from moeconomics.serving.served import CostModel, Served, cheapest
from moeconomics.shapes import ModelShape, bytes_kv_per_token, bytes_weights
from moeconomics.units import SECONDS_PER_HOUR, bytes_text

# What no other cost model has a term for; to take it in silence would price something else.
OPERATOR_ONLY = (
    *("tp", "ep", "pp", "dp", "concurrency"),
    *("engine", "mode", "prefix_hit", "router_skew", "calibration"),
)


class CostInputs(ServingInputs):
    """A serving question; `mode` auto takes the cheaper.

    `gpus` or degrees of parallelism fix the replica, None looks for the cheapest; `concurrency` fixes the requests that
    run, as a benchmark does. Energy: `pue` is the data centre's, and `grid_kg_per_kwh` its grid's CO2.
    """

    # Wider than the base's, whose mode a deployment takes: auto is resolved before one is made.
    mode: Literal["aggregated", "disaggregated", "auto"] = "aggregated"  # type: ignore[assignment]
    gpus: GpuCount | None = None
    tp: GpuCount | None = None
    ep: GpuCount | None = None
    pp: GpuCount | None = None
    dp: GpuCount | None = None
    concurrency: Annotated[float, within(1, 1e6, "requests")] | None = None
    pue: Annotated[float, within(1, 3, "(power of the site over that of its machines)")] = 1.2
    grid_kg_per_kwh: Annotated[float, within(0, 3, "kg CO2 per kWh")] | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether the layout is given."""
        return any(degree is not None for degree in (self.tp, self.ep, self.pp, self.dp))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Steady serving of one model; None is unknown.

    `usd_per_mtok_output` carries the whole cost on the output tokens, as in the paper; `usd_per_mtok_input` is the
    part of it that prompts cause, per input token, and `usd_per_mtok_total` the whole cost over tokens in and out.
    `band_low` and `band_high` hold bounds by the name of the estimate. `memory_gb` of one GPU (GB = 1e9 bytes).
    """

    usd_per_mtok_output: float
    usd_per_mtok_input: float | None
    usd_per_mtok_total: float
    output_tok_s_per_gpu: float
    tpot_ms: float
    ttft_ms: float | None
    gpus: int
    tp: int
    ep: int
    pp: int
    dp: int
    batch: int
    running: float | None
    replicas: int | None
    prefill_workers_per_decode_worker: float | None
    kv_bytes_per_token: float
    weights_gb: float
    memory_gb: float | None
    energy_wh_per_mtok_output: float | None
    kg_co2_per_mtok_output: float | None
    mode: str
    limited_by: str
    band_low: dict[str, float]
    band_high: dict[str, float]
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
    found = []
    for mode in MODES if asked.mode == "auto" else (asked.mode,):
        deployment = asked.model_copy(update={"mode": mode}).deployment()
        model = make_cost_model(asked.cost_model, deployment)
        found.append((_served(asked, deployment, model, shape), deployment, model))
    served, deployment, model = min(found, key=lambda one: float(one[0].usd_per_token_output))
    if not np.isfinite(served.usd_per_token_output):
        raise infeasible(served, deployment, "the model")
    return _estimate(asked, deployment, model, shape, served)


def _served(asked: CostInputs, deployment: Deployment, model: CostModel, shape: ModelShape) -> Served:
    if not isinstance(model, OperatorCost):
        _refuse_operator_inputs(asked)
    if not isinstance(model, OperatorCost) or not (asked.is_fixed or asked.concurrency):
        if asked.gpus is not None and asked.gpus > deployment.chip.link_domain:
            raise BadInput(
                f"gpus {asked.gpus}: one link domain of {deployment.chip.name} joins {deployment.chip.link_domain}; "
                f"give the layout with --tp, --ep, --pp, --dp"
            )
        return cheapest(model, shape, deployment.gpus if asked.gpus is None else (asked.gpus,))
    layout = Layout(**{name: np.asarray(getattr(asked, name) or 1, dtype=float) for name in ("tp", "ep", "pp", "dp")})
    if not asked.is_fixed and asked.gpus is not None:
        layout = Layout(tp=np.asarray(float(asked.gpus)))
    elif asked.gpus is not None and asked.gpus != layout.gpus:
        raise BadInput(f"gpus {asked.gpus} is not tp·pp·dp = {layout.gpus:g}; leave it out")
    if layout.gpus_of_stage % layout.ep:
        raise BadInput(f"ep {layout.ep:g} does not divide tp·dp = {layout.gpus_of_stage:g}, the GPUs of one stage")
    if asked.concurrency is None:
        return model.at_layout(shape, layout)
    most = model.most(shape, layout)
    served = model.at_batch(shape, layout, np.where(most >= 1, np.minimum(asked.concurrency, most), 0.0))
    queued = "what a replica holds: other requests wait" if most < asked.concurrency else "the concurrency given"
    possible = np.isfinite(served.usd_per_token_output)
    return replace(served, limited_by=np.where(possible, queued, served.limited_by))


def _refuse_operator_inputs(asked: CostInputs) -> None:
    unset = {name: CostInputs.model_fields[name].default for name in OPERATOR_ONLY}
    unused = [name for name, value in unset.items() if getattr(asked, name) not in (value, "auto")]
    if unused:
        raise BadInput(f"cost model {asked.cost_model} takes no {', '.join(unused)}: leave it out, or use operator")


def _estimate(
    asked: CostInputs, deployment: Deployment, model: CostModel, shape: ModelShape, served: Served
) -> Estimate:
    traffic = deployment.traffic
    usd_per_mtok = float(served.usd_per_token_output) * 1e6
    tok_s = float(served.output_tok_s)
    bounds = {
        "usd_per_mtok_output": (served.usd_low * 1e6, served.usd_high * 1e6),
        "tpot_ms": (served.tpot_low_s * 1e3, served.tpot_high_s * 1e3),
        "ttft_ms": (served.ttft_low_s * 1e3, served.ttft_high_s * 1e3),
        # A dearer token is a slower one: the price's bounds are those of the throughput, upside down.
        "output_tok_s_per_gpu": tuple(
            served.output_tok_s / served.gpus * served.usd_per_token_output / usd
            for usd in (served.usd_high, served.usd_low)
        ),
        "usd_per_mtok_total": tuple(
            usd * 1e6 / (1 + traffic.input_tokens / traffic.output_tokens) for usd in (served.usd_low, served.usd_high)
        ),
        "usd_per_mtok_input": tuple(
            usd * 1e6 * served.prefill_share * traffic.output_tokens / traffic.input_tokens
            for usd in (served.usd_low, served.usd_high)
        ),
    }
    wh_per_mtok = energy_wh_per_mtok(deployment, served, asked.pue)
    grid = asked.grid_kg_per_kwh
    return Estimate(
        usd_per_mtok_output=usd_per_mtok,
        usd_per_mtok_input=known(usd_per_mtok * served.prefill_share * traffic.output_tokens / traffic.input_tokens),
        usd_per_mtok_total=usd_per_mtok / (1 + traffic.input_tokens / traffic.output_tokens),
        output_tok_s_per_gpu=tok_s / float(served.gpus),
        tpot_ms=float(served.tpot_s) * 1e3,
        ttft_ms=known(served.ttft_s * 1e3),
        gpus=int(served.gpus),
        **{name: whole(getattr(served, name)) or 1 for name in ("tp", "ep", "pp", "dp")},
        batch=int(served.batch),
        running=known(served.running),
        replicas=whole(served.replicas),
        prefill_workers_per_decode_worker=known(served.prefill_workers),
        kv_bytes_per_token=float(bytes_kv_per_token(shape, deployment.kv_precision)),
        weights_gb=_weights_gb(model, shape, deployment.precision),
        memory_gb=_memory_gb(model, shape, served),
        energy_wh_per_mtok_output=wh_per_mtok,
        kg_co2_per_mtok_output=None if grid is None or wh_per_mtok is None else wh_per_mtok / 1e3 * grid,
        mode=deployment.mode,
        limited_by=str(served.limited_by),
        band_low={name: float(low) for name, (low, _) in bounds.items() if np.isfinite(low)},
        band_high={name: float(high) for name, (_, high) in bounds.items() if np.isfinite(high)},
        provenance=serving_provenance(asked, deployment, model),
        warnings=(*serving_warnings(asked, deployment), *_beyond_the_runs(model, served)),
    )


def _beyond_the_runs(model: CostModel, served: Served) -> Iterator[str]:
    """What the measured runs say nothing of."""
    if not isinstance(model, OperatorCost):
        return
    most = model.steady.operators.coefficients.engine.concurrency
    if served.running > most:
        yield (
            f"extrapolated: {float(served.running):.0f} requests at once, where 95 % of the measured runs had {most:g} "
            f"at most; expect errors beyond the band"
        )
    within, domain = served.tp * served.dp, model.deployment.chip.link_domain
    if within > domain:
        yield (
            f"extrapolated: a stage of {float(within):g} GPUs leaves the link domain of {domain}; no measured run of "
            f"such a layout was used"
        )
    if model.deployment.mode == "disaggregated":
        yield "disaggregated pools are modelled; no measured run of them was used"


def _weights_gb(model: CostModel, shape: ModelShape, precision: str) -> float:
    """All weights; the operator model knows which of them a precision stores in which format."""
    stored = bytes_weights(shape, precision)
    if isinstance(model, OperatorCost):
        stored = model.steady.bytes_weights(shape, Layout())
    return float(stored) / 1e9


def _memory_gb(model: CostModel, shape: ModelShape, served: Served) -> float | None:
    """Weights, runtime, workspace and the KV cache of the batch on one GPU."""
    if not isinstance(model, OperatorCost):
        return None
    layout = Layout(tp=served.tp, ep=served.ep, pp=served.pp, dp=served.dp)
    tokens = model.deployment.traffic.kv_tokens_mean
    cache = served.batch / layout.dp * model.steady.bytes_request(shape, layout, tokens)
    others = model.deployment.bytes_usable - model.steady.bytes_free(shape, layout)
    return float(others + cache) / 1e9


def energy_wh_per_mtok(deployment: Deployment, served: Served, pue: float) -> float | None:
    """Watt-hours per million output tokens; None without the chip's TDP or the model's utilisation.

    Assumed: a GPU draws 0.3 of its TDP when idle and the rest in proportion to its memory's ideal share of a step.
    """
    watts = deployment.chip.watts_tdp
    if watts is None or not np.isfinite(served.utilisation):
        return None
    at_work, tok_s = deployment.traffic.utilisation, float(served.output_tok_s) * deployment.traffic.utilisation
    if deployment.traffic.requests_per_s is not None:  # the load's own idleness is in the utilisation
        at_work = 1.0
        tok_s = deployment.traffic.requests_per_s * deployment.traffic.output_tokens / float(served.replicas)
    power = watts * (0.3 + 0.7 * float(served.utilisation) * at_work) * pue * float(served.gpus)
    return power / tok_s * 1e6 / SECONDS_PER_HOUR


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
        "the layout": f"{what} can not be split over {where} as tp {served.tp:g}, ep {served.ep:g}, pp {served.pp:g}, "
        f"dp {served.dp:g}: tp must divide its attention heads, ep its routed experts; pp is at most its layers; dense "
        f"models take no ep or dp, but more replicas",
        "heads per GPU": f"{what} can not be split over {where}: its attention heads are no multiple of the GPUs",
    }
    if binding.startswith(OUTSIDE):
        words[binding] = (
            f"{what} is {binding}: nothing is extrapolated; measure such a shape with `moeconomics profile`, or use "
            f"another cost model"
        )
    return Infeasible(words.get(binding, f"{what} can not be served on {where}"), binding=binding)


def serving_provenance(asked: ServingInputs, deployment: Deployment, served_by: CostModel) -> dict[str, str]:
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
    words = f"modelled: cost model {asked.cost_model}"
    if asked.cost_model.startswith(PROFILE):
        words = f"measured: latencies of {asked.cost_model.removeprefix(PROFILE)}, interpolated; its repeats bound it"
    own = {"serving": model.get(asked.cost_model, words)}
    if isinstance(served_by, OperatorCost):
        own = operator_provenance(served_by)
    return {
        **own,
        "usd_per_gpu_hour": f"{deployment.usd_per_gpu_hour:.4g} USD; {source}",
        "chip": f"{'file' if is_yaml(asked.gpu) else 'catalogue'}: {spec.text} ({spec.date})",
        "traffic": deployment.traffic.source,
    }


def operator_provenance(model: OperatorCost) -> dict[str, str]:
    """What was measured, what was fitted to it, and where the error band is from."""
    coefficients = model.steady.operators.coefficients
    fitted = coefficients.engine
    borrowed = "; ".join(coefficients.borrowed)
    chip, engine = model.deployment.chip, model.deployment.engine
    words = f"calibrated: sum over operators; kernels fitted to timings of {chip.name} under {engine}"
    if not coefficients.is_timed:
        words = f"modelled: sum over operators; no kernel of {chip.name} was timed, its peaks with others' coefficients"
    band = "n/a: the calibration has no runs that were left out"
    if fitted.tpot is not None:
        own = (fitted.generation, fitted.engine) == (chip.generation or chip.name, engine)
        band = (
            f"measured: 5 to 95 % of {fitted.tpot.rows} runs on {fitted.generation} with {fitted.engine}, each of a "
            f"family of models left out of the fit"
        ) + ("" if own else f"; none of them on {chip.name} with {engine}, whose errors may be larger")
    return {
        "serving": words + (f", but borrowed: {borrowed}" if borrowed else ""),
        "error band": band,
        "memory": "modelled: weights, KV cache, 4 GB of runtime and the workspace of one step",
        "energy": "assumed: 0.3 TDP idle, the rest by memory utilisation",
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
        f"flops_per_s.{RATE[asked.precision]}",
    )
    doubtful = [field for field in fields if chip.is_unverified(field)]
    if doubtful:
        warnings.append(f"unverified figures of {chip.name} enter: {', '.join(doubtful)}")
    return warnings
