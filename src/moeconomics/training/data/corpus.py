"""`open_corpus`: a prepared folder, checked, with its tokens mapped into memory."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moeconomics.errors import BadInput
from moeconomics.training.data.manifest import Manifest, TokenFile, again, read_manifest

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tokens:
    """Tokens of several files as one sequence; nothing is read before it is asked for."""

    files: tuple[npt.NDArray[np.unsignedinteger], ...]

    def __len__(self) -> int:
        return int(self._ends[-1]) if self.files else 0

    def at(self, positions: Ints) -> Ints:
        """The tokens at global positions, of the same shape. Errors: `IndexError` outside [0, len)."""
        if positions.size and not 0 <= positions.min() <= positions.max() < len(self):
            raise IndexError(f"positions {positions.min()} to {positions.max()} of {len(self)} tokens")
        found = np.empty(positions.shape, np.int64)
        holder = np.searchsorted(self._ends, positions, side="right")
        for number in np.unique(holder):
            here = holder == number
            file = self.files[number]
            found[here] = file[positions[here] - (self._ends[number] - len(file))]
        return found

    @cached_property
    def _ends(self) -> Ints:
        return np.cumsum([len(file) for file in self.files], dtype=np.int64)


@dataclass(frozen=True)
class Validation:
    """Documents that training never sees, in the order of `tokens`."""

    tokens: Tokens
    tokens_per_document: Ints
    """The end-of-document token included."""
    bytes_per_document: Ints
    """Of the text in UTF-8."""


@dataclass(frozen=True)
class Corpus:
    """A prepared corpus: `train` and `validation` hold different documents."""

    folder: Path
    manifest: Manifest
    train: Tokens
    validation: Validation

    @property
    def vocab_size(self) -> int:
        """One more than the largest token id."""
        return self.manifest.tokenizer.vocab_size

    @property
    def eod_id(self) -> int:
        """The token that ends every document."""
        return self.manifest.tokenizer.eod_id

    @property
    def tokenizer_file(self) -> Path:
        """A tokenizer.json of `tokenizers`."""
        return self.folder / self.manifest.tokenizer.file

    def check_vocabulary(self, vocab_size: int) -> None:
        """Errors: `BadInput` when a model with that many embeddings has none for some token of the corpus."""
        if vocab_size < self.vocab_size:
            raise BadInput(
                f"the model has {vocab_size} embeddings, {self.tokenizer_file} has {self.vocab_size} entries: "
                f"set the model's vocabulary to {self.vocab_size} or more, or prepare the data with a smaller one"
            )


def open_corpus(folder: Path) -> Corpus:
    """Open what `prepare` wrote; every file's size and sha256 is checked.

    Errors: `BadInput` with the file for one that is missing, cut off or changed, or a manifest that does not match.
    """
    manifest = read_manifest(folder)
    train, validation = manifest.train, manifest.validation
    consistent = (
        train.tokens == sum(shard.tokens for shard in train.shards)
        and validation.tokens.tokens == sum(validation.tokens_per_document)
        and len(validation.tokens_per_document) == len(validation.bytes_per_document)
        and manifest.tokenizer.eod_id < manifest.tokenizer.vocab_size <= 1 << 8 * np.dtype(manifest.dtype).itemsize
    )
    if not consistent:
        raise BadInput(f"{folder}: the manifest contradicts itself; {again(folder)}")
    _check(folder, manifest.tokenizer.file, manifest.tokenizer.sha256)
    return Corpus(
        folder,
        manifest,
        Tokens(tuple(_mapped(folder, shard, manifest) for shard in train.shards)),
        Validation(
            Tokens((_mapped(folder, validation.tokens, manifest),)),
            np.array(validation.tokens_per_document, np.int64),
            np.array(validation.bytes_per_document, np.int64),
        ),
    )


def _mapped(folder: Path, part: TokenFile, manifest: Manifest) -> npt.NDArray[np.unsignedinteger]:
    dtype = np.dtype(manifest.dtype).newbyteorder("<")
    _check(folder, part.file, part.sha256, size=part.tokens * dtype.itemsize)
    if not part.tokens:
        return np.empty(0, dtype)  # an empty file can not be mapped
    return np.memmap(folder / part.file, dtype, mode="r")


def _check(folder: Path, name: str, sha256: str, size: int | None = None) -> None:
    path = folder / name
    try:
        there = path.stat().st_size
        if size not in (None, there):
            raise BadInput(f"{path} has {there} bytes, the manifest says {size}: it was cut off; {again(folder)}")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; {again(folder)}") from error
    if digest != sha256:
        raise BadInput(f"{path} was changed: its sha256 is not the manifest's; {again(folder)}")
