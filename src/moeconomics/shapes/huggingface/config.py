"""The keys of a Hugging Face config, checked as they are taken."""

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moeconomics.errors import BadInput
from moeconomics.shapes.shape import ModelShape

# No model comes near these; a larger number is a slip, and would overflow a count or list layers without end.
LARGEST = 10**8
DEEPEST = 10**5


@dataclass(frozen=True)
class Family:
    """How one `model_type` is read: its reader, the keys it can not do without, and other names of keys."""

    read: Callable[["Config"], ModelShape]
    required: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)


class Config:
    """A config's keys, checked as they are taken; None counts as absent, as in `transformers`."""

    def __init__(self, raw: Mapping[str, Any], model_type: str, family: Family) -> None:
        renamed = {family.aliases[key]: value for key, value in raw.items() if key in family.aliases}
        self.raw = {**raw, **renamed}  # where a config gives both names, transformers takes the alias
        self.known = {*family.required, *family.aliases}
        self.model_type = model_type
        missing = [key for key in family.required if self.raw.get(key) is None]
        if missing:
            raise BadInput(f"{model_type} config lacks {', '.join(map(self._with_near_miss, missing))}")

    def whole(self, key: str, default: int | None = None, *, least: int = 1) -> int:
        """A whole number from `least`, or the default where the key is absent."""
        value = self.raw.get(key)
        if value is None and default is not None:
            return default
        most = DEEPEST if key == "num_hidden_layers" else LARGEST
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise BadInput(
                f"{self.model_type} config: {key} is {value!r}; it must be a whole number from {least} to {most}"
            )
        return value

    def flag(self, key: str, default: bool) -> bool:
        """A boolean, or the default where the key is absent."""
        value = self.raw.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise BadInput(f"{self.model_type} config: {key} is {value!r}; it must be true or false")
        return value

    def listing(self, key: str, kind: type) -> list[Any] | None:
        """A list of whole numbers or of names, or None where the key is absent."""
        value = self.raw.get(key)
        if value is None:
            return None
        if not isinstance(value, list | tuple) or not all(type(item) is kind for item in value):
            words = "whole numbers" if kind is int else "names"
            raise BadInput(f"{self.model_type} config: {key} is {value!r}; it must be a list of {words}")
        return list(value)

    def _with_near_miss(self, key: str) -> str:
        near = difflib.get_close_matches(key, self.raw.keys() - self.known, n=1, cutoff=0.75)
        return f"{key} (there is {near[0]!r})" if near else key


def load(path: Path) -> Mapping[str, Any]:
    """Read a config.json, or the one in a folder. Errors: `BadInput` with the path."""
    file = path / "config.json" if path.is_dir() else path
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}") from error
    except ValueError as error:  # also text that is no UTF-8
        raise BadInput(f"{file} is no JSON: {error}") from error
    if not isinstance(raw, Mapping):
        raise BadInput(f"{file} holds no JSON object; a config.json is one")
    return raw
