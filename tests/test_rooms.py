"""Imports go one way: a room may import itself and the rooms before it, never a later one."""

import ast
from pathlib import Path

import pytest

import moeconomics

SOURCE = Path(moeconomics.__file__).parent
FOUNDATION = {"boundary", "errors", "plugins", "units"}
# What each room may import besides the foundation; DEVELOPERS' guide, "Rooms".
MAY_IMPORT = {
    "shapes": set(),
    "laws": {"shapes"},
    "runs": {"shapes"},
    "fit": {"shapes", "laws", "runs"},
    "hardware": set(),
    "serving": {"shapes", "hardware"},
    "profiling": {"shapes", "hardware", "serving"},
    "calibration": {"shapes", "hardware", "serving"},
    "training": {"shapes", "runs"},
    "sweeps": {"shapes", "runs", "hardware", "training"},
    "planning": {"shapes", "laws", "runs", "fit", "hardware", "serving"},
    "reproduction": {"shapes", "laws", "runs", "fit", "hardware", "serving", "planning"},
    "verification": {"shapes", "laws", "runs", "hardware", "profiling", "training", "sweeps", "planning"},
    "reports": {"shapes", "laws", "runs", "fit", "hardware", "serving", "planning", "reproduction", "verification"},
}


def imported_rooms(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("moeconomics.")}
    return found


def test_every_room_is_listed():
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == MAY_IMPORT.keys() | {"cli"}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_earlier_rooms(room):
    for file in (SOURCE / room).rglob("*.py"):
        later = imported_rooms(file) - MAY_IMPORT[room] - FOUNDATION - {room}
        assert not later, f"{file.relative_to(SOURCE)} imports {', '.join(sorted(later))}"


@pytest.mark.parametrize("room", [*MAY_IMPORT, "cli"])
def test_a_room_says_what_comes_in_and_what_goes_out(room):
    docstring = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert "In:" in docstring
    assert "Out:" in docstring
