"""Which side of the split a document is on, and the order in which documents come."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from moeconomics.errors import BadInput

_OBJECT_BYTES = 200  # what a document takes beside its text, so that short ones fill a buffer too


@dataclass(frozen=True)
class Document:
    """A text, its size in UTF-8 and its side."""

    text: str
    bytes_text: int
    is_validation: bool


def split(documents: Iterable[tuple[str, str]], validation_share: float, seed: int) -> Iterator[Document]:
    """Put each (text, place) on the side that a hash of the text and the seed says.

    Errors: `BadInput` with the place for a text that is not Unicode.
    """
    for text, place in documents:
        try:
            data = text.encode()
        except UnicodeError as error:  # JSON can spell half a surrogate pair
            raise BadInput(f"{place}: {error}; remove the character or the document") from error
        drawn = int.from_bytes(blake2b(data, digest_size=8, key=str(seed).encode()).digest()) / 2**64
        yield Document(text, len(data), drawn < validation_share)


def fill_buffer(documents: Iterator[Document], buffer_bytes: int) -> tuple[list[Document], bool]:
    """The first documents, until they take `buffer_bytes`; and whether these are all."""
    buffer: list[Document] = []
    held = 0
    for document in documents:
        buffer.append(document)
        held += document.bytes_text + _OBJECT_BYTES
        if held > buffer_bytes:
            return buffer, False
    return buffer, True


def shuffled(buffer: list[Document], rest: Iterator[Document], seed: int) -> Iterator[Document]:
    """Draw documents from the buffer, which takes in the rest as they come and never grows beyond its bytes."""
    generator = random.Random(seed)
    held = bound = sum(document.bytes_text + _OBJECT_BYTES for document in buffer)
    for document in rest:
        buffer.append(document)
        held += document.bytes_text + _OBJECT_BYTES
        while held > bound:
            place = generator.randrange(len(buffer))
            buffer[place], buffer[-1] = buffer[-1], buffer[place]
            drawn = buffer.pop()
            held -= drawn.bytes_text + _OBJECT_BYTES
            yield drawn
    generator.shuffle(buffer)
    yield from buffer
