"""`cost` and `calibrate` as a user drives them."""

import json

import polars as pl
import pytest

KEYS = {
    *("tpot_ms", "ttft_ms", "output_tok_s_per_gpu", "usd_per_mtok_output", "usd_per_mtok_input", "gpus", "tp", "ep"),
    *("pp", "dp", "batch", "kv_bytes_per_token", "memory_gb", "band_low", "band_high", "provenance", "warnings"),
}


def test_cost_json_has_the_keys_that_programs_read(run):
    code, out, _ = run(
        *("cost", "deepseek-v3", "--gpu", "H200-SXM-141GB", "--precision", "fp8", "--tp", "8", "--concurrency", "64"),
        *("--input-len", "1024", "--output-len", "1024", "--json"),
    )
    answer = json.loads(out)
    assert code == 0
    assert set(answer) >= KEYS
    assert answer["tp"] == 8
    assert answer["batch"] == 64
    assert answer["band_low"]["tpot_ms"] < answer["tpot_ms"] < answer["band_high"]["tpot_ms"]
    assert "calibrated" in answer["provenance"]["serving"]
    assert "left out" in answer["provenance"]["error band"]


def test_cost_prints_each_estimate_with_its_band_and_source(run):
    code, out, _ = run("cost", "mixtral-8x7b", "--gpu", "H100-SXM-80GB", "--mode", "auto", "--grid-kg-per-kwh", "0.3")
    assert code == 0
    for words in ("time per output token (TPOT), ms", "KV cache per token", "CO2, kg", "error band: measured"):
        assert words in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["cost"], 2, "give MODEL"),
        (["cost", "mixtral-8x7b", "-o", "x.csv"], 2, "belong to --batch-file"),
        (["cost", "mixtral-8x7b", "--batch-file", "x.csv"], 2, "takes its models from the table"),
        (["cost", "mixtral-8x7b", "--mode", "both"], 2, "mode"),
        (["cost", "mixtral-8x7b", "--engine", "vlm"], 2, "unknown engine"),
        (["cost", "mixtral-8x7b", "--report", "x.pdf"], 2, "a report is .html"),
        (["cost", "mixtral-8x7b", "--tp", "1", "--gpu", "RTX4090"], 3, "does not fit"),
        (["cost", "mixtral-8x7b", "--tp", "8", "--tpot-ms", "0.5"], 3, "misses TPOT 0.5 ms"),
        (["calibrate", "nowhere"], 2, "No such file"),
        (["calibrate", "profile.parquet"], 2, "a profile needs --gpu"),
        (["calibrate", "nowhere", "--gpu", "L40S"], 2, "--gpu is for a profile"),
    ],
)
def test_mistakes_end_in_words(run, words, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended, _, err = run(*words)
    assert ended == code
    assert message in err
    assert "Traceback" not in err


def test_a_batch_file_is_answered_row_by_row(run, tmp_path):
    rows = {
        "model": ["Qwen/Qwen3-30B-A3B", "nobody/unknown"],
        "hardware": ["H100-SXM-80GB", "H100-SXM-80GB"],
        **{name: [value, value] for name, value in {"n_gpus": 2, "tp": 2, "ep": 1, "pp": 1, "dp": 1}.items()},
        **{"precision": ["fp8", "fp8"], "engine": ["sglang", "sglang"]},
        **{"input_len": [1024, 1024], "output_len": [1024, 1024], "concurrency_or_batch": [32, 32]},
    }
    pl.DataFrame(rows).write_csv(tmp_path / "rows.csv")
    code, out, _ = run("cost", "--batch-file", str(tmp_path / "rows.csv"), "-o", str(tmp_path / "out.csv"))
    assert code == 0
    assert "Answered 1 of 2 rows" in out
    answered = pl.read_csv(tmp_path / "out.csv")
    assert answered["pred_status"][0] == "ok"
    assert "unknown model" in answered["pred_status"][1]
    assert answered["pred_tpot_low"][0] < answered["pred_tpot_ms"][0] < answered["pred_tpot_high"][0]


def test_the_chart_is_one_file_that_opens_alone(run, tmp_path):
    code, _, _ = run("cost", "mixtral-8x7b", "--gpu", "H100-SXM-80GB", "--report", str(tmp_path / "chart.html"))
    assert code == 0
    page = (tmp_path / "chart.html").read_text(encoding="utf-8")
    assert "per user" in page
    assert 'src="http' not in page


def test_calibrate_writes_what_cost_reads(run, tmp_path, shared_folder):
    code, out, _ = run(
        "calibrate",
        str(shared_folder / "data" / "serving"),
        "-o",
        str(tmp_path / "own.yaml"),
        "--page",
        str(tmp_path / "accuracy.md"),
    )
    assert code == 0
    assert "tpot" in out
    assert "How accurate the serving model is" in (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    words = ("cost", "mixtral-8x7b", "--gpu", "H100-SXM-80GB", "--tp", "2", "--concurrency", "8", "--json")
    _, own, _ = run(*words, "--calibration", str(tmp_path / "own.yaml"))
    _, shipped, _ = run(*words)
    assert json.loads(own)["tpot_ms"] == pytest.approx(json.loads(shipped)["tpot_ms"], rel=1e-3)
