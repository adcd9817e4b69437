"""Checkpoints of a run: complete, whole or not there, and enough to go on bit for bit."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from safetensors import SafetensorError
from transformers import PreTrainedModel
from transformers.utils import logging

from moeconomics.errors import BadInput


class DiskFull(BadInput):
    """A checkpoint or a result could not be written; what was written before is whole."""


class Checkpoints:
    """Folders named `<stretch>-<step>` that appear by a rename, so that every one that is there is complete.

    Two are kept: the latest, and the one at the start of the present stretch, where the trunk goes on after a branch.
    Each holds what Accelerate saves: model, optimiser and the state of every random generator; the name says the rest.
    """

    def __init__(self, folder: Path, accelerator: Accelerator):
        self.folder = folder
        self.accelerator = accelerator

    def latest(self) -> tuple[int, int] | None:
        """(stretch, step) of the last complete checkpoint, or None."""
        return max(self._all(), default=None)

    def save(self, stretch: int, step: int, first: int) -> None:
        """Save; errors: `DiskFull`, with nothing half-made, so that there is room for a row that says so."""
        target = self._path(stretch, step)
        if target.exists():
            return
        half = self.folder / "half-made"
        with disk_errors(self.folder):
            if self.accelerator.is_main_process:
                shutil.rmtree(half, ignore_errors=True)
                half.mkdir(parents=True)
            self.accelerator.wait_for_everyone()
            try:
                self.accelerator.save_state(str(half))
            except BaseException:
                shutil.rmtree(half, ignore_errors=True)
                raise
            self.accelerator.wait_for_everyone()
            if self.accelerator.is_main_process:
                half.rename(target)
                for old in self._all() - {(stretch, step), (stretch, first)}:
                    shutil.rmtree(self._path(*old))
            self.accelerator.wait_for_everyone()

    def load(self, stretch: int, step: int) -> None:
        """Put model, optimiser and random generators back where they were."""
        self.accelerator.load_state(str(self._path(stretch, step)))

    def clear(self) -> None:
        """Remove all, when the run is over."""
        if self.accelerator.is_main_process:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, stretch: int, step: int) -> Path:
        return self.folder / f"{stretch}-{step}"

    def _all(self) -> set[tuple[int, int]]:
        names = [path.name.split("-") for path in self.folder.glob("[0-9]*-[0-9]*")]
        return {(int(stretch), int(step)) for stretch, step in names}


def write_whole(path: Path, text: str) -> None:
    """Write a small file by a rename, so that it is whole or not there."""
    half = path.with_name(f".{path.name}.half")
    half.write_text(text + "\n", encoding="utf-8")
    half.replace(path)


def save_checkpoint(model: PreTrainedModel, state: dict[str, Any], tokenizer: Path, target: Path) -> None:
    """A folder that transformers opens: config.json, model.safetensors, tokenizer.json."""
    half = target.with_name(f".{target.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    weights = {name.removeprefix("model."): tensor for name, tensor in state.items()}
    with no_bar():
        model.save_pretrained(half, state_dict=weights)
    shutil.copy(tokenizer, half / "tokenizer.json")
    shutil.rmtree(target, ignore_errors=True)
    half.rename(target)


@contextmanager
def no_bar() -> Iterator[None]:
    """Without transformers' progress bar, which would break ours."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a failed write, of whatever library, into `DiskFull` in words."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        # torch reports a full disk as an error among others
        if isinstance(error, RuntimeError) and not any(word in str(error) for word in ("write", "I/O", "space")):
            raise
        raise DiskFull(
            f"can not write to {folder}: {error}. Free some space and start the same command again: a training run "
            f"goes on from its last checkpoint"
        ) from error
