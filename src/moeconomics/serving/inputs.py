"""What a user says of serving, checked once at the door, and its resolution into a `Deployment`."""

from pathlib import Path
from typing import Annotated, Literal

from moeconomics.boundary import Strict, within
from moeconomics.hardware import Traffic, get_chip, get_traffic
from moeconomics.serving.cost_models import DEFAULT_COST_MODEL
from moeconomics.serving.deployment import Deployment, Mode, gpu_options

Tokens = Annotated[float, within(1, 1e7, "tokens")]
Milliseconds = Annotated[float, within(0.01, 1e7, "ms")]
GpuCount = Annotated[int, within(1, 100_000, "GPUs")]


class ServingInputs(Strict):
    """Hardware, price, precision and traffic. Lengths in tokens; `rps` requests per second, None for saturated.

    `traffic` names a preset or a .yaml file; lengths, load and targets given here replace its own.
    """

    gpu: str = "A100-SXM-40GB"
    max_gpus: GpuCount = 8
    usd_per_gpu_hour: Annotated[float, within(0.001, 1000, "USD per GPU-hour")] | None = None
    price: Literal["rental", "tco_neocloud", "tco_hyperscaler"] | None = None
    precision: str = "bf16"
    kv_precision: str = "bf16"
    engine: str = "vllm"
    mode: Mode = "aggregated"
    prefix_hit: Annotated[float, within(0, 1, "(a share of the prompt)")] = 0.0
    router_skew: Annotated[float, within(0, 0.49, "(0 is uniform)")] = 0.0
    calibration: Path | None = None
    cost_model: str = DEFAULT_COST_MODEL

    traffic: str = "sharegpt"
    input_len: Tokens | None = None
    output_len: Tokens | None = None
    rps: Annotated[float, within(1e-6, 1e9, "requests/s")] | None = None
    ttft_ms: Milliseconds | None = None
    tpot_ms: Milliseconds | None = None
    utilisation: Annotated[float, within(0.01, 1, "(a share of the time)")] | None = None

    def deployment(self) -> Deployment:
        """Chip, price, traffic, precision and GPU options. Errors: `BadInput` for unknown names."""
        chip = get_chip(self.gpu)
        price = self.usd_per_gpu_hour
        return Deployment(
            chip=chip,
            usd_per_gpu_hour=chip.price(self.price).usd_per_gpu_hour if price is None else price,
            traffic=self._traffic(),
            precision=self.precision,
            gpus=gpu_options(chip, self.max_gpus),
            kv_precision=self.kv_precision,
            engine=self.engine,
            mode=self.mode,
            prefix_hit=self.prefix_hit,
            skew=self.router_skew,
            calibration=self.calibration,
        )

    def _traffic(self) -> Traffic:
        own = {
            "input_tokens": self.input_len,
            "output_tokens": self.output_len,
            "requests_per_s": self.rps,
            "ttft_ms": self.ttft_ms,
            "tpot_ms": self.tpot_ms,
            "utilisation": self.utilisation,
        }
        return get_traffic(self.traffic).with_changes(
            **{name: value for name, value in own.items() if value is not None}
        )
