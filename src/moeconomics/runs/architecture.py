"""A `ModelShape` as one cell of a table: JSON with the names of its fields; defaults are left out."""

import json
import math
from dataclasses import MISSING, fields
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from moeconomics.errors import BadInput, unknown_name
from moeconomics.shapes import Attention, GroupedQuery, Latent, Layers, ModelShape, counts

_ATTENTION: dict[str, type[GroupedQuery] | type[Latent]] = {"grouped_query": GroupedQuery, "latent": Latent}
_LARGEST = 10**9  # of any one dimension: what lies beyond is no model
_KIND_OF = {cls: kind for kind, cls in _ATTENTION.items()}
_WORDS: dict[type, str] = {int: "whole number", bool: "true or false", str: "text"}
_Part = TypeVar("_Part", ModelShape, GroupedQuery, Latent, Layers)


def shape_to_json(shape: ModelShape) -> str:
    """The JSON text of a shape with whole dimensions.

    >>> shape_to_json(ModelShape(vocab_size=9, d_model=8, n_layers=1, d_ff=16,
    ...     attention=GroupedQuery(n_heads=2, n_kv_heads=1, head_dim=4)))[:55]
    '{"vocab_size": 9, "d_model": 8, "n_layers": 1, "attenti'

    Errors: `BadInput` for a shape of arrays or of real-valued (relaxed) dimensions.
    """
    return json.dumps(_plain(shape))


@lru_cache(maxsize=4096)
def shape_from_json(text: str) -> ModelShape:
    """Read what `shape_to_json` writes.

    Errors: `BadInput` for text that is no JSON object, an unknown or missing field, or a dimension that is not whole.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"shape is not JSON: {error}") from error
    shape = _build(ModelShape, raw, "shape")
    try:
        with np.errstate(over="raise"):
            counts(shape)
    except (OverflowError, FloatingPointError) as error:
        raise BadInput("shape has more parameters than 64 bits can count") from error
    return shape


def _plain(part: ModelShape | Attention | Layers) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, Layers | Attention):
            kind = {"kind": _KIND_OF[type(value)]} if isinstance(value, Attention) else {}
            made[field.name] = kind | _plain(value)
            continue
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, np.ndarray) or (isinstance(value, float) and math.isfinite(value)):
            raise BadInput(f"{field.name} {value!r} is not whole: a cell holds the shape of one model one can build")
        if field.default is MISSING or value != field.default:
            made[field.name] = value
    return made


def _build(cls: type[_Part], raw: Any, where: str) -> _Part:
    if not isinstance(raw, dict):
        raise BadInput(f"{where} is a JSON object of the fields of {cls.__name__}")
    known = {field.name: field for field in fields(cls)}
    for name in raw:
        if name not in known:
            raise unknown_name(f"field of {where}", name, known)
    missing = [name for name, field in known.items() if field.default is MISSING and name not in raw]
    if missing:
        raise BadInput(f"{where} has no {', '.join(missing)}")
    return cls(**{name: _value(known[name].default, name, value) for name, value in raw.items()})


def _value(default: Any, name: str, value: Any) -> Any:
    """One field, as strict as its default: a flag is true or false, a name text, all else whole numbers."""
    if name == "attention":
        kind = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in _ATTENTION:
            raise BadInput(f"attention needs kind: {' or '.join(_ATTENTION)}")
        own = {key: part for key, part in value.items() if key != "kind"}
        return _build(GroupedQuery, own, name) if kind == "grouped_query" else _build(Latent, own, name)
    if isinstance(default, Layers):
        return _build(Layers, value, name)
    if name == "listed" and isinstance(value, list) and all(_is_whole(layer) for layer in value):
        return tuple(value)
    expected = type(default) if isinstance(default, bool | str) else int
    if type(value) is not expected:
        raise BadInput(f"{name} {value!r} is no {_WORDS[expected]}")
    low = 1 if name == "every" else 0
    if isinstance(value, int) and not low <= value <= _LARGEST:
        raise BadInput(f"{name} {value} is not from {low} to {_LARGEST}")
    return value


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0
