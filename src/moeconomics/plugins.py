"""A user's own laws, chips and cost models, found through installed entry points."""

from importlib.metadata import entry_points
from typing import Any

from moeconomics.errors import BadInput


def installed(group: str, kind: type) -> dict[str, Any]:
    """Load the objects that installed packages offer under the entry-point `group`, by entry-point name.

    Errors: `BadInput` when an entry point gives something other than `kind`.
    """
    found: dict[str, Any] = {}
    for entry in entry_points(group=group):
        thing = entry.load()
        if not isinstance(thing, kind):
            raise BadInput(f"entry point {entry.value!r} of {group} is no {kind.__name__}")
        found[entry.name] = thing
    return found
