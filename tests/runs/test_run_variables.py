"""The variables of laws from rows: the same as the laws' own where the shape is known, honest where it is not."""

import numpy as np
import polars as pl
import pytest

from moeconomics.errors import BadInput
from moeconomics.laws.variables import VARIABLES
from moeconomics.runs import read_runs, shape_to_json, variables_for, write_runs
from moeconomics.shapes import GroupedQuery, Layers, ModelShape

ATTENTION = GroupedQuery(n_heads=8, n_kv_heads=2, head_dim=64)
DENSE = ModelShape(vocab_size=32000, d_model=512, n_layers=8, d_ff=2048, attention=ATTENTION)
MOE = ModelShape(
    vocab_size=32000, d_model=512, n_layers=8, d_ff=2048, d_expert=512, n_experts=64, top_k=6,
    n_shared_experts=2, d_shared=512, moe_layers=Layers(every=2), attention=ATTENTION,
)  # fmt: skip
COUNTS = {"run_id": "c", "tokens": 2e9, "loss": 3.0, "n_params": 1e8}


def table(tmp_path, *rows):
    write_runs(pl.DataFrame(list(rows), infer_schema_length=None), tmp_path / "runs.parquet")
    return read_runs(tmp_path / "runs.parquet")


def one(tmp_path, name, **columns):
    [value] = variables_for(table(tmp_path, COUNTS | columns), (name,)).values[name]
    return value


def test_an_unknown_variable_is_answered_with_the_nearest_and_all_of_the_laws_are_known(tmp_path):
    with pytest.raises(BadInput, match="Did you mean 'n_active'") as caught:
        variables_for(table(tmp_path, COUNTS), ("n_actve",))
    assert str(caught.value).split("Known: ")[1].split(", ") == sorted(VARIABLES)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_known_shape_gives_what_the_law_would_read(tmp_path, name):
    rows = [
        {"run_id": f"{tokens}-{number}", "shape": shape_to_json(shape), "tokens": tokens, "loss": 3.0}
        for tokens in (1e9, 3e10)
        for number, shape in enumerate((DENSE, MOE))
    ]
    found = variables_for(table(tmp_path, *rows), (name,))
    wanted = [float(VARIABLES[name].of(shape, tokens)) for tokens in (1e9, 3e10) for shape in (DENSE, MOE)]
    np.testing.assert_allclose(found.values[name], wanted, rtol=1e-12)
    assert not found.notes


@pytest.mark.parametrize(
    ("name", "columns", "value"),
    [
        ("n_dense", {}, 1e8),
        ("n_dense_non_embedding", {}, 1e8),
        ("n_active", {"n_active": 2e8}, 2e8),
        ("n_active", {"n_experts": 1}, 1e8),
        ("n_active", {"n_experts": 1, "n_total": 3e8}, 3e8),
        ("n_active", {"n_experts": 8, "top_k": 1}, 1e8),
        ("n_total", {"n_total": 9e8}, 9e8),
        ("n_total", {"n_experts": 1}, 1e8),
        ("experts", {"n_experts": 8}, 8),
        ("experts", {"n_experts": 64, "granularity": 4.0}, 16),
        ("expert_share", {"n_experts": 8, "top_k": 2}, 0.25),
        ("expert_share", {"n_experts": 1}, 1),
        ("granularity", {"n_experts": 1}, 1),
        ("activated_experts", {"n_experts": 8, "top_k": 2, "n_shared_experts": 1}, 3),
        ("shared_share", {"n_experts": 8, "top_k": 3, "n_shared_experts": 1}, 0.25),
        ("activation_ratio", {"n_experts": 7, "top_k": 1, "n_shared_experts": 1}, 0.25),
        ("train_flops_non_embedding", {"n_active": 2e8}, 6 * 2e8 * 2e9),
        ("tokens_per_active", {"n_active": 2e8}, 10),
        ("unique_tokens", {}, 2e9),
        ("unique_tokens", {"unique_tokens": 1e9}, 1e9),
        ("weight_sparsity", {}, 0),
    ],
)
def test_counts_give_what_follows_from_them(tmp_path, name, columns, value):
    assert one(tmp_path, name, **columns) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "columns", "column"),
    [
        ("n_active", {"n_experts": 8, "top_k": 2}, "n_active, or shape"),
        ("n_active", {"top_k": None}, "n_active, or shape"),
        ("n_total", {"n_experts": 8}, "n_total, or shape"),
        ("experts", {}, "n_experts, or shape"),
        ("granularity", {"n_experts": 8}, "granularity, or shape"),
        ("activated_experts", {"n_experts": 8, "top_k": 2}, "top_k and n_shared_experts, or shape"),
        ("ling_granularity", {"n_experts": 8}, "shape"),
    ],
)
def test_what_the_table_does_not_give_is_refused_with_the_column_that_would(tmp_path, name, columns, column):
    rows = table(
        tmp_path, COUNTS | {"n_experts": None} | columns, COUNTS | {"run_id": "b", "shape": shape_to_json(MOE)}
    )
    with pytest.raises(BadInput) as caught:
        variables_for(rows, ("tokens", name))
    assert f"{name} for 1 of 2 rows (first: c); fill the column {column}" in str(caught.value)
    assert str(caught.value).endswith(column)


def test_clark_rows_give_their_law_and_say_what_they_count(shared_folder):
    runs = read_runs(shared_folder / "data" / "losses" / "clark2022_routed_final.csv")
    found = variables_for(runs, ("n_dense_non_embedding", "experts", "tokens"))
    assert found.values["experts"].max() == 512
    np.testing.assert_array_equal(found.values["n_dense_non_embedding"], runs["n_params"])
    assert found.notes == ("experts: granularity is unknown for 210 rows; taken as wide as the dense FFN",)
    [note] = variables_for(runs, ("n_dense",)).notes
    assert note == "n_dense is meant with embeddings; 223 rows count without, taken as they are"
    with pytest.raises(BadInput, match=r"n_active for 12 of 223 rows .*fill the column n_active"):
        variables_for(runs, ("n_active",))
    top_1 = runs.filter(pl.col("top_k") == 1)
    widened = variables_for(top_1, ("n_active",)).values["n_active"][(top_1["flop_increase"] > 1).to_numpy()]
    np.testing.assert_array_equal(widened, runs.filter(pl.col("flop_increase") > 1)["n_total"])


def test_a_table_that_does_not_say_whether_it_counts_embeddings_is_noted(shared_folder):
    folder = shared_folder / "data" / "losses"
    [note] = variables_for(read_runs(folder / "chinchilla_epoch.csv"), ("n_dense", "tokens")).notes
    assert "245 rows do not say" in note
    assert not variables_for(read_runs(folder / "gadre2024_overtraining.csv"), ("n_dense",)).notes
    repeated = variables_for(read_runs(folder / "muennighoff2023_data_constrained.csv"), ("tokens", "unique_tokens"))
    assert (repeated.values["tokens"] >= repeated.values["unique_tokens"]).all()
    assert repeated.values["unique_tokens"].min() == 1e8
