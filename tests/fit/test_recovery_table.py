"""The table of known fits in docs/fit.md is what the code gives."""

import importlib.util
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "fit.md"


def test_the_committed_table_is_the_codes(shared_folder, monkeypatch):
    monkeypatch.setenv("MOECONOMICS_DATA", str(shared_folder / "data" / "losses"))
    found = importlib.util.spec_from_file_location("recovery", PAGE.with_name("recovery.py"))
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    assert module.START + module.table() + module.END in PAGE.read_text(encoding="utf-8")
