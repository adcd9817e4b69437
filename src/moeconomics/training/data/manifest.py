"""The manifest of a corpus: what it is made of, what it holds, and the sha256 by which all of it is checked."""

import hashlib
from pathlib import Path
from typing import Literal

from moeconomics.boundary import Strict
from moeconomics.errors import BadInput, invalid
from moeconomics.training.data.spec import DataSpec

FILE = "manifest.json"


class TokenFile(Strict):
    """A file of tokens, one after the other, little-endian."""

    file: str
    tokens: int
    sha256: str


class TokenizerFacts(Strict):
    """The tokenizer. `trained_on_documents` and their bytes are null when it was not trained here."""

    file: str
    sha256: str
    vocab_size: int
    eod_id: int
    trained_on_documents: int | None
    trained_on_bytes: int | None


class Order(Strict):
    """How documents were shuffled: drawn by the seed from a buffer that is refilled as documents are read.

    `whole`: all documents were in the buffer at once, so that every order was equally likely.
    """

    seed: int
    buffer_bytes: int
    whole: bool


class TrainFacts(Strict):
    """Training documents, each ended by `eod_id`, in shards. Bytes are of the text in UTF-8."""

    documents: int
    tokens: int
    bytes_text: int
    shards: list[TokenFile]


class ValidationFacts(Strict):
    """Validation documents in one file: tokens of each (its `eod_id` included) and bytes of its text in UTF-8."""

    tokens: TokenFile
    tokens_per_document: list[int]
    bytes_per_document: list[int]


class Manifest(Strict):
    """All that is known of a corpus. Two preparations that agree in `sha256` hold the same tokens."""

    format: Literal[1] = 1
    spec: DataSpec
    source: str
    licence: str | None
    files_left_out: list[str]
    tokenizer: TokenizerFacts
    order: Order
    dtype: Literal["uint16", "uint32"]
    train: TrainFacts
    validation: ValidationFacts
    made_with: dict[str, str]
    sha256: str = ""
    """Of this manifest without the field itself."""

    def sealed(self) -> "Manifest":
        """The manifest with its own sha256."""
        content = self.model_dump_json(exclude={"sha256"})
        return self.model_copy(update={"sha256": hashlib.sha256(content.encode()).hexdigest()})


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a prepared folder. Errors: `BadInput` when it is not there, broken or edited."""
    path = folder / FILE
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; a prepared corpus is a folder with a {FILE}") from error
    except ValueError as error:
        raise BadInput(f"{invalid(str(path), error)}; {again(folder)}") from error
    if manifest.sealed() != manifest:
        raise BadInput(f"{path} was changed after it was written: its sha256 does not match; {again(folder)}")
    return manifest


def again(folder: Path) -> str:
    """What to do with a corpus that is not what its manifest says."""
    return f"delete {folder} and prepare it again"
