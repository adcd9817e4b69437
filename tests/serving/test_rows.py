"""Tables of configurations: each row answered as the same fixed configuration, or with the reason why not."""

import json

import polars as pl
import pytest

from moeconomics.errors import BadInput
from moeconomics.serving import answer_rows, cost
from moeconomics.shapes import get_model

MOE = get_model("mixtral-8x7b")


ROW = {
    "model": "mistralai/Mixtral-8x7B-v0.1",
    "hardware": "H100-SXM-80GB",
    "n_gpus": 2,
    "tp": 2,
    "ep": 1,
    "pp": 1,
    "dp": 1,
    "precision": "bf16",
    "engine": "vllm",
    "input_len": 1024,
    "output_len": 512,
    "concurrency_or_batch": 16,
}


def rows(tmp_path, *changes: dict[str, object]) -> pl.DataFrame:
    path = tmp_path / "rows.csv"
    pl.DataFrame([ROW | change for change in changes], infer_schema_length=None).write_csv(path)
    return path


def test_a_row_is_answered_as_the_same_fixed_configuration(tmp_path):
    answered = answer_rows(rows(tmp_path, {}, {"concurrency_or_batch": 4}), None, None)
    assert answered["pred_status"].to_list() == ["ok", "ok"]
    found = cost(MOE, gpu="H100-SXM-80GB", tp=2, concurrency=16, input_len=1024, output_len=512)
    assert answered["pred_tpot_ms"][0] == pytest.approx(found.tpot_ms)
    assert answered["pred_ttft_ms"][0] == pytest.approx(found.ttft_ms)
    assert answered["pred_tpot_low"][0] == pytest.approx(found.band_low["tpot_ms"])
    assert answered["pred_tpot_ms"][1] < answered["pred_tpot_ms"][0]


def test_a_row_without_an_answer_says_why(tmp_path):
    answered = answer_rows(
        rows(
            tmp_path,
            {"model": "nobody/unknown-1b"},
            {"hardware": "H900"},
            {"precision": "nvfp4"},
            {"tp": 5},
            {"tp": 1},
            {"concurrency_or_batch": None},
            {"engine": "unstated"},
        ),
        None,
        None,
    )
    expected = (
        "unknown model",
        "unknown chip 'H900'",
        "no fp4 rate",
        "can not be split over tp 5",
        "does not fit into H100-SXM-80GB",
        "concurrency_or_batch is not given",
        "engine is not given",
    )
    for status, words in zip(answered["pred_status"], expected, strict=True):
        assert words in status
    assert answered["pred_tpot_ms"].null_count() == len(expected)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tp": "two"}, "tp 'two' is no number"),
        ({"tp": -4}, "no number from 0 up"),
        ({"tp": 1.5}, "not whole numbers of GPUs"),
        ({"tp": "inf"}, "not whole numbers of GPUs"),
        ({"input_len": "1k"}, "input_len '1k' is no number"),
        ({"input_len": 0}, "must be from 1"),
        ({"output_len": "nan"}, "output_len 'nan' is no number"),
        ({"concurrency_or_batch": "16;32"}, "is no number"),
        ({"precision": "  "}, "precision is not given"),
        ({"pp": 100, "tp": 1}, "32 layers can not be split over pp 100"),
        ({"ep": 3, "tp": 8}, "8 experts on 8 GPUs can not be split over ep 3"),
    ],
)
def test_one_wrong_cell_spoils_its_row_only(tmp_path, wrong, words):
    path = tmp_path / "rows.csv"
    lines = [",".join(str(value) for value in row.values()) for row in (ROW | wrong, ROW)]
    path.write_text("\n".join([",".join(ROW), *lines]), encoding="utf-8")
    answered = answer_rows(path, None, None)
    assert words in answered["pred_status"][0]
    assert answered["pred_status"][1] == "ok"


def test_columns_of_any_name_pass_through(tmp_path):
    answered = answer_rows(rows(tmp_path, {"row": 7, "n_gpus": "2 of 8"}), None, None)
    assert answered["row"].to_list() == [7]
    assert answered["pred_status"].to_list() == ["ok"]


def test_an_unstated_tp_takes_the_gpus_that_are_left(tmp_path):
    answered = answer_rows(rows(tmp_path, {"tp": None, "n_gpus": 8, "pp": 2}, {"tp": 4, "pp": 2}), None, None)
    assert answered["pred_tpot_ms"][0] == pytest.approx(answered["pred_tpot_ms"][1])


def test_other_models_come_from_a_folder_of_configs(tmp_path):
    config = {
        **{"model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16},
        **{"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128_256},
    }
    own = tmp_path / "models" / "own-1b"
    own.mkdir(parents=True)
    (own / "config.json").write_text(json.dumps(config), encoding="utf-8")
    answered = answer_rows(rows(tmp_path, {"model": "me/own-1b", "tp": 1}), tmp_path / "models", None)
    assert answered["pred_status"].to_list() == ["ok"]


def test_products_of_tp_and_ep_are_read_as_what_can_exist(tmp_path):
    doubled = {"model": "deepseek-ai/DeepSeek-R1", "hardware": "H200-SXM-141GB", "precision": "fp8"}
    answered = answer_rows(
        rows(tmp_path, doubled | {"tp": 64, "ep": 8, "n_gpus": 64}, doubled | {"tp": 8, "ep": 8, "n_gpus": 8}),
        None,
        None,
    )
    assert answered["pred_tpot_ms"][0] == pytest.approx(answered["pred_tpot_ms"][1])


def test_wide_expert_parallelism_is_no_product(tmp_path):
    wide = {"model": "deepseek-ai/DeepSeek-R1", "hardware": "H200-SXM-141GB", "precision": "fp8", "n_gpus": 16}
    answered = answer_rows(rows(tmp_path, wide | {"tp": 1, "ep": 16, "dp": 16}), None, None)
    assert answered["pred_status"].to_list() == ["ok"]
    found = cost(
        get_model("deepseek-v3"),
        **{"gpu": "H200-SXM-141GB", "precision": "fp8", "dp": 16, "ep": 16, "concurrency": 16},
        **{"input_len": 1024, "output_len": 512},
    )
    assert answered["pred_tpot_ms"][0] == pytest.approx(found.tpot_ms)


def test_a_table_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("model,tp\nx,1\n", encoding="utf-8")
    with pytest.raises(BadInput, match="has no column hardware"):
        answer_rows(tmp_path / "a.csv", None, None)
    with pytest.raises(BadInput, match="No such file"):
        answer_rows(tmp_path / "none.csv", None, None)
