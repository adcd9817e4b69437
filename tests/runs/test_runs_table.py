"""The runs table at the door: known files, contradictions with their lines, round trips, hostile files."""

import json
import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moeconomics.errors import BadInput
from moeconomics.runs import COLUMNS, read_runs, shape_from_json, shape_to_json, write_runs
from moeconomics.shapes import GroupedQuery, Latent, Layers, ModelShape

SUFFIXES = (".csv", ".jsonl", ".parquet")
TIDY = {  # rows, lowest and highest n_params, lowest and highest loss, experts
    "clark2022_routed_final": (223, 16527360, 1308819456, 1.99908, 3.162017, 512),
    "clark2022_routed_curves": (5568, 16527360, 1308819456, 1.99908, 3.553382, 512),
    "chinchilla_epoch": (245, 57334197, 16183346000, 2.077394, 5.005582, 1),
    "gadre2024_overtraining": (104, 10569312, 6889410560, 2.38222, 6.12388, 1),
    "muennighoff2023_data_constrained": (182, 7098752, 8670000000, 2.336741, 8.102005, 1),
}
MOE = ModelShape(
    vocab_size=32000, d_model=512, n_layers=8, d_ff=2048, d_expert=1024, n_experts=16, top_k=2,
    n_shared_experts=1, d_shared=1024, moe_layers=Layers(every=2), tied_embeddings=True,
    attention=GroupedQuery(n_heads=8, n_kv_heads=2, head_dim=64, qk_norm="head"),
)  # fmt: skip
LATENT = ModelShape(
    vocab_size=1000, d_model=64, n_layers=3, d_ff=256, moe_layers=Layers(listed=(1, 2)),
    attention=Latent(n_heads=4, q_lora_rank=0, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=8),
)  # fmt: skip
ROW = {"run_id": "a", "n_params": 1e8, "n_active": 1e8, "n_total": 4e8, "n_experts": 8, "top_k": 1, "tokens": 2e9}
ROW |= {"loss": 3.0}


def write_csv(tmp_path, *rows, name="runs.csv"):
    columns = dict.fromkeys(key for row in rows for key in row)
    lines = [",".join(columns), *(",".join(str(row.get(key, "")) for key in columns) for row in rows)]
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def refusal(path):
    with pytest.raises(BadInput) as caught:
        read_runs(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", TIDY)
def test_a_tidy_file_is_read_as_it_is(shared_folder, name):
    path = shared_folder / "data" / "losses" / f"{name}.csv"
    runs, theirs = read_runs(path), pl.read_csv(path, infer_schema_length=None)
    rows, n_low, n_high, loss_low, loss_high, experts = TIDY[name]
    assert runs.height == rows
    assert runs.columns[: len(COLUMNS)] == list(COLUMNS)
    assert (runs["n_params"].min(), runs["n_params"].max()) == (n_low, n_high)
    assert (runs["loss"].min(), runs["loss"].max()) == (loss_low, loss_high)
    assert runs["n_experts"].max() == experts
    for column in theirs.columns:
        if column != "top_k":
            assert (runs[column] == theirs[column]).all() or column == "n_active", column
    assert runs["n_active"].null_count() == theirs["n_active"].null_count()


def test_what_is_known_of_a_public_source_fills_what_its_rows_leave_unknown(shared_folder):
    folder = shared_folder / "data" / "losses"
    curves = read_runs(folder / "clark2022_routed_curves.csv")
    assert curves["trunk"].n_unique() == 223
    assert curves["annealed"].sum() == 223
    assert curves["embeddings_counted"].unique().to_list() == [False]
    gadre = read_runs(folder / "gadre2024_overtraining.csv")
    assert gadre["licence"].unique().to_list() == ["MIT"]
    assert gadre["embeddings_counted"].all()
    assert read_runs(folder / "chinchilla_epoch.csv")["embeddings_counted"].null_count() == 245


def test_dense_rows_of_clark_that_repeat_the_flop_increase_as_top_k_are_corrected_and_flagged(shared_folder, tmp_path):
    path = shared_folder / "data" / "losses" / "clark2022_routed_final.csv"
    runs = read_runs(path)
    flagged = runs.filter(pl.col("flags") == "flop_increase")
    assert flagged.height == 5
    assert flagged["top_k"].to_list() == [1] * 5
    assert flagged["flop_increase"].to_list() == [2, 4, 2, 4, 4]
    # The same row from nobody we know is a contradiction.
    text = path.read_text(encoding="utf-8").replace("deepmind/scaling_laws_for_routing", "me")
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    assert "n_experts is 1, a dense model, and top_k is 2" in refusal(tmp_path / "mine.csv")


@pytest.mark.parametrize(
    ("changes", "column", "message"),
    [
        ({"n_active": 5e8}, "n_active", "n_active 500000000 exceeds n_total 400000000"),
        ({"unique_tokens": 3e9}, "unique_tokens", "unique_tokens 3000000000 exceeds tokens 2000000000"),
        ({"n_experts": 1, "top_k": 2}, "top_k", "n_experts is 1, a dense model, and top_k is 2"),
        ({"top_k": 9}, "top_k", "top_k 9 exceeds n_experts 8"),
        ({"loss": -1}, "loss", "'-1' is not a finite number above 0"),
        ({"loss": "nan"}, "loss", "'nan' is not a finite number above 0"),
        ({"loss": "inf"}, "loss", "'inf' is not a finite number above 0"),
        ({"loss": 0}, "loss", "'0' is not a finite number above 0 (leave an unknown value empty)"),
        ({"loss": ""}, "loss", "is empty; every row needs it"),
        ({"tokens": 0}, "tokens", "leave an unknown value empty"),
        ({"tokens": "-inf"}, "tokens", "is not a finite number above 0"),
        ({"tokens": "many"}, "tokens", "'many' is not a finite number above 0"),
        ({"n_total": 0}, "n_total", "leave an unknown value empty"),
        ({"n_experts": 8.5}, "n_experts", "'8.5' is not a whole number of at least 1"),
        ({"n_experts": "1e300"}, "n_experts", "is not a whole number"),
        ({"n_shared_experts": -1}, "n_shared_experts", "is not a whole number of at least 0"),
        ({"seed": "x"}, "seed", "'x' is not a whole number"),
        ({"lr": 0}, "lr", "leave an unknown value empty"),
        ({"annealed": "perhaps"}, "annealed", "'perhaps' is not true or false"),
        ({"loss_kind": "test"}, "loss_kind", "'test' is not validation or training"),
        ({"loss_unit": "bits/byte"}, "loss_unit", "'bits/byte' is not nats/token"),
        ({"run_id": "first"}, "run_id", "'first' is already on line 2"),
        ({"shape": "{}"}, "shape", "shape has no vocab_size"),
        ({"shape": "5"}, "shape", "shape is a JSON object"),
    ],
)
def test_a_row_that_can_not_be_true_is_refused_with_its_line(tmp_path, changes, column, message):
    path = write_csv(tmp_path, ROW | {"run_id": "first"}, ROW | changes, ROW | {"run_id": "last"})
    found = refusal(path)
    assert f"line 3, {column}: " in found
    assert message in found
    assert "line 2," not in found
    assert "line 4," not in found


def test_all_contradictions_are_named_up_to_ten(tmp_path):
    path = write_csv(tmp_path, *[ROW | {"run_id": f"r{n}", "loss": -n} for n in range(1, 14)])
    message = refusal(path)
    assert message.count("is not a finite number above 0") == 10
    assert message.endswith("; and 3 more")


def test_a_run_may_have_many_steps_but_each_once(tmp_path):
    curve = [ROW | {"step": step} for step in (10, 20, 30)]
    assert read_runs(write_csv(tmp_path, *curve)).height == 3
    assert "line 5, run_id: 'a' at step 20 is already on line 3" in refusal(write_csv(tmp_path, *curve, curve[1]))


def test_a_shape_must_agree_with_the_columns(tmp_path):
    record = {"run_id": "a", "shape": shape_to_json(MOE), "tokens": 1e9, "loss": 3.0, "n_experts": 8}
    path = tmp_path / "runs.jsonl"
    path.write_text(json.dumps(record), encoding="utf-8")
    assert "line 1, n_experts: 8 where the shape has 16" in refusal(path)


def test_lines_are_those_of_the_file_where_a_cell_spans_two(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text('run_id,tokens,loss,note\na,1e9,3,"two\nlines"\n\nb,1e9,-3,\n', encoding="utf-8")
    assert "line 5, loss" in refusal(path)


@pytest.mark.parametrize("shape", [MOE, LATENT])
def test_a_shape_survives_its_cell(shape):
    assert shape_from_json(shape_to_json(shape)) == shape


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ('{"d_modle": 1}', "Did you mean 'd_model'"),
        ('{"vocab_size": 1.5, "d_model": 8, "n_layers": 1, "d_ff": 8, "attention": {}}', "vocab_size 1.5 is no whole"),
        ('{"vocab_size": 9, "d_model": 8, "n_layers": 1, "d_ff": 8, "attention": {}}', "attention needs kind"),
        (
            '{"vocab_size": 9, "d_model": 8, "n_layers": 1, "d_ff": 8, "attention": {"kind": []}}',
            "attention needs kind",
        ),
        (shape_to_json(MOE).replace('"top_k": 2', '"top_k": 17'), "top_k 17 exceeds n_experts 16"),
        (shape_to_json(MOE).replace('"d_model": 512', '"d_model": -512'), "d_model -512 is not from 0"),
        (shape_to_json(MOE).replace('"tied_embeddings": true', '"tied_embeddings": 1'), "no true or false"),
        (shape_to_json(MOE).replace('{"every": 2}', '{"listed": [0.5]}'), "listed"),
        (shape_to_json(MOE).replace('{"every": 2}', '{"every": 0}'), "every 0 is not from 1"),
        (shape_to_json(MOE).replace(": 512", f": {10**9}").replace(": 1024", f": {10**9}"), "than 64 bits can count"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_shape_that_is_none_is_refused(text, message):
    with pytest.raises(BadInput, match=message):
        shape_from_json(text)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
POSITIVE = st.floats(1e-300, 1e300, allow_subnormal=False)


@st.composite
def valid_rows(draw):
    total = draw(st.floats(1.0, 1e15))
    experts = draw(st.integers(1, 1024))
    tokens = draw(st.floats(1.0, 1e15))
    row = {
        "n_total": total,
        "n_active": draw(st.floats(0.5, 1.0)) * total,
        "n_params": draw(POSITIVE),
        "n_experts": experts,
        "top_k": 1 if experts == 1 else draw(st.integers(1, experts)),
        "unique_tokens": draw(st.floats(0.1, 1.0)) * tokens,
        "embeddings_counted": draw(st.booleans()),
        "annealed": draw(st.booleans()),
        "loss_kind": draw(st.sampled_from(["validation", "training"])),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "step": draw(st.integers(0, 2**63 - 1)),
        "lr": draw(POSITIVE),
        "shape": draw(st.sampled_from([shape_to_json(LATENT)])) if experts == 1 else None,
        "source": draw(TEXT),
        "flags": draw(TEXT),
        "their own": draw(TEXT.map(lambda text: f"t{text}")),
    }
    known = draw(st.sets(st.sampled_from(sorted(row))))
    return {"tokens": tokens, "loss": draw(POSITIVE), **{key: row[key] for key in sorted(known)}}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(valid_rows(), min_size=1, max_size=5), names=st.lists(TEXT, min_size=5, max_size=5, unique=True))
def test_valid_rows_survive_every_format(tmp_path, rows, names):
    columns = dict.fromkeys(["run_id", *(key for row in rows for key in row)])
    named = [{"run_id": name, **row} for name, row in zip(names, rows, strict=False)]
    types = {key: COLUMNS[key].dtype if key in COLUMNS else pl.String for key in columns}
    frame = pl.DataFrame({key: [row.get(key) for row in named] for key in columns}, schema=types)
    for suffix in SUFFIXES:
        path = tmp_path / f"runs{suffix}"
        write_runs(frame, path)
        back = read_runs(path)
        for column in columns:
            assert back[column].to_list() == frame[column].to_list(), (suffix, column)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_public_runs_survive_every_format(shared_folder, tmp_path, suffix):
    runs = read_runs(shared_folder / "data" / "losses" / "clark2022_routed_final.csv")
    write_runs(runs, tmp_path / f"runs{suffix}")
    back = read_runs(tmp_path / f"runs{suffix}")
    assert back.equals(runs)
    assert back.schema == runs.schema
    assert [path.name for path in tmp_path.iterdir()] == [f"runs{suffix}"]


def test_a_table_that_could_not_be_read_is_not_written(tmp_path):
    with pytest.raises(BadInput, match="row 1, loss"):
        write_runs(pl.DataFrame({"run_id": ["a"], "tokens": [1e9], "loss": [math.nan]}), tmp_path / "runs.parquet")
    with pytest.raises(BadInput, match="can not write"):
        write_runs(pl.DataFrame(ROW), Path("/proc/none/runs.csv"))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "runs.csv"
    write_runs(pl.DataFrame(ROW), path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(BadInput, match="No space left on device"):
        write_runs(pl.DataFrame(ROW), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["runs.csv"]


def test_a_byte_order_mark_and_spaces_around_numbers_are_read(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("run_id,tokens,loss,annealed\na, 1e9 ,3,TRUE\n", encoding="utf-8-sig")
    [row] = read_runs(path).to_dicts()
    assert (row["run_id"], row["tokens"], row["annealed"]) == ("a", 1e9, True)


def test_the_documentation_lists_the_columns_as_they_are():
    page = (Path(__file__).parents[2] / "docs" / "runs.md").read_text(encoding="utf-8")
    listed = [line for line in page.splitlines() if line.startswith("| `")]
    assert listed == [f"| `{name}` | {column.allowed} | {column.meaning} |" for name, column in COLUMNS.items()]
