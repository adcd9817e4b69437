"""How answers are printed: tables for people, JSON for programs, and files that are whole or not there."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from moeconomics.errors import BadInput

Advance = Callable[[float, float, str], None]  # done, of, words
WIDE = 240  # columns where the output is no terminal and has no width of its own


def _console() -> Console:
    """The standard output of this moment, which tests and pipes exchange."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)


def print_json(answer: Any) -> None:
    """Write plain values as JSON on standard output; NaN can not slip through."""
    typer.echo(json_text(answer))


def json_text(answer: Any) -> str:
    """JSON with unknown as null; raises on NaN and infinity."""
    return json.dumps(answer, indent=2, ensure_ascii=False, allow_nan=False)


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    text_columns: int = 1,
    can_drop: Sequence[str] = (),
) -> None:
    """Print a table; all but the first `text_columns` columns are aligned to the right.

    Columns in `can_drop` go, one after the other, while the terminal is too narrow for the whole table.
    """
    console = _console()
    dropped: list[str] = []
    for name in (None, *can_drop):
        if name is not None:
            dropped.append(name)
        made = Table(box=None, pad_edge=False)
        kept = [number for number, column in enumerate(columns) if column not in dropped]
        for number in kept:
            made.add_column(columns[number], justify="left" if number < text_columns else "right", overflow="fold")
        for row in rows:
            made.add_row(*(Text(row[number]) for number in kept))
        needed = console.measure(made, options=console.options.update(max_width=10 * WIDE)).maximum
        if needed <= console.width:
            break
    say(title, "bold")
    console.print(made)
    if dropped:
        say(f"A wider terminal shows {', '.join(dropped)} too.", "dim")


def say(text: str, style: str = "") -> None:
    """Print a paragraph; lines are broken for a terminal only."""
    console = _console()
    console.print(Text(text, style=style), soft_wrap=not console.is_terminal)


@contextmanager
def progress_bar(what: str, *, counted: bool = True) -> Iterator[Advance]:
    """A bar on the terminal's error output; it yields `advance(done, of, words)`. Nothing is drawn into a file.

    `counted`: done and of are shown too, as they count something.
    """
    console = Console(stderr=True)
    count = [MofNCompleteColumn()] if counted else []
    columns = (TextColumn("{task.description}"), BarColumn(), *count, TimeRemainingColumn())
    with Progress(
        *columns, TextColumn("{task.fields[words]}"), console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None, words="")
        yield lambda done, of, words: bar.update(task, completed=done, total=of, words=words)


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Say how to install what is imported inside. Errors: `BadInput` naming the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise BadInput(f"{what} needs {error.name}: pip install 'moeconomics[{extra}]'") from error


def needs_vllm(python: Path, otherwise: str = "") -> None:
    """Say how to get an environment with vLLM, and what does without. Errors: `BadInput` where `python` is none."""
    if not python.exists():
        raise BadInput(
            f"there is no vLLM at {python}: `make vllm-env` makes .venv-vllm, --vllm names the Python of another "
            f"environment that has vLLM{otherwise}"
        )


def write_files(folder: Path, contents: Mapping[str, str | bytes]) -> None:
    """Write each file whole: under a temporary name first, then renamed over the old one.

    Errors: `BadInput` with the path when the folder can not be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content if isinstance(content, bytes) else content.encode())
                Path(temporary).chmod(0o644)
                Path(temporary).replace(folder / name)
            except OSError:
                Path(temporary).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise BadInput(f"can not write to {folder}: {error.strerror}") from error
