"""What comes from outside is checked once, at the door: YAML files, strict models, ranges that state themselves."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict

from moeconomics.errors import BadInput

# libyaml's parser where PyYAML was built with it: catalogues are read at every start.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def is_yaml(name: str) -> bool:
    """Whether a name is that of a YAML file and not of a catalogue entry."""
    return name.lower().endswith((".yaml", ".yml"))


def read_yaml(path: Path) -> Any:
    """Parse a YAML file. Errors: `BadInput` naming the file, and the line of a syntax error."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or a date as 2026-13-01
        raise BadInput(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


class Strict(BaseModel):
    """Frozen, and a field it does not know is an error."""

    # YAML reads a name like 4090 or a date like 2026 as a number.
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


def within(low: float, high: float, unit: str) -> AfterValidator:
    """A range that states itself when it is left; NaN and infinity are outside every range."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be from {low:g} to {high:g} {unit}")
        return value

    return AfterValidator(check)
