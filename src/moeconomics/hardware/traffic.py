"""`Traffic`: how long prompts and answers are, how many come, and how fast the answers must be."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import TypeAdapter, ValidationError, model_validator

from moeconomics.boundary import Strict, is_yaml, read_yaml, within
from moeconomics.errors import BadInput, invalid, unknown_name

Length = Annotated[float, within(1, 1e7, "tokens")]
Milliseconds = Annotated[float, within(0.01, 1e7, "ms")]

_LENGTHS = ("input_tokens", "output_tokens")
_AGREEMENT = 0.01  # relative: means that a user rounded pass, means of other traffic do not


class Request(Strict):
    """One kind of request in a distribution: its lengths and its share, in any unit."""

    input_tokens: Length
    output_tokens: Length
    weight: Annotated[float, within(1e-12, 1e12, "(any unit)")] = 1.0


class Traffic(Strict):
    """Traffic of one deployment.

    `input_tokens` (p) and `output_tokens` (n) are means; where a `distribution` is given they are computed from
    it, or must agree with it within 1 %. `requests_per_s` None means saturated: there is always a request
    waiting. `utilisation` is the share of its full throughput that a replica is kept at. `ttft_ms` and `tpot_ms`
    are targets, None for no target.
    """

    name: str
    input_tokens: Length
    output_tokens: Length
    distribution: tuple[Request, ...] = ()
    requests_per_s: Annotated[float, within(1e-6, 1e9, "requests/s")] | None = None
    ttft_ms: Milliseconds | None = None
    tpot_ms: Milliseconds | None = None
    utilisation: Annotated[float, within(0.01, 1, "(a share of the time)")] = 1.0
    source: str

    @model_validator(mode="before")
    @classmethod
    def _fill_means(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or not raw.get("distribution"):
            return raw
        try:
            rows = _ROWS.validate_python(raw["distribution"])
        except ValidationError:
            # Any valid means: the field itself says what is wrong with the distribution.
            return {**dict.fromkeys(_LENGTHS, 1.0), **raw}
        return {**_means(rows), **raw}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name, mean in _means(self.distribution).items() if self.distribution else ():
            given = getattr(self, name)
            if abs(given - mean) > _AGREEMENT * mean:
                raise ValueError(
                    f"{name} {given:g} is not the distribution's mean {mean:g}; leave {name} out, or the distribution"
                )
        return self

    @property
    def kv_tokens_mean(self) -> float:
        """Cached tokens of a running request, averaged over its steps: E[n·(p + n/2)] / E[n].

        For fixed lengths this is the paper's (2p + n)/2 (App. C). Long answers hold their cache for longer, so
        a distribution weighs them more.
        """
        p, n, weights = self._rows()
        return float(np.average(n * (p + n / 2), weights=weights) / np.average(n, weights=weights))

    @property
    def kv_tokens_max(self) -> float:
        """Cached tokens of the longest request at its end: max(p + n)."""
        p, n, _ = self._rows()
        return float(np.max(p + n))

    def with_changes(self, **changes: float) -> Self:
        """A copy with other values; own lengths put the distribution aside and enter the source.

        Errors: `BadInput` naming the field and its range.
        """
        raw = {**self.model_dump(), **changes}
        own = [name for name in _LENGTHS if name in changes]
        if own:
            raw["distribution"] = ()
            raw["source"] = f"{' and '.join(own)} given by the user"
            if len(own) < len(_LENGTHS):
                raw["source"] += f"; otherwise {self.source}"
        try:
            return self.model_validate(raw)
        except ValidationError as error:
            raise invalid("traffic", error, type(self).model_fields) from error

    def _rows(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        rows = self.distribution or (Request(input_tokens=self.input_tokens, output_tokens=self.output_tokens),)
        columns = np.array([[row.input_tokens, row.output_tokens, row.weight] for row in rows]).T
        return columns[0], columns[1], columns[2]


_ROWS = TypeAdapter(tuple[Request, ...])


def _means(rows: tuple[Request, ...]) -> dict[str, float]:
    weights = [row.weight for row in rows]
    return {name: float(np.average([getattr(row, name) for row in rows], weights=weights)) for name in _LENGTHS}


@cache
def load_traffic() -> dict[str, Traffic]:
    """The named profiles of the package."""
    raw = read_yaml(Path(str(files(__package__) / "traffic.yaml")))
    return {name: Traffic(name=name, **entry) for name, entry in raw.items()}


def get_traffic(name: str) -> Traffic:
    """Find a profile by name, or read one's own from a .yaml file.

    Errors: `BadInput` with the nearest known name, or with the file, field and range.
    """
    if is_yaml(name):
        raw = read_yaml(Path(name))
        if not isinstance(raw, dict):
            raise BadInput(f"{name}: a traffic file holds `field: value` lines such as input_tokens: 1024")
        try:
            return Traffic.model_validate({"name": Path(name).stem, "source": f"file {name}", **raw})
        except ValidationError as error:
            raise invalid(f"traffic file {name}", error, Traffic.model_fields) from error
    profiles = load_traffic()
    if name not in profiles:
        raise unknown_name("traffic", name, profiles)
    return profiles[name]
