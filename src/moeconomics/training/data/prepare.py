"""`prepare`: text to token shards and a manifest, whole or not at all."""

import hashlib
import json
import math
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from moeconomics.errors import BadInput
from moeconomics.training.data.corpus import Corpus, open_corpus
from moeconomics.training.data.documents import Document, fill_buffer, shuffled, split
from moeconomics.training.data.manifest import (
    FILE,
    Manifest,
    Order,
    TokenFile,
    TokenizerFacts,
    TrainFacts,
    ValidationFacts,
)
from moeconomics.training.data.sources import Source, open_source
from moeconomics.training.data.spec import TRAINED_BPE, DataSpec, needs_train_extra
from moeconomics.training.data.tokenizer import (
    encode,
    end_of_document,
    load_tokenizer,
    tokenizer_fingerprint,
    vocabulary_size,
)

SHARD_TOKENS = 2**26  # 134 MB at two bytes a token
BUFFER_BYTES = 128_000_000  # of text that is shuffled at once, and that a BPE is trained on


def prepare(spec: DataSpec, folder: Path) -> Corpus:
    """Make the corpus of a specification in a folder of its own below `folder`, or reuse the one that is there.

    The folder is named by a hash of the specification and of the files it reads (name, size, time). Documents are
    shuffled in a buffer of `BUFFER_BYTES`; a BPE is trained on the training documents that fill it first. In memory
    are the buffer and one document however long. Exact copies of a document are on one side of the split; near
    copies may be on both.

    Errors: `BadInput` for a source or tokenizer that can not be read, a split without documents on one side, a
    folder that can not be written or an existing corpus that is not what its manifest says.
    """
    with needs_train_extra("preparing data"):
        from filelock import FileLock
    source = open_source(spec)
    key = json.dumps([spec.model_dump_json(), source.name, source.fingerprint, tokenizer_fingerprint(spec)])
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    prepared, partial = folder / name, folder / f".{name}.partial"
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            if not prepared.exists():
                shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
                try:
                    partial.mkdir()
                    _write(spec, source, partial)
                    partial.rename(prepared)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
    return open_corpus(prepared)


def _write(spec: DataSpec, source: Source, folder: Path) -> None:
    """Fill a folder: tokenizer, shards, validation, manifest."""
    documents = split(source.documents, spec.validation_share, spec.seed)
    buffer, whole = fill_buffer(documents, BUFFER_BYTES)
    training = [document for document in buffer if not document.is_validation]
    trained = bool(TRAINED_BPE.fullmatch(spec.tokenizer))
    tokenizer = load_tokenizer(spec, (document.text for document in training))
    content = tokenizer.to_str(pretty=True).encode()
    (folder / "tokenizer.json").write_bytes(content)
    tokenizer_facts = TokenizerFacts(
        file="tokenizer.json",
        sha256=hashlib.sha256(content).hexdigest(),
        vocab_size=vocabulary_size(tokenizer),
        eod_id=end_of_document(tokenizer, spec.tokenizer),
        trained_on_documents=len(training) if trained else None,
        trained_on_bytes=sum(document.bytes_text for document in training) if trained else None,
    )
    del training  # else it keeps the texts that the shuffle lets go
    dtype: Literal["uint16", "uint32"] = "uint16" if tokenizer_facts.vocab_size <= 2**16 else "uint32"
    with (
        _Writer(folder, "train-{:05d}.bin", dtype, spec.max_tokens or math.inf, SHARD_TOKENS) as train,
        _Writer(
            folder, "validation.bin", dtype, spec.max_validation_tokens if spec.validation_share else 0
        ) as validation,
    ):

        def wanted() -> Iterator[Document]:
            for document in shuffled(buffer, documents, spec.seed):
                if train.full and validation.full:
                    return
                if not (validation if document.is_validation else train).full:
                    yield document

        for document, ids in encode(tokenizer, wanted()):
            part = validation if document.is_validation else train
            if not part.full:  # documents are encoded some at once
                part.add(np.append(ids, tokenizer_facts.eod_id), document.bytes_text)
    empty = "training" if not train.documents else "validation" if not validation.documents else ""
    if empty == "training" or (empty and spec.validation_share):
        raise BadInput(
            f"{source.name}: none of {len(train.documents) + len(validation.documents)} documents is for {empty} "
            f"with validation_share {spec.validation_share:g} and seed {spec.seed}: give more or shorter documents"
            + (", or validation_share 0 to train without validation" if empty == "validation" else "")
        )
    manifest = Manifest(
        spec=spec,
        source=source.name,
        licence=source.licence,
        files_left_out=source.left_out,
        tokenizer=tokenizer_facts,
        order=Order(seed=spec.seed, buffer_bytes=BUFFER_BYTES, whole=whole),
        dtype=dtype,
        train=TrainFacts(
            documents=len(train.documents),
            tokens=train.tokens,
            bytes_text=sum(size for _, size in train.documents),
            shards=train.files,
        ),
        validation=ValidationFacts(
            tokens=validation.files[0],
            tokens_per_document=[tokens for tokens, _ in validation.documents],
            bytes_per_document=[size for _, size in validation.documents],
        ),
        made_with={"python": platform.python_version()}
        | {package: version(package) for package in ("moeconomics", "tokenizers")},
    )
    (folder / FILE).write_text(manifest.sealed().model_dump_json(indent=1) + "\n", encoding="utf-8")


class _Writer:
    """Token files of at most `file_tokens`, named by a pattern and their number; a document may span two.

    `full`: the document that reached `max_tokens` is in.
    """

    def __init__(
        self, folder: Path, pattern: str, dtype: str, max_tokens: float, file_tokens: float = math.inf
    ) -> None:
        self._folder, self._pattern, self._max_tokens, self._file_tokens = folder, pattern, max_tokens, file_tokens
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self.files: list[TokenFile] = []
        self.documents: list[tuple[int, int]] = []
        """(tokens, bytes of the text) of each."""
        self.tokens = 0

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def full(self) -> bool:
        return self.tokens >= self._max_tokens

    def add(self, ids: npt.NDArray[np.int64], bytes_text: int) -> None:
        self.documents.append((len(ids), bytes_text))
        self.tokens += len(ids)
        while len(ids):
            if self._held >= self._file_tokens:
                self._close()
                self._open()
            here = ids[: int(min(len(ids), self._file_tokens - self._held))]
            data = here.astype(self._dtype).tobytes()
            self._file.write(data)
            self._sha256.update(data)
            self._held += len(here)
            ids = ids[len(here) :]

    def _open(self) -> None:
        self._file = (self._folder / self._pattern.format(len(self.files))).open("wb")
        self._sha256 = hashlib.sha256()
        self._held = 0

    def _close(self) -> None:
        self._file.close()
        name = Path(self._file.name).name
        self.files.append(TokenFile(file=name, tokens=self._held, sha256=self._sha256.hexdigest()))


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # what reading raises is BadInput by now
        raise BadInput(f"can not write to {folder}: {error.strerror or error}; nothing was kept there") from error
