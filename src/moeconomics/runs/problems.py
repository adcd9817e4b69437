"""What is wrong with a table, collected so that one message names every place."""

from moeconomics.errors import BadInput

SHOWN = 10


class Problems:
    """Collects what is wrong by row; `refuse` raises once, with the first ten and how many more there are."""

    def __init__(self, name: str, places: list[str]) -> None:
        self._name = name
        self._places = places
        self._found: dict[tuple[int, str], str] = {}

    def add(self, row: int, column: str, message: str) -> None:
        """Note one cell; the first message about a cell stands, as later ones follow from it."""
        self._found.setdefault((row, column), f"{self._places[row]}, {column}: {message}")

    def place(self, row: int) -> str:
        """Where a row is in its file: "line 3"."""
        return self._places[row]

    def refuse(self) -> None:
        """Errors: `BadInput` if anything was added."""
        if not self._found:
            return
        texts = [self._found[key] for key in sorted(self._found)]
        more = f"; and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
        raise BadInput(f"{self._name}: {'; '.join(texts[:SHOWN])}{more}")
