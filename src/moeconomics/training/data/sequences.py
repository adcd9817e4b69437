"""What a training run reads: sequences in a seeded order, and the validation windows of every run alike."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from moeconomics.errors import BadInput
from moeconomics.training.data.corpus import Corpus, Ints


@dataclass(frozen=True)
class Sequences:
    """Training sequences: the packed stream is cut every `length` tokens, across documents.

    A sequence has `length` inputs and the token after each, so that every token but the first is a target once an
    epoch. Each epoch goes through all sequences in its own permutation of (seed, epoch), held at 8 bytes a sequence.
    The order is numpy's; numpy may change it between releases (NEP 19), so resume with the release a run began with.

    Errors: `BadInput` when the corpus is shorter than one sequence.
    """

    corpus: Corpus
    length: int
    seed: int

    def __post_init__(self) -> None:
        if self.length < 1 or self.seed < 0:
            raise BadInput(f"sequence length {self.length}, seed {self.seed}: from 1 on and from 0 on are allowed")
        if not len(self):
            raise BadInput(
                f"{self.corpus.folder} has {len(self.corpus.train)} training tokens, "
                f"a sequence of {self.length} needs {self.length + 1}: prepare more text or shorten the sequences"
            )

    def __len__(self) -> int:
        """Sequences of an epoch."""
        return (len(self.corpus.train) - 1) // self.length

    @property
    def unique_tokens(self) -> int:
        """Targets of an epoch; tokens beyond them are repeats."""
        return len(self) * self.length

    def epochs(self, index: int) -> float:
        """Epochs that lie before the sequence of that index; 0.5 is in the middle of the first."""
        return index / len(self)

    def batch(self, first: int, count: int) -> Ints:
        """Sequences `first` to `first + count` of the run, across epochs: (count, length + 1) token ids.

        A function of the seed and the index only: a run resumes where its number of sequences says.
        """
        epoch, place = np.divmod(np.arange(first, first + count), len(self))
        number = np.empty_like(place)
        for each in np.unique(epoch):
            here = epoch == each
            number[here] = _permutation(self.seed, int(each), len(self))[place[here]]
        return self.corpus.train.at(number[:, None] * self.length + np.arange(self.length + 1))


@lru_cache(maxsize=2)
def _permutation(seed: int, epoch: int, count: int) -> Ints:
    return np.random.default_rng([seed, epoch]).permutation(count)


@dataclass(frozen=True)
class Windows:
    """Validation text as (windows, length + 1) token ids, and the document that each target belongs to.

    The first target follows an end-of-document token; so every token of every document is a target once, its
    end-of-document token included. Where `document` is -1 the target only fills the last window and is not to count.
    """

    tokens: Ints
    document: Ints
    """(windows, length): the index of the target's document, or -1."""
    bytes_per_document: Ints
    """UTF-8 bytes of each whole document: bits per byte = sum of losses in nats / ln 2 / sum of these."""


def validation_windows(corpus: Corpus, length: int, max_tokens: int) -> Windows:
    """The first whole validation documents of at most `max_tokens` tokens, one at least, in windows.

    The same for every run on the corpus. Errors: `BadInput` when the corpus has no validation documents.
    """
    if length < 1:
        raise BadInput(f"sequence length {length}: from 1 on is allowed")
    ends = np.cumsum(corpus.validation.tokens_per_document)
    if not ends.size:
        raise BadInput(f"{corpus.folder} has no validation documents: prepare it with a validation_share above 0")
    documents = max(1, int(np.searchsorted(ends, max_tokens, side="right")))
    targets = int(ends[documents - 1])
    windows = -(-targets // length)
    stream = np.full(windows * length + 1, corpus.eod_id)
    stream[1 : targets + 1] = corpus.validation.tokens.at(np.arange(targets))
    document = np.full(windows * length, -1)
    document[:targets] = np.repeat(np.arange(documents), corpus.validation.tokens_per_document[:documents])
    return Windows(
        stream[np.arange(windows)[:, None] * length + np.arange(length + 1)],
        document.reshape(windows, length),
        corpus.validation.bytes_per_document[:documents],
    )
