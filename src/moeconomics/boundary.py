"""What comes from outside is checked once, at the door: strict models and ranges that state themselves."""

from pydantic import AfterValidator, BaseModel, ConfigDict


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
