"""Text to token shards that a training run reads by position, and that say where they are from.

In: a `DataSpec`: the standard library of the running Python (no network), text, JSONL and parquet files, Hugging
Face datasets; a tokenizer. Out: a `Corpus` on disk, checked when it is opened; training `Sequences` in an order that
is a function of a seed; fixed validation `Windows` that know their documents. Theory: none; the loss that the laws
predict is measured on documents that training never sees.
"""

from moeconomics.training.data.corpus import Corpus, Ints, Tokens, Validation, open_corpus
from moeconomics.training.data.manifest import Manifest
from moeconomics.training.data.prepare import prepare
from moeconomics.training.data.sequences import Sequences, Windows, validation_windows
from moeconomics.training.data.spec import DataSpec
from moeconomics.training.data.tokenizer import largest_vocabulary

__all__ = [
    "Corpus",
    "DataSpec",
    "Ints",
    "Manifest",
    "Sequences",
    "Tokens",
    "Validation",
    "Windows",
    "largest_vocabulary",
    "open_corpus",
    "prepare",
    "validation_windows",
]
