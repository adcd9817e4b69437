"""Options that several commands share, with units and defaults in their help."""

from pathlib import Path
from typing import Annotated, Any

import typer

from moeconomics.shapes import ModelShape, get_model
from moeconomics.shapes.huggingface import from_hf


def option(metavar: str, text: str, panel: str, *names: str, default: str | None = None) -> Any:
    """Make an option of a help panel; `default` words replace a default that the signature can not show."""
    words = f"{text} [default: {default}]" if default else text
    return typer.Option(*names, metavar=metavar, help=words, rich_help_panel=panel, show_default=default is None)


HARDWARE, TRAFFIC, OUTPUT, ENGINE = "Hardware", "Traffic", "Output", "vLLM started here"
VLLM = Path(".venv-vllm/bin/python")

_MODEL = typer.Argument(
    metavar="MODEL",
    help="Hugging Face config.json, a folder that holds one, or a public model; see `moeconomics models`.",
    show_default=False,
)
Model = Annotated[str, _MODEL]
OptionalModel = Annotated[str | None, _MODEL]
Gpu = Annotated[str, option("NAME|FILE.yaml", "Chip that serves; see `moeconomics hardware`.", HARDWARE)]
MaxGpus = Annotated[int, option("N", "Most GPUs in one replica (tensor-parallel).", HARDWARE)]
UsdPerGpuHour = Annotated[
    float | None, option("USD", "Price of one GPU for one hour.", HARDWARE, default="the catalogue's")
]
Price = Annotated[
    str | None,
    option("KIND", "rental, tco_neocloud or tco_hyperscaler.", HARDWARE, default="the first the catalogue has"),
]
Precision = Annotated[
    str,
    option(
        "DTYPE",
        "Weights and arithmetic: bf16, fp8, int8, int4, nvfp4, mxfp4.",
        HARDWARE,
    ),
]
CostModelName = Annotated[
    str,
    option(
        "NAME",
        "operator (calibrated on measurements), paper (Eq. 5 and 6 on a roofline), size (proportional to all "
        "parameters) or profile:FILE.parquet (measured by `moeconomics profile`).",
        HARDWARE,
    ),
]
KvPrecision = Annotated[str, option("DTYPE", "KV cache: bf16, fp8 or int8.", HARDWARE)]
Engine = Annotated[str, option("NAME", "Serving engine: vllm, sglang or trtllm.", HARDWARE)]
CalibrationFile = Annotated[
    Path | None,
    option("FILE.yaml", "Coefficients that `moeconomics calibrate` wrote.", HARDWARE, default="the shipped ones"),
]
Mode = Annotated[
    str,
    option("MODE", "aggregated, disaggregated (pools of prefill and decode workers) or auto: the cheaper.", HARDWARE),
]
PrefixHit = Annotated[float, option("SHARE", "Share of prompt tokens found in the prefix cache, 0 to 1.", TRAFFIC)]
RouterSkew = Annotated[float, option("S", "Skew of the router: 0 is uniform, below 0.5.", HARDWARE)]
TrafficName = Annotated[
    str, option("NAME|FILE.yaml", "sharegpt, chat, long-prompt, reasoning, or one's own file.", TRAFFIC)
]
InputLen = Annotated[float | None, option("TOKENS", "Mean prompt length.", TRAFFIC, default="the profile's")]
OutputLen = Annotated[float | None, option("TOKENS", "Mean answer length.", TRAFFIC, default="the profile's")]
Rps = Annotated[float | None, option("R", "Requests per second in all.", TRAFFIC, default="saturated")]
TtftMs = Annotated[
    float | None,
    option("MS", "Longest time to the first token, in ms.", TRAFFIC, default="no target"),
]
TpotMs = Annotated[float | None, option("MS", "Longest time per output token, in ms.", TRAFFIC, default="no target")]
Utilisation = Annotated[
    float | None,
    option("SHARE", "Share of full throughput that replicas are kept at, 0.01 to 1.", TRAFFIC, default="the profile's"),
]
Vllm = Annotated[
    Path,
    typer.Option(
        metavar="PYTHON",
        envvar="MOECONOMICS_VLLM",
        help="Python of an environment with vLLM.",
        rich_help_panel=ENGINE,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print everything as JSON with stable keys.", rich_help_panel=OUTPUT)
]
Folder = Annotated[
    Path | None,
    option(
        "DIR",
        "Also write report.html, config.json (Hugging Face), plan.json, candidates.csv and pareto.csv there.",
        OUTPUT,
        "-o",
        "--output",
        default="nothing",
    ),
]


def load_model(model: str) -> ModelShape:
    """Read a model argument: a path where there is one, else the name of a public model.

    Errors: `BadInput` with the path, the missing keys or the nearest known name.
    """
    if Path(model).exists() or model.endswith((".json", "/")) or model.startswith((".", "/")):
        return from_hf(Path(model))
    return get_model(model)
