"""What is measured: models, and the batches and lengths that each is measured at."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError

from moeconomics.boundary import Strict, read_yaml, within
from moeconomics.errors import BadInput, invalid
from moeconomics.shapes import Ladder, ModelShape, counts, get_architecture, pick
from moeconomics.shapes.huggingface import from_hf, to_hf

Tokens = Annotated[int, within(1, 1e6, "tokens")]


class Size(Strict):
    """Widths and depth of one size; `d_ff` null is 8/3·d_model to the next 32."""

    d_model: Annotated[int, within(8, 1e6, "")]
    n_layers: Annotated[int, within(1, 1e4, "layers")]
    d_ff: Annotated[int, within(8, 1e7, "")] | None = None


class Grid(Strict):
    """A SHAPES file: every size with every number of experts, the `models` beside them, and the cells to measure.

    `models`: Hugging Face config.json files or their folders, from the file's own. `batches`: requests at once;
    `contexts`: prompt lengths, tokens; `steps`: decode steps timed after them, so that latencies of decoding are those
    at `contexts` + `steps`/2 cached tokens. Throughput is that of requests of `input_len` and `output_len` tokens.
    Each cell is measured `repeats` times after a warm-up.
    """

    sizes: tuple[Size, ...] = ()
    experts: tuple[Annotated[int, within(1, 1e5, "experts")], ...] = (1,)
    architecture: str = "yun2024"
    head_dim: Annotated[int, within(8, 1e4, "")] = 32
    vocab_size: Annotated[int, within(16, 1e7, "tokens")] = 2048
    models: tuple[str, ...] = ()

    batches: tuple[Annotated[int, within(1, 1e5, "requests")], ...] = Field((1, 4, 16), min_length=1)
    contexts: tuple[Tokens, ...] = Field((64, 256), min_length=1)
    steps: Annotated[int, within(2, 1e4, "decode steps")] = 16
    input_len: Tokens = 128
    output_len: Annotated[int, within(2, 1e6, "tokens")] = 64
    repeats: Annotated[int, within(1, 1e4, "repeats")] = 3

    @property
    def cells(self) -> int:
        """Numbers of batches times contexts."""
        return len(self.batches) * len(self.contexts)


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model: its name, its config.json, and the shape that this is."""

    name: str
    config: dict[str, Any]
    shape: ModelShape

    def columns(self) -> dict[str, Any]:
        """What the table says of it."""
        group = counts(self.shape)
        return {
            "shape": self.name,
            "config": json.dumps(self.config, sort_keys=True),
            **{name: int(getattr(self.shape, name)) for name in ("d_model", "n_layers", "n_experts", "top_k")},
            "vocab_size": int(self.shape.vocab_size),
            "n_active": int(group.n_active),
            "n_total": int(group.n_total),
        }


def read_models(path: Path) -> tuple[Grid, list[Model]]:
    """Read a SHAPES file, or a config.json or a folder with one, which is measured on the default grid.

    Errors: `BadInput` with the file, the field, what was given and what is allowed.
    """
    if path.suffix.lower() not in (".yaml", ".yml"):
        return Grid(), [_written(path)]
    content = read_yaml(path)
    try:
        grid = Grid.model_validate(content)
    except ValidationError as error:
        raise invalid(f"shapes {path}", error, Grid.model_fields) from error
    models = [_sized(grid, size, experts) for size, experts in itertools.product(grid.sizes, grid.experts)]
    models += [_written(path.parent / name) for name in grid.models]
    if not models:
        raise BadInput(f"shapes {path}: names no model; give sizes: [{{d_model: 64, n_layers: 2}}] or models: [FOLDER]")
    names = [model.name for model in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"shapes {path}: {', '.join(twice)} is there more than once")
    return grid, models


def _sized(grid: Grid, size: Size, experts: int) -> Model:
    architecture = get_architecture(grid.architecture)
    name = f"{architecture.name}-d{size.d_model}-l{size.n_layers}-e{experts}"
    if not architecture.latent and size.d_model % grid.head_dim:
        raise BadInput(f"{name}: d_model {size.d_model} must be a multiple of head_dim {grid.head_dim}")
    d_ff = size.d_ff or 32 * -(-8 * size.d_model // 96)
    widths = (np.array([value]) for value in (size.d_model, size.n_layers, d_ff, grid.head_dim))
    shape = pick(Ladder(architecture, grid.vocab_size, *widths).shapes(experts), 0)
    return Model(name=name, config=to_hf(shape, max_position_embeddings=131_072), shape=shape)


def _written(path: Path) -> Model:
    shape = from_hf(path)
    file = path / "config.json" if path.is_dir() else path
    config = json.loads(file.read_text(encoding="utf-8"))
    if "quantization_config" in config:
        raise BadInput(f"{file} has a quantization_config: weights are measured in bf16 alone; leave it out of a copy")
    return Model(
        name=file.parent.resolve().name if file.name == "config.json" else file.stem, config=config, shape=shape
    )
