"""The fitted-law file: a law's name with coefficients from one's own runs, and draws for intervals.

JSON: `law` (a form in the registry), `coefficients`, `draws` (a list of coefficient sets, one a bootstrap
draw), `noise` (standard deviation of ln loss), `domain` (variable → [low, high] of the data), `data_sha256` (of the
runs table), `fit_error` in words.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from moeconomics.errors import BadInput, invalid
from moeconomics.laws.law import Law


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= ends[0] <= ends[1]:
        raise ValueError("a range is [low, high] with 0 <= low <= high")
    return ends


Range = Annotated[tuple[FiniteFloat, FiniteFloat], AfterValidator(_rising)]


class FittedLaw(BaseModel):
    """The file as it stands on disk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    law: str
    coefficients: dict[str, FiniteFloat]
    draws: list[dict[str, FiniteFloat]] = []
    noise: Annotated[FiniteFloat, Field(gt=0)] | None = None
    domain: dict[str, Range]
    data_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    fit_error: str


def load_fitted(path: Path, forms: dict[str, Law]) -> Law:
    """Read a fitted-law file and give the law with its own coefficients, draws and domain.

    Errors: `BadInput` for a file that can not be read, an unknown form, or coefficients that are not the form's or lie
    outside its bounds.
    """
    try:
        file = FittedLaw.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"law file {path}: {error.strerror}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise invalid(f"law file {path}", error) from error
    if file.law not in forms:
        raise BadInput(f"law file {path}: unknown law {file.law!r}. Known: {', '.join(sorted(forms))}")
    form = forms[file.law]
    wanted = set(form.coefficients)
    for number, found in enumerate([file.coefficients, *file.draws]):
        where = "coefficients" if number == 0 else f"draw {number}"
        if set(found) != wanted:
            raise BadInput(
                f"law file {path}: {where} has {', '.join(sorted(found))}; {file.law} needs {', '.join(sorted(wanted))}"
            )
        for name, bounds in form.parameters.items():
            slack = 1e-9 * max(abs(bounds.low), abs(bounds.high))
            if not bounds.low - slack <= found[name] <= bounds.high + slack:
                raise BadInput(
                    f"law file {path}: {where}: {name} = {found[name]:g} is outside {bounds.low:g} to {bounds.high:g}, "
                    f"where {file.law} has a meaning; fit it anew: moeconomics fit RUNS --law {file.law} -o {path}"
                )
    bounded = {*form.variables, *form.domain}
    if not set(file.domain) <= bounded:
        raise BadInput(f"law file {path}: domain may hold {', '.join(sorted(bounded))} only")
    draws = {name: np.array([draw[name] for draw in file.draws]) for name in wanted} if file.draws else None
    return replace(
        form,
        name=f"{file.law}:{path.name}",
        coefficients=file.coefficients,
        draws=draws,
        noise=file.noise,
        domain=file.domain,
        fit_error=file.fit_error,
        source=f"fitted to runs with sha256 {file.data_sha256[:12]}…; form: {form.source}",
    )
