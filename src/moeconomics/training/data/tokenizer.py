"""The tokenizer of a specification: trained here, bytes, a tokenizer.json or one from the Hugging Face Hub."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from moeconomics.errors import BadInput
from moeconomics.training.data.documents import Document
from moeconomics.training.data.spec import BYTES, TRAINED_BPE, DataSpec, needs_train_extra

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.models import Model

END = "<|endoftext|>"
# What published tokenizers call the end of a text: GPT-2, Llama 3, Llama 2 and Mistral, Gemma.
_ENDS = (END, "<|end_of_text|>", "</s>", "<eos>")
_PIECE = 2**20  # characters encoded at once: an encoding takes some 100 bytes a token


def load_tokenizer(spec: DataSpec, training_texts: Iterable[str]) -> "Tokenizer":
    """The tokenizer of a specification; `training_texts` are read only if it is trained here.

    Errors: `BadInput` for a file or a name that is no tokenizer.
    """
    with needs_train_extra("preparing data"):
        import tokenizers
    if trained := TRAINED_BPE.fullmatch(spec.tokenizer):
        tokenizer = _byte_level(tokenizers.models.BPE())
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=int(trained["size"]),
            special_tokens=[END],
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(training_texts, trainer)
    elif spec.tokenizer == BYTES:
        # GPT-2's stand-ins: a printable byte is itself, the others are U+0100 on, in order.
        printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
        others = iter(range(256, 512))
        vocabulary = {chr(byte if byte in printable else next(others)): byte for byte in range(256)}
        tokenizer = _byte_level(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
        tokenizer.add_special_tokens([END])
    else:
        tokenizer = _given(spec.tokenizer)
    tokenizer.encode_special_tokens = True  # a text that spells the end token is text
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def end_of_document(tokenizer: "Tokenizer", name: str) -> int:
    """The id that ends a document. Errors: `BadInput` when the tokenizer has none that is known."""
    for token in _ENDS:
        found = tokenizer.token_to_id(token)
        if found is not None:
            return found
    raise BadInput(f"tokenizer {name} has no end-of-document token; known: {', '.join(_ENDS)}: add one of them to it")


def vocabulary_size(tokenizer: "Tokenizer") -> int:
    """One more than the largest id: what an embedding table needs."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1


def largest_vocabulary(spec: DataSpec) -> int:
    """The most entries that the tokenizer of a specification can have, known before any text is read.

    Errors: `BadInput` for a file or a name that is no tokenizer.
    """
    if trained := TRAINED_BPE.fullmatch(spec.tokenizer):
        return int(trained["size"])
    return vocabulary_size(load_tokenizer(spec, ()))


def encode(tokenizer: "Tokenizer", documents: Iterable[Document]) -> Iterator[tuple[Document, npt.NDArray[np.int64]]]:
    """Token ids of each document, without special tokens, about a million characters at a time.

    A longer text is encoded in pieces of that length: it decodes to itself, with another token or two at a seam.
    """
    pieces = (
        (document, document.text[start : start + _PIECE], start + _PIECE >= len(document.text))
        for document in documents
        for start in range(0, max(1, len(document.text)), _PIECE)
    )
    parts = []
    for batch in _filled(pieces):
        encodings = tokenizer.encode_batch_fast([piece for _, piece, _ in batch], add_special_tokens=False)
        for encoding, (document, _, is_last) in zip(encodings, batch, strict=True):
            parts.append(np.array(encoding.ids, np.int64))
            if is_last:
                yield document, np.concatenate(parts)
                parts = []


_Piece = tuple[Document, str, bool]


def _filled(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    batch: list[_Piece] = []
    characters = 0
    for piece in pieces:
        batch.append(piece)
        characters += len(piece[1]) + 1  # empty texts fill a batch too
        if characters > _PIECE:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _byte_level(model: "Model") -> "Tokenizer":
    from tokenizers import Tokenizer, decoders, pre_tokenizers

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _given(name: str) -> "Tokenizer":
    from tokenizers import Tokenizer

    is_file = name.endswith(".json")
    try:
        return Tokenizer.from_file(name) if is_file else Tokenizer.from_pretrained(name)
    except Exception as error:  # tokenizers raises bare Exceptions
        advice = "a tokenizer.json of `tokenizers` is wanted" if is_file else "check the name and the network"
        raise BadInput(f"tokenizer {name}: {error}; {advice}") from error


def tokenizer_fingerprint(spec: DataSpec) -> str:
    """The content of a tokenizer file; empty for the other kinds. Errors: `BadInput` when it can not be read."""
    if not spec.tokenizer.endswith(".json"):
        return ""
    try:
        return Path(spec.tokenizer).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise BadInput(f"tokenizer {spec.tokenizer}: {error}; a tokenizer.json of `tokenizers` is wanted") from error
