"""Errors a user can cause or meet. Each says what was given, what is allowed and what to do next.

The command line prints the message without a traceback and ends with `exit_code`.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError


class MoeconomicsError(ValueError):
    """Base of every expected failure."""

    exit_code = 2


class BadInput(MoeconomicsError):
    """The question itself is wrong: a name, a number or a file."""


class Infeasible(MoeconomicsError):
    """The question is sound and has no answer; `binding` names the constraint that excludes one."""

    exit_code = 3

    def __init__(self, message: str, *, binding: str) -> None:
        super().__init__(message)
        self.binding = binding


def unknown_name(kind: str, given: str, known: Iterable[str]) -> BadInput:
    """Build the error for a name that is not in `known`, with the nearest valid one."""
    names = sorted(known)
    folded = {name.casefold(): name for name in names}
    begun = [name for name in folded if given and name.startswith(given.casefold())]
    near = get_close_matches(given.casefold(), folded, n=1, cutoff=0.5) or begun
    hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
    return BadInput(f"unknown {kind} {given!r}.{hint} Known: {', '.join(names)}")


def invalid(what: str, error: ValueError, fields: Iterable[str] = ()) -> BadInput:
    """Turn a pydantic error into sentences: the field, what was given and what is allowed.

    `fields`: the valid top-level names, so that a misspelt one is answered with the nearest.
    """
    if not isinstance(error, ValidationError):
        return BadInput(f"{what}: {error}")
    found = []
    for detail in error.errors():
        name = ".".join(str(part) for part in detail["loc"]) or "the file"
        if detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1 and fields:
            found.append(str(unknown_name("field", name, fields)))
            continue
        given = "" if isinstance(detail["input"], dict | list) else f" (given: {detail['input']!r})"
        found.append(f"{name}: {detail['msg'].removeprefix('Value error, ')}{given}")
    return BadInput(f"{what}: {'; '.join(found)}")
