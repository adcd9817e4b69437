"""Whatever a file holds, `read_runs` gives runs or a sentence, never a traceback."""

import contextlib

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moeconomics.errors import BadInput
from moeconomics.runs import COLUMNS, import_wandb_export, read_runs, write_runs

CELLS = st.one_of(
    st.sampled_from(["", "0", "-1", "1e999", "nan", "1e9", "8", "true", "{}", "[1]", "null", "\x00", '"', ",", "１"]),
    st.text(max_size=5),
)


def refusal(path):
    with pytest.raises(BadInput) as caught:
        read_runs(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("runs.csv", b"\xff\xfe\x00PAR1\x80" * 50, "is not UTF-8 text"),
        ("runs.csv", b"", "has no header line"),
        ("runs.csv", b"\n\n", "has no header line"),
        ("runs.csv", b"run_id,tokens,loss\n", "has no rows"),
        ("runs.csv", b"run_id,tokens,loss,loss\na,1,2,3\n", "has the column 'loss' more than once"),
        ("runs.csv", b"run_id;tokens;loss\na;1;2\n", "is separated by ';'"),
        ("runs.csv", b"run_id\ttokens\tloss\na\t1\t2\n", "is separated by"),
        ("runs.csv", b"run_id,tokens,loss\na,1\n", "line 2: 2 cells, the header has 3"),
        ("runs.csv", b'run_id,tokens,loss\n"a,1,2\n', "line 2"),
        ("runs.csv", b'run_id,tokens,loss\n"' + b"a" * 200_000 + b'",1,2\n', "line 2: field larger"),
        ("runs.csv", b"run_id,token,loss\na,1,2\n", "no column tokens; it has run_id, token, loss. Rename token, or"),
        ("runs.csv", b"run_id,tokens,loss\na,1\x00,2\n", "line 2, tokens"),
        ("runs.jsonl", b"", "has no rows"),
        ("runs.jsonl", b'{"loss": 2}\n', "has no column run_id, tokens; it has loss"),
        ("runs.jsonl", b"[1]\n", "line 1: each line is a JSON object"),
        ("runs.jsonl", b'{"a": 1, "a": 2}\n', "a key is given twice"),
        ("runs.jsonl", b'{"run_id": "a", "tokens": 1, "loss": NaN}\n', "line 1, loss: nan is not"),
        ("runs.jsonl", b'{"run_id": "a", "tokens": true, "loss": 2}\n', "line 1, tokens: True is not"),
        ("runs.jsonl", b'{"run_id": "a", "tokens": [1], "loss": 2}\n', "line 1, tokens: '[1]' is not"),
        ("runs.jsonl", b'{"run_id": true, "tokens": 1, "loss": 2}\n', "line 1, run_id: True is not text"),
        ("runs.jsonl", b'{"run_id": "a", "tokens": 1' + b"0" * 400 + b', "loss": 2}\n', "line 1, tokens"),
        ("runs.jsonl", b'{"run_id": "a", "tokens": 1' + b"0" * 5000 + b', "loss": 2}\n', "line 1 is not JSON"),
        ("runs.jsonl", b'{"run_id": "\\ud800", "tokens": 1, "loss": 2}\n', "is not UTF-8 text"),
        ("runs.jsonl", b"[" * 100_000 + b"\n", "line 1 is not JSON"),
        ("runs.parquet", b"", "is no parquet file"),
        ("runs.parquet", b"PAR1" + b"\x00" * 40 + b"PAR1", "is no parquet file"),
        ("runs.txt", b"", "runs are in a file named .csv, .jsonl, .parquet"),
    ],
)
def test_a_hostile_file_is_answered_in_words(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    assert message in refusal(path)


def test_parquet_of_wrong_types_is_refused_with_its_row(tmp_path):
    path = tmp_path / "runs.parquet"
    pl.DataFrame({"run_id": [["a"]], "tokens": [True], "loss": [3.0], "seed": [1.5]}).write_parquet(path)
    message = refusal(path)
    for words in ("row 1, run_id", "row 1, tokens: True is not", "row 1, seed: 1.5 is not a whole number"):
        assert words in message


def test_missing_files_and_folders_are_answered_in_words(tmp_path):
    assert "No such file" in refusal(tmp_path / "gone.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "Is a directory" in refusal(tmp_path / "folder.csv")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.lists(st.sampled_from([*COLUMNS, "theirs"]), max_size=4, unique=True),
    rows=st.lists(st.lists(CELLS, min_size=7, max_size=7), max_size=4),
    suffix=st.sampled_from([".csv", ".jsonl"]),
    end=st.binary(max_size=4),
)
def test_any_cells_give_runs_or_a_sentence(tmp_path, columns, rows, suffix, end):
    path = tmp_path / f"runs{suffix}"
    names = list(dict.fromkeys(["run_id", "tokens", "loss", *columns]))
    if suffix == ".csv":
        lines = [",".join(names), *(",".join(row[: len(names)]) for row in rows)]
    else:
        lines = [
            "{" + ", ".join(f'"{name}": {cell}' for name, cell in zip(names, row, strict=False)) + "}" for row in rows
        ]
    path.write_bytes("\n".join(lines).encode() + end)
    for read in (read_runs, lambda file: import_wandb_export(file).frame):
        with contextlib.suppress(BadInput):
            runs = read(path)
            write_runs(runs, tmp_path / "again.parquet")
            assert read_runs(tmp_path / "again.parquet").equals(runs)


def test_a_parquet_cut_anywhere_is_refused(tmp_path):
    # Not any damaged byte: some of them abort polars' own reader, which no caller can catch.
    path = tmp_path / "runs.parquet"
    write_runs(pl.DataFrame({"run_id": ["a", "b"], "tokens": [1e9, 2e9], "loss": [3.0, 2.5]}), path)
    content = path.read_bytes()
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        assert "is no parquet file" in refusal(path)
