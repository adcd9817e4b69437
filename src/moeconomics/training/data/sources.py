"""Sources of text: an iterator over documents, and what is to be said of where they are from.

A document is one text file, one line of JSONL, one row of parquet or of a Hugging Face dataset.
"""

import io
import json
import platform
import sysconfig
import tokenize
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moeconomics.errors import BadInput, unknown_name
from moeconomics.training.data.spec import HUB_SOURCE, SLIMPAJAMA, STDLIB, DataSpec, needs_train_extra

_SLIMPAJAMA_HUB = "hf:cerebras/SlimPajama-627B"
_LICENCES = {
    STDLIB: "PSF-2.0",
    SLIMPAJAMA: "those of its parts (Common Crawl, C4, GitHub, books, arXiv, Wikipedia, StackExchange)",
}
_TEXT = {".txt", ".md", ".rst", ".tex", ".html", ".py", ".c", ".h", ".cpp", ".rs", ".go", ".java", ".js", ".ts"}
_COMPRESSED = {".gz": "gzip", ".zst": "zstd"}
_SAVED_DATASET = {"state.json", "dataset_dict.json"}  # what `datasets` writes beside a dataset it saves
_NO_FOLDER = {"site-packages", "dist-packages"}


@dataclass
class Source:
    """Documents to be read once. `left_out` names files of other kinds and unreadable ones met so far."""

    name: str
    licence: str | None
    documents: Iterator[tuple[str, str]]
    """(text, place): the place is for messages."""
    fingerprint: str
    """Changes when the files change; empty for what is not on this machine."""
    left_out: list[str] = field(default_factory=list)


def open_source(spec: DataSpec) -> Source:
    """The documents of a specification. Errors: `BadInput` for a source that is not there or can not be read."""
    licence = spec.licence or _LICENCES.get(spec.source)
    if spec.source == STDLIB:
        root = Path(sysconfig.get_path("stdlib"))
        files = [
            file for file in _files(root) if file.suffix == ".py" and not _NO_FOLDER & set(file.relative_to(root).parts)
        ]
        unreadable: list[str] = []
        name = f"standard library of {platform.python_implementation()} {platform.python_version()}"
        return Source(name, licence, _stdlib(root, files, unreadable), _fingerprint(root, files), unreadable)
    if spec.source == SLIMPAJAMA or spec.source.startswith("hf:"):
        hub = _SLIMPAJAMA_HUB if spec.source == SLIMPAJAMA else spec.source
        return Source(hub, licence, _hub(hub, spec.text_column), "")
    root = Path(spec.source)
    if not root.exists():
        if root.parent == Path() and not root.suffix:
            raise unknown_name("data source (and no file)", spec.source, [STDLIB, SLIMPAJAMA, "hf:owner/name"])
        raise BadInput(f"{root}: no such file or folder")
    everything = [root] if root.is_file() else _files(root)
    fingerprint = _fingerprint(root, everything)
    if any((root / name).is_file() for name in _SAVED_DATASET):
        return Source(spec.source, licence, _saved(root, spec.text_column), fingerprint)
    readers = {file: reader for file in everything if (reader := _reader(file))}
    if not readers:
        known = ", ".join(sorted(_TEXT | {".jsonl", ".parquet"}))
        raise BadInput(f"{root}: no file to read; text is in {known}, all but parquet also with .gz or .zst")
    documents = (found for file, reader in readers.items() for found in reader(file, spec.text_column))
    left_out = [str(file) for file in everything if file not in readers]
    return Source(spec.source, licence, documents, fingerprint, left_out)


def _files(root: Path) -> list[Path]:
    """The files under a folder in a fixed order, hidden ones left out."""
    found = (path for path in root.rglob("*") if not any(part[0] == "." for part in path.relative_to(root).parts))
    return sorted(path for path in found if path.is_file())


def _fingerprint(root: Path, files: Iterable[Path]) -> str:
    facts = [(str(file.relative_to(root)), file.stat()) for file in files]
    return json.dumps([(name, stat.st_size, stat.st_mtime_ns) for name, stat in facts])


def _stdlib(root: Path, files: list[Path], unreadable: list[str]) -> Iterator[tuple[str, str]]:
    for file in files:
        try:
            with tokenize.open(file) as opened:
                text = opened.read()
        except (OSError, SyntaxError, UnicodeError):  # the test suite has files that are broken on purpose
            unreadable.append(str(file.relative_to(root)))
            continue
        yield text, str(file)


_Reader = Callable[[Path, str], Iterator[tuple[str, str]]]


def _reader(file: Path) -> _Reader | None:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes[-1:] == [".parquet"]:
        return _parquet
    kind = suffixes[-2:-1] if suffixes and suffixes[-1] in _COMPRESSED else suffixes[-1:]
    if kind == [".jsonl"]:
        return _jsonl
    return _text if kind and kind[0] in _TEXT else None


def _text(file: Path, _: str) -> Iterator[tuple[str, str]]:
    with _readable(file), _opened(file) as opened:
        text = opened.read().decode("utf-8-sig")
    yield text, str(file)


def _jsonl(file: Path, column: str) -> Iterator[tuple[str, str]]:
    with _readable(file), _opened(file) as opened:
        for number, line in enumerate(opened, 1):
            place = f"{file} line {number}"
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadInput(f"{place} is not JSON: {error}") from error
            yield _cell(record, column, place), place


def _parquet(file: Path, column: str) -> Iterator[tuple[str, str]]:
    with needs_train_extra(f"{file}: parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq
    with _readable(file):
        try:
            with pq.ParquetFile(file) as opened:
                if column not in opened.schema_arrow.names:
                    raise _no_column(str(file), column, opened.schema_arrow.names)
                row = 0
                for batch in opened.iter_batches(batch_size=1024, columns=[column]):
                    for record in batch.to_pylist():
                        row += 1
                        yield _cell(record, column, f"{file} row {row}"), f"{file} row {row}"
        except pa.ArrowException as error:
            raise BadInput(f"{file} is no parquet file, or a broken one: {error}") from error


def _saved(root: Path, column: str) -> Iterator[tuple[str, str]]:
    with needs_train_extra(f"{root}: a saved dataset"):
        import datasets
    with _answering(str(root), "check that `datasets.load_from_disk` reads it"):
        saved = datasets.load_from_disk(str(root))
        if isinstance(saved, datasets.DatasetDict):
            if "train" not in saved:
                raise BadInput(f"{root} has no split 'train'; give the folder of one of {', '.join(saved)}")
            saved = saved["train"]
        yield from _records(saved, column, str(root))


def _hub(source: str, column: str) -> Iterator[tuple[str, str]]:
    with needs_train_extra(source):
        import datasets
    found = HUB_SOURCE.fullmatch(source)
    assert found is not None  # DataSpec checks it
    advice = "check the name, the network and, if access is granted to persons, `hf auth login`"
    if source == _SLIMPAJAMA_HUB:  # https://github.com/Cerebras/modelzoo/issues/88
        advice += "; it was reported absent at times in 2026: a sample of 6B tokens is hf:DKYoon/SlimPajama-6B"
    with _answering(source, advice):
        stream = datasets.load_dataset(found["name"], found["config"], split="train", streaming=True)
        yield from _records(stream, column, source)


def _records(rows: Iterable[dict[str, Any]], column: str, name: str) -> Iterator[tuple[str, str]]:
    for number, record in enumerate(rows, 1):
        yield _cell(record, column, f"{name} row {number}"), f"{name} row {number}"


def _cell(record: Any, column: str, place: str) -> str:
    if not isinstance(record, dict):
        raise BadInput(f"{place}: a JSON object with {column!r} is wanted")
    if column not in record:
        raise _no_column(place, column, record)
    if not isinstance(record[column], str):
        raise BadInput(f"{place}, {column}: {record[column]!r:.80} is not text")
    return str(record[column])


def _no_column(place: str, column: str, there: Iterable[str]) -> BadInput:
    return BadInput(f"{place} has no {column!r}; it has {', '.join(there)}: set text_column to the one with the text")


@contextmanager
def _opened(file: Path) -> Iterator[io.BufferedIOBase]:
    """The bytes of a file, decompressed by Arrow: it refuses a cut-off zstd file, which zstandard reads half of."""
    codec = _COMPRESSED.get(file.suffix.lower())
    if codec is None:
        with file.open("rb") as opened:
            yield opened
        return
    with needs_train_extra(f"{file}: decompressing"):
        import pyarrow as pa
    with pa.OSFile(str(file)) as raw, pa.CompressedInputStream(raw, codec) as stream:
        yield io.BufferedReader(stream)


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror or error}") from error
    except UnicodeError as error:
        raise BadInput(f"{file} is not UTF-8 text: {error}; convert it or take it out of the folder") from error


@contextmanager
def _answering(name: str, advice: str) -> Iterator[None]:
    try:
        yield
    except BadInput:
        raise
    except Exception as error:  # `datasets` passes on whatever the network, the Hub or a file format raises
        raise BadInput(f"{name}: {type(error).__name__}: {error}; {advice}") from error
