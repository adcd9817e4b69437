"""`DataSpec`: which text, which tokenizer, how much of it, and what is kept apart for validation."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import Field, field_validator

from moeconomics.boundary import Strict
from moeconomics.errors import BadInput

STDLIB = "python-stdlib"
SLIMPAJAMA = "slimpajama"
HUB_SOURCE = re.compile(r"hf:(?P<name>[\w.-]+/[\w.-]+)(:(?P<config>[\w.-]+))?")
TRAINED_BPE = re.compile(r"bpe-(?P<size>\d+)")
BYTES = "bytes"
SMALLEST_BPE = 257  # 256 bytes and the end of a document


class DataSpec(Strict):
    """What `prepare` makes a corpus of. The default needs no network."""

    source: str = STDLIB
    """"python-stdlib", "slimpajama" (Yun et al. 2024 train on it), "hf:owner/name" or "hf:owner/name:config", or the
    path of a file or a folder: text, .jsonl (also .gz, .zst), .parquet, or a dataset that `datasets` saved."""
    text_column: str = "text"
    """The text's name in JSONL, parquet and Hugging Face records."""
    tokenizer: str = "bpe-2048"
    """"bpe-N": a byte-level BPE of at most N entries, trained on the training documents; "bytes"; the path of a
    tokenizer.json; or a name on the Hugging Face Hub."""
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    """Training tokens, to the end of the document that reaches them; null: all there are. Reading stops once the
    validation tokens are there too, which are the same whatever this is."""
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of documents kept for validation. A hash of the text and the seed decides, so neither the order nor a
    second copy of a document moves it to the other side."""
    max_validation_tokens: Annotated[int, Field(gt=0)] = 1_000_000
    """Validation tokens, to the end of the document that reaches them; further ones are not trained on either."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides the validation documents and the order of all."""
    licence: str | None = None
    """Of the text. Null: what is known of a built-in source, or unknown."""

    @field_validator("source")
    @classmethod
    def _source_has_a_form(cls, value: str) -> str:
        if not value or (value.startswith("hf:") and not HUB_SOURCE.fullmatch(value)):
            raise ValueError(f"a source is {STDLIB}, {SLIMPAJAMA}, hf:owner/name, hf:owner/name:config or a path")
        return value

    @field_validator("tokenizer")
    @classmethod
    def _bpe_holds_every_byte(cls, value: str) -> str:
        found = TRAINED_BPE.fullmatch(value)
        if not value or (found and int(found["size"]) < SMALLEST_BPE):
            raise ValueError(
                f"a tokenizer is bpe-N with N from {SMALLEST_BPE} on, {BYTES}, a path of a tokenizer.json or a Hub name"
            )
        return value


@contextmanager
def needs_train_extra(what: str) -> Iterator[None]:
    """Say how to install what is imported inside."""
    try:
        yield
    except ImportError as error:
        raise BadInput(f"{what} needs {error.name}: pip install 'moeconomics[train]'") from error
