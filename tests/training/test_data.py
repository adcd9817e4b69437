"""Text to token shards: what goes in comes out, the split holds, the order repeats, damage is refused."""

import contextlib
import gzip
import json
import math
import multiprocessing
import os
import subprocess
import sys
import tokenize
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from moeconomics.errors import BadInput
from moeconomics.training.data import DataSpec, Sequences, open_corpus, prepare, validation_windows
from moeconomics.training.data.documents import Document, fill_buffer, shuffled, split

WORDS = ["expert", "router", "token", "Σ gate", "naïve\r\n", "日本", "\x00", "<|endoftext|>", " ", "🜚"]
TEXTS = [f"document {number}: " + " ".join(WORDS[number % 7 :] * (number % 9)) for number in range(300)] + [""]
PREPARE = sys.modules[prepare.__module__]  # the package's `prepare` is the function


def zstd(data):
    return pa.compress(data, codec="zstd", asbytes=True)


def write_jsonl(path, texts, column="text"):
    path.write_text("".join(json.dumps({column: text}) + "\n" for text in texts), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_jsonl(tmp_path_factory.mktemp("text") / "texts.jsonl", TEXTS)


@pytest.fixture(scope="module")
def spec(written):
    return DataSpec(source=str(written), tokenizer="bpe-400", validation_share=0.2, seed=3)


@pytest.fixture(scope="module")
def corpus(spec, tmp_path_factory):
    return prepare(spec, tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def fresh(spec, tmp_path):
    """A corpus that a test may damage."""
    return prepare(spec, tmp_path / "corpus")


def everything(tokens):
    return tokens.at(np.arange(len(tokens)))


def decoded(corpus, tokens):
    """The documents of a stream of tokens."""
    tokenizer = Tokenizer.from_file(str(corpus.tokenizer_file))
    ids = everything(tokens)
    ends = np.flatnonzero(ids == corpus.eod_id)
    assert not len(ids) or ends[-1] == len(ids) - 1
    return [tokenizer.decode(list(part[:-1]), skip_special_tokens=False) for part in np.split(ids, ends + 1)[:-1]]


def refusal(action, *arguments):
    with pytest.raises(BadInput) as caught:
        action(*arguments)
    return str(caught.value)


# What goes in comes out.


def test_every_document_comes_out_once_and_on_one_side(corpus):
    train, validation = decoded(corpus, corpus.train), decoded(corpus, corpus.validation.tokens)
    assert sorted(train + validation) == sorted(TEXTS)
    assert not set(train) & set(validation)
    assert corpus.manifest.train.documents == len(train)
    assert corpus.manifest.train.bytes_text == sum(len(text.encode()) for text in train)
    assert corpus.validation.bytes_per_document.tolist() == [len(text.encode()) for text in validation]
    assert 0.1 < len(validation) / len(TEXTS) < 0.3  # 0.2, four standard deviations
    assert corpus.vocab_size == 400
    assert everything(corpus.train).max() < 400


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
        | st.lists(st.sampled_from(WORDS), max_size=8).map("".join),
        min_size=1,
        max_size=8,
    ),
    tokenizer=st.sampled_from(["bytes", "bpe-300"]),
)
def test_any_text_round_trips(texts, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    source = str(write_jsonl(folder / "texts.jsonl", texts))
    made = prepare(DataSpec(source=source, tokenizer=tokenizer, validation_share=0), folder)
    assert sorted(decoded(made, made.train)) == sorted(texts)


def test_bytes_are_their_own_tokens(tmp_path):
    text = bytes(range(128)).decode() + "é日🜚"
    source = str(write_jsonl(tmp_path / "texts.jsonl", [text]))
    made = prepare(DataSpec(source=source, tokenizer="bytes", validation_share=0), tmp_path)
    assert everything(made.train).tolist() == [*text.encode(), 256]
    assert (made.vocab_size, made.eod_id) == (257, 256)


def test_a_document_longer_than_an_encoding_round_trips(tmp_path):
    text = "".join(f"{number} naïve Σ\n" for number in range(150_000))
    (tmp_path / "long.txt").write_text(text, encoding="utf-8")
    made = prepare(DataSpec(source=str(tmp_path / "long.txt"), tokenizer="bytes", validation_share=0), tmp_path / "c")
    assert everything(made.train)[:-1].astype(np.uint8).tobytes() == text.encode()


def test_a_large_vocabulary_takes_four_bytes(tmp_path):
    vocabulary = {f"w{number}": number for number in range(70_000)} | {"</s>": 70_000}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "a.txt").write_text("w69999 w1")
    made = prepare(
        DataSpec(source=str(tmp_path / "a.txt"), tokenizer=str(tmp_path / "tokenizer.json"), validation_share=0),
        tmp_path / "corpus",
    )
    assert everything(made.train).tolist() == [69_999, 1, 70_000]
    assert made.manifest.dtype == "uint32"
    assert made.manifest.tokenizer.trained_on_bytes is None


# Where text comes from.


def test_a_folder_of_every_kind_is_read(tmp_path):
    folder = tmp_path / "text"
    (folder / "below").mkdir(parents=True)
    (folder / "a.txt").write_text("one\r\n", newline="")
    (folder / "b.md.gz").write_bytes(gzip.compress(b"zwei"))
    write_jsonl(folder / "below" / "c.jsonl", ["three", "四"])
    line = json.dumps({"text": "five", "meta": 1}).encode()
    (folder / "d.jsonl.zst").write_bytes(zstd(line + b"\n") + zstd(b'{"text": "5b"}\n\n'))
    (folder / "e.jsonl.gz").write_bytes(gzip.compress(b'{"text": "six"}'))
    pl.DataFrame({"text": ["seven", ""], "n": [1, 2]}).write_parquet(folder / "f.parquet")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / ".hidden.txt").write_text("hidden")
    made = prepare(DataSpec(source=str(folder), tokenizer="bytes", validation_share=0, licence="CC0"), tmp_path / "c")
    assert sorted(decoded(made, made.train)) == sorted(
        ["one\r\n", "zwei", "three", "四", "five", "5b", "six", "seven", ""]
    )
    assert made.manifest.files_left_out == [str(folder / "picture.png")]
    assert made.manifest.licence == "CC0"


@pytest.mark.parametrize("splits", [False, True])
def test_a_saved_hugging_face_dataset_is_read(tmp_path, splits):
    import datasets

    saved = datasets.Dataset.from_dict({"content": TEXTS[:20]})
    (datasets.DatasetDict({"train": saved}) if splits else saved).save_to_disk(tmp_path / "saved")
    spec = DataSpec(source=str(tmp_path / "saved"), text_column="content", tokenizer="bytes", validation_share=0)
    made = prepare(spec, tmp_path / "corpus")
    assert sorted(decoded(made, made.train)) == sorted(TEXTS[:20])


def test_a_hugging_face_name_is_streamed(tmp_path, monkeypatch):
    """`datasets` takes owner/name for a folder when there is one, so that its streaming runs without a network."""
    monkeypatch.chdir(tmp_path)
    Path("owner/name").mkdir(parents=True)
    write_jsonl(Path("owner/name/train.jsonl"), TEXTS[:20])
    made = prepare(DataSpec(source="hf:owner/name", tokenizer="bytes", validation_share=0), tmp_path / "corpus")
    assert sorted(decoded(made, made.train)) == sorted(TEXTS[:20])


def test_the_standard_library_needs_nothing(tmp_path):
    made = prepare(DataSpec(max_tokens=20_000, max_validation_tokens=20_000), tmp_path)
    manifest = made.manifest
    assert manifest.licence == "PSF-2.0"
    assert f"CPython {sys.version.split()[0]}" in manifest.source
    assert made.vocab_size == 2048
    assert manifest.tokenizer.trained_on_documents > manifest.train.documents  # on the library, not what is kept of it
    library = set()
    for path in Path(os.__file__).parent.rglob("*.py"):
        if "site-packages" not in path.parts:
            with contextlib.suppress(SyntaxError, UnicodeError), tokenize.open(path) as file:
                library.add(file.read())
    assert set(decoded(made, made.train)) | set(decoded(made, made.validation.tokens)) <= library


# The split and the order.


def test_max_tokens_stops_with_the_document_that_reaches_them(spec, corpus, tmp_path):
    made = prepare(spec.model_copy(update={"max_tokens": 1000, "max_validation_tokens": 100}), tmp_path)
    ids = everything(made.train)
    last = np.flatnonzero(ids == made.eod_id)[-2]
    assert last + 1 < 1000 <= len(ids)
    assert ids.tolist() == everything(corpus.train)[: len(ids)].tolist()
    tokens = made.validation.tokens_per_document
    assert tokens[:-1].sum() < 100 <= tokens.sum()


def test_no_document_left_out_of_validation_is_trained_on(spec, corpus, tmp_path):
    made = prepare(spec.model_copy(update={"max_validation_tokens": 1}), tmp_path)
    assert decoded(made, made.train) == decoded(corpus, corpus.train)
    assert len(made.validation.tokens_per_document) < len(corpus.validation.tokens_per_document)


def test_validation_is_the_same_whatever_is_trained_on(spec, corpus, tmp_path):
    made = prepare(spec.model_copy(update={"max_tokens": 1}), tmp_path)
    assert made.manifest.train.documents == 1
    assert made.manifest.validation == corpus.manifest.validation


def test_neither_order_nor_copies_move_a_document_to_the_other_side(spec, corpus, tmp_path):
    source = str(write_jsonl(tmp_path / "texts.jsonl", [*TEXTS[::-1], *TEXTS[:50]]))
    made = prepare(spec.model_copy(update={"source": source}), tmp_path)
    assert set(decoded(made, made.train)) == set(decoded(corpus, corpus.train))
    assert set(decoded(made, made.validation.tokens)) == set(decoded(corpus, corpus.validation.tokens))


@pytest.mark.parametrize("in_validation", [False, True])
def test_the_tokenizer_is_trained_on_training_documents_only(tmp_path, in_validation):
    texts = ["Xylograph " * 1000, *(f"{number} plain" for number in range(40))]
    seed = next(seed for seed in range(100) if next(split([(texts[0], "")], 0.3, seed)).is_validation is in_validation)
    source = str(write_jsonl(tmp_path / "texts.jsonl", texts))
    made = prepare(DataSpec(source=source, tokenizer="bpe-270", validation_share=0.3, seed=seed), tmp_path / "c")
    vocabulary = Tokenizer.from_file(str(made.tokenizer_file)).get_vocab()
    assert ("Xylograph" in vocabulary) is not in_validation


def test_the_order_is_the_seeds(spec, corpus, tmp_path):
    again = prepare(spec, tmp_path / "again")
    other = prepare(spec.model_copy(update={"seed": 4, "validation_share": 0.0}), tmp_path / "other")
    read = [text for text in TEXTS if text in set(decoded(corpus, corpus.train))]
    assert again.manifest.sha256 == corpus.manifest.sha256
    assert decoded(corpus, corpus.train) != read
    assert decoded(other, other.train) != TEXTS
    assert corpus.manifest.order.whole


def test_a_fresh_process_makes_the_same(spec, corpus, tmp_path):
    code = (
        "import sys; from pathlib import Path; from moeconomics.training.data import *\n"
        "made = prepare(DataSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(made.manifest.sha256)"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    words = [sys.executable, "-c", code, spec.model_dump_json(), str(tmp_path)]
    printed = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == corpus.manifest.sha256


def test_a_small_buffer_loses_nothing_and_stays_small():
    documents = [Document("x" * size, size, False) for size in [1, 500, 30, 0, 2000, 7] * 50]
    stream = iter(documents)
    buffer, whole = fill_buffer(stream, 10_000)
    assert not whole
    largest = 0
    drawn = []
    for document in shuffled(buffer, stream, seed=0):
        drawn.append(document)
        largest = max(largest, sum(each.bytes_text for each in buffer))
    assert sorted(map(id, drawn)) == sorted(map(id, documents))
    assert largest <= 14_000  # the buffer and the document that overfilled it
    assert drawn != documents


# Positions, sequences and windows.


def test_shards_are_one_sequence(spec, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(PREPARE, "SHARD_TOKENS", 1000)
    made = prepare(spec, tmp_path)
    sizes = [shard.tokens for shard in made.manifest.train.shards]
    assert len(sizes) > 3
    assert set(sizes[:-1]) == {1000}
    assert everything(made.train).tolist() == everything(corpus.train).tolist()
    across = np.array([[999, 1000], [2999, 0]])
    assert made.train.at(across).tolist() == corpus.train.at(across).tolist()
    for outside in (-1, len(made.train)):
        with pytest.raises(IndexError):
            made.train.at(np.array([outside]))


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 700), seed=st.integers(0, 2**40), first=st.integers(0, 10**6), count=st.integers(1, 40))
def test_each_epoch_sees_every_sequence_once_and_a_resume_goes_on(corpus, length, seed, first, count):
    sequences = Sequences(corpus, length, seed)
    stream = everything(corpus.train)
    epoch = sequences.batch(3 * len(sequences), len(sequences))
    cut = [stream[start : start + length + 1].tolist() for start in range(0, len(stream) - length, length)]
    assert sorted(epoch.tolist()) == sorted(cut)
    assert sequences.unique_tokens == len(cut) * length
    together = sequences.batch(first, count)
    assert together.shape == (count, length + 1)
    assert together.dtype == np.int64
    one_by_one = [Sequences(corpus, length, seed).batch(index, 1)[0] for index in range(first, first + count)]
    assert np.array_equal(together, one_by_one)
    assert sequences.epochs(3 * len(sequences)) == 3


def test_epochs_and_seeds_differ(corpus):
    first, other = Sequences(corpus, 16, 0), Sequences(corpus, 16, 1)
    epochs = [first.batch(number * len(first), len(first)) for number in range(2)]
    assert not np.array_equal(*epochs)
    assert not np.array_equal(epochs[0], other.batch(0, len(first)))


@pytest.mark.parametrize("length", [1, 7, 64, 100_000])
def test_windows_hold_each_validation_token_once_with_its_document(corpus, length):
    validation = corpus.validation
    windows = validation_windows(corpus, length, 10**9)
    counted = windows.document >= 0
    targets, documents = windows.tokens[:, 1:][counted], windows.document[counted]
    assert targets.tolist() == everything(validation.tokens).tolist()
    assert np.bincount(documents).tolist() == validation.tokens_per_document.tolist()
    assert windows.bytes_per_document.sum() == validation.bytes_per_document.sum()
    inputs = windows.tokens[:, :-1][counted]
    assert inputs[0] == corpus.eod_id
    assert inputs[1:].tolist() == targets[:-1].tolist()
    for one, following in pairwise(windows.tokens):
        assert one[-1] == following[0]


def test_windows_are_of_whole_documents(corpus):
    sizes = corpus.validation.tokens_per_document
    windows = validation_windows(corpus, 10, int(sizes[:3].sum()) + 1)
    assert (windows.document >= 0).sum() == sizes[:3].sum()
    assert len(windows.bytes_per_document) == 3
    assert len(validation_windows(corpus, 10, 1).bytes_per_document) == 1


# What is refused.


@pytest.mark.parametrize("name", ["train-00000.bin", "validation.bin", "tokenizer.json"])
def test_a_damaged_file_is_refused_by_name(fresh, name):
    path = fresh.folder / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    message = refusal(open_corpus, fresh.folder)
    assert str(path) in message
    assert f"delete {fresh.folder} and prepare it again" in message
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    assert f"{path} was changed" in refusal(open_corpus, fresh.folder)
    path.unlink()
    assert f"{path}: No such file" in refusal(open_corpus, fresh.folder)
    path.write_bytes(whole)
    open_corpus(fresh.folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"seed": 3', '"seed": 4', "was changed after it was written"),
        ('"licence": null', '"licence": "CC0"', "was changed after it was written"),
        ('"vocab_size": 400', '"vocab_size": 300', "was changed after it was written"),
        ('"format": 1', '"format": 2', "format: Input should be 1"),
        ('"dtype"', '"kind"', "kind: Extra inputs"),
        ('"sha256": ', '"sha256": !', "Invalid JSON"),
    ],
)
def test_an_edited_manifest_is_refused(fresh, old, new, message):
    path = fresh.folder / "manifest.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    said = refusal(open_corpus, fresh.folder)
    assert message in said
    assert str(path) in said
    assert "prepare it again" in said


def test_prepare_does_not_go_over_a_damaged_corpus(spec, fresh):
    (fresh.folder / "train-00000.bin").write_bytes(b"")
    assert "prepare it again" in refusal(prepare, spec, fresh.folder.parent)


def test_a_model_without_embeddings_for_the_tokens_is_refused(corpus):
    corpus.check_vocabulary(400)
    corpus.check_vocabulary(512)
    message = refusal(corpus.check_vocabulary, 399)
    assert "399 embeddings" in message
    assert str(corpus.tokenizer_file) in message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "fine"}\n{"text": 3}\n', "line 2, text: 3 is not text"),
        ("a.jsonl", b'{"body": "x"}\n', "line 1 has no 'text'; it has body: set text_column"),
        ("a.jsonl", b'["x"]\n', "line 1: a JSON object"),
        ("a.jsonl", b'{"text": \n', "line 1 is not JSON"),
        ("a.jsonl", b"[" * 100_000, "line 1 is not JSON"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', "line 1: "),
        ("a.jsonl", b'{"text": "\xff"}\n', "line 1 is not JSON"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "fine"}\n' * 9, mtime=0)[:-9], "Truncated"),
        ("a.jsonl.zst", zstd(b'{"text": "fine"}\n' * 9)[:-3], "Truncated"),
        ("a.jsonl.zst", b'{"text": "fine"}\n', "decompress failed"),
        ("a.txt", b"\xff\xfe\x00", "is not UTF-8 text"),
        ("a.parquet", b"PAR1", "is no parquet file"),
        ("a.png", b"", "no file to read; text is in .c"),
        ("a.jsonl", b"", "none of 0 documents is for training"),
        ("a.txt", b"only one", "none of 1 documents is for"),
    ],
)
def test_text_that_can_not_be_read_is_answered_in_words(tmp_path, name, content, message):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / name).write_bytes(content)
    folder = tmp_path / "corpus"
    said = refusal(prepare, DataSpec(source=str(tmp_path / "text"), tokenizer="bytes"), folder)
    assert message in said
    assert str(tmp_path / "text") in said
    assert nothing_kept(folder)


def test_parquet_without_the_column_names_those_there(tmp_path):
    pl.DataFrame({"body": ["x"]}).write_parquet(tmp_path / "a.parquet")
    assert "it has body: set text_column" in refusal(prepare, DataSpec(source=str(tmp_path / "a.parquet")), tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": "python-stlib"}, "Did you mean 'python-stdlib'?"),
        ({"source": "gone/text.jsonl"}, "no such file or folder"),
        ({"tokenizer": "gone.json"}, "a tokenizer.json of `tokenizers` is wanted"),
    ],
)
def test_names_that_are_not_there_are_answered_in_words(tmp_path, fields, message):
    assert message in refusal(prepare, DataSpec(**fields), tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"source": "hf:name"},
        {"source": ""},
        {"tokenizer": "bpe-256"},
        {"validation_share": 1},
        {"validation_share": math.nan},
        {"max_tokens": 0},
        {"seed": -1},
        {"sauce": "text"},
    ],
)
def test_a_specification_is_checked_at_the_door(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        DataSpec(**fields)


def test_a_tokenizer_without_an_end_is_refused(tmp_path, spec):
    Tokenizer(models.WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    given = spec.model_copy(update={"tokenizer": str(tmp_path / "tokenizer.json")})
    assert "has no end-of-document token; known: <|endoftext|>" in refusal(prepare, given, tmp_path)


def test_too_short_and_no_validation_are_answered_in_words(corpus, spec, tmp_path):
    assert "prepare more text or shorten" in refusal(Sequences, corpus, 10**6, 0)
    without = prepare(spec.model_copy(update={"validation_share": 0.0}), tmp_path)
    assert "validation_share above 0" in refusal(validation_windows, without, 8, 100)


# Whole or not there.


def nothing_kept(folder):
    return not folder.exists() or all(path.suffix == ".lock" for path in folder.iterdir())


def test_a_folder_that_can_not_be_written_is_answered_in_words(spec, tmp_path):
    (tmp_path / "file").write_text("")
    assert f"can not write to {tmp_path / 'file'}" in refusal(prepare, spec, tmp_path / "file")


@pytest.mark.parametrize("limit_bytes", [4_000, 20_000])
def test_a_full_disk_leaves_nothing_half_made(spec, tmp_path, limit_bytes):
    """A limit on the size of a file stands for the full disk: 4 kB end the tokenizer, 20 kB the tokens."""
    code = (
        "import resource, signal, sys; from pathlib import Path; from moeconomics.training.data import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}))\n"
        "prepare(DataSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2]))"
    )
    words = [sys.executable, "-c", code, spec.model_dump_json(), str(tmp_path / "corpus")]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert "BadInput: can not write to" in ended.stderr
    assert "File too large" in ended.stderr
    assert nothing_kept(tmp_path / "corpus")


def prepare_together(barrier, spec, folder):
    barrier.wait()
    prepare(spec, folder)


def test_two_processes_at_once_make_one_corpus(spec, corpus, tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [context.Process(target=prepare_together, args=(barrier, spec, tmp_path)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    (made,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert open_corpus(made).manifest.sha256 == corpus.manifest.sha256


def test_a_prepared_corpus_is_used_again_until_its_files_change(tmp_path):
    source = write_jsonl(tmp_path / "texts.jsonl", TEXTS)
    spec = DataSpec(source=str(source), tokenizer="bytes")
    first = prepare(spec, tmp_path / "corpus")
    written = (first.folder / "manifest.json").stat().st_mtime_ns
    again = prepare(spec, tmp_path / "corpus")
    assert again.folder == first.folder
    assert (again.folder / "manifest.json").stat().st_mtime_ns == written
    write_jsonl(source, TEXTS[:100])
    changed = prepare(spec, tmp_path / "corpus")
    assert changed.folder != first.folder
    assert changed.manifest.train.documents < first.manifest.train.documents
