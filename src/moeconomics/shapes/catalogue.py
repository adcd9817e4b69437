"""`PublicModel`: public language models by name, as their Hugging Face config values, each with its source."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from moeconomics.boundary import Strict, read_yaml
from moeconomics.errors import BadInput, unknown_name
from moeconomics.shapes.huggingface import from_hf
from moeconomics.shapes.shape import ModelShape


class PublicModel(Strict):
    """The keys of one model's config.json that decide a count; where they were read, and when.

    `name` is the Hugging Face id; `aliases` are ids of models with the same dimensions.
    """

    name: str
    aliases: tuple[str, ...] = ()
    config: dict[str, Any]
    source: str
    date: str

    @property
    def shape(self) -> ModelShape:
        """The model's dimensions."""
        return from_hf(self.config)


@cache
def load_models() -> dict[str, PublicModel]:
    """The public models by Hugging Face id."""
    return {name: PublicModel(name=name, **entry) for name, entry in _read()["models"].items()}


def get_public_model(name: str) -> PublicModel:
    """Find a model by its id or an alias, in any case, with or without the organisation.

    Errors: `BadInput` with the nearest known name, or why a known model can not be counted.
    """
    known = {alias: model for model in load_models().values() for alias in (model.name, *model.aliases)}
    for alias, model in known.items():
        if _matches(name, alias):
            return model
    for refused, reason in _read()["refused"].items():
        if _matches(name, refused):
            raise BadInput(f"{refused} can not be counted: {reason}")
    raise unknown_name("model", name, load_models() if "/" in name else map(_short, load_models()))


def get_model(name: str) -> ModelShape:
    """The shape of a public model. Errors: as `get_public_model`."""
    return get_public_model(name).shape


def _matches(given: str, known: str) -> bool:
    return given.casefold() in (known.casefold(), _short(known).casefold())


def _short(name: str) -> str:
    """An id without its organisation."""
    return name.rpartition("/")[2]


@cache
def _read() -> dict[str, Any]:
    parsed: dict[str, Any] = read_yaml(Path(str(files(__package__) / "catalogue.yaml")))
    return parsed
