"""A user's own laws, chips and cost models, found through installed entry points."""

from collections.abc import Container
from importlib.metadata import entry_points
from typing import Any

from moeconomics.errors import BadInput


def installed(group: str, kind: type, taken: Container[str]) -> dict[str, Any]:
    """Load the objects that installed packages offer under the entry-point `group`, by entry-point name.

    Errors: `BadInput` when one can not be loaded, is no `kind`, or has a name that is `taken` by our own.
    """
    found: dict[str, Any] = {}
    for entry in entry_points(group=group):
        where = f"entry point {entry.name!r} ({entry.value}) of {group}"
        if entry.name in taken:
            raise BadInput(f"{where}: the name is taken by moeconomics itself; choose another")
        try:
            thing = entry.load()
        except Exception as error:  # whatever a stranger's module raises, it is not our traceback to show
            raise BadInput(f"{where} can not be loaded: {type(error).__name__}: {error}") from error
        if not isinstance(thing, kind):
            raise BadInput(f"{where} is no {kind.__name__}")
        found[entry.name] = thing
    return found
