"""`Grid`: sizes × experts × tokens × seeds in a YAML file, as the specifications of single runs."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from moeconomics.boundary import Strict, read_yaml
from moeconomics.errors import invalid
from moeconomics.training import RunSpec, get_recipe


class Size(Strict):
    """Widths and depth of one size; `d_ff` null is 8/3·d_model."""

    d_model: int
    n_layers: int
    d_ff: int | None = None


class Part(Strict):
    """What a further part of a grid changes; null keeps the grid's own."""

    sizes: tuple[Size, ...] | None = None
    experts: tuple[int, ...] | None = None
    tokens: tuple[float, ...] | None = None
    seeds: tuple[int, ...] | None = None
    lr: tuple[float | None, ...] | None = None
    batch_tokens: tuple[int, ...] | None = None


class Grid(Strict):
    """Every combination of the lists; `also` adds further parts, such as a second seed of one cell.

    `lr` null is the recipe's own rule. `common` holds the other fields of `RunSpec` (architecture, data, ...).
    """

    sizes: tuple[Size, ...] = Field(min_length=1)
    experts: tuple[int, ...] = Field(min_length=1)
    tokens: tuple[float, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = (0,)
    lr: tuple[float | None, ...] = (None,)
    batch_tokens: tuple[int, ...] = (8192,)
    recipe: str = "wsd"
    common: dict[str, Any] = Field(default_factory=dict)
    also: tuple[Part, ...] = ()


def specs_of(grid: Grid) -> list[RunSpec]:
    """The runs of a grid, without repeats. Errors: `BadInput` with the field of a combination that can not be."""
    parts = [grid, *(grid.model_copy(update=_given(part)) for part in grid.also)]
    found = {spec.run_id: spec for part in parts for spec in _product(part)}
    return list(found.values())


def read_grid(path: Path) -> Grid:
    """Read a YAML file. Errors: `BadInput` with the field, what was given and what is allowed."""
    try:
        return Grid.model_validate(read_yaml(path))
    except ValidationError as error:
        raise invalid(f"grid {path}", error, Grid.model_fields) from error


def _given(part: Part) -> Mapping[str, Any]:
    return {name: value for name, value in part if value is not None}


def _product(grid: Grid) -> list[RunSpec]:
    # A cosine anneals once, so each token count is a run of its own; "wsd" branches them off one trunk.
    counts = [grid.tokens] if get_recipe(grid.recipe).schedule == "wsd" else [(count,) for count in grid.tokens]
    every = itertools.product(grid.sizes, grid.experts, counts, grid.seeds, grid.lr, grid.batch_tokens)
    made = []
    for size, experts, tokens, seed, lr, batch in every:
        fields = {
            **grid.common,
            **size.model_dump(),
            "experts": experts,
            "tokens": tokens,
            "seed": seed,
            "lr": lr,
            "batch_tokens": batch,
            "recipe": grid.recipe,
        }
        try:
            made.append(RunSpec.model_validate(fields))
        except ValidationError as error:
            raise invalid(f"grid, {size.d_model} wide, {experts} experts", error, RunSpec.model_fields) from error
    return made
