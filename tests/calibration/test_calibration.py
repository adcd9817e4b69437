"""Calibration: known coefficients come back, the shipped file is what the data gives, and accuracy does not slip."""

import numpy as np
import pytest
import yaml

from moeconomics.calibration import calibrate
from moeconomics.calibration.engine_fits import Observed, fit, left_out
from moeconomics.calibration.kernel_fits import Timings, _fit, _paired
from moeconomics.errors import BadInput
from moeconomics.hardware import get_chip
from moeconomics.serving.coefficients import Calibration, Coefficients, shipped
from moeconomics.serving.kernels import Format

WORSE = 1.05  # a score may grow by this factor before the check fails


def test_a_kernel_is_recovered_from_noisy_timings():
    random = np.random.default_rng(0)
    chip = get_chip("H100-SXM-80GB")
    t0_s, eta_memory, eta_compute, rows_half = 12e-6, 0.8, 0.6, 90.0
    rows = random.choice([1, 8, 64, 512, 4096, 16384], 600).astype(float)
    weights = random.choice([1e6, 4e6, 16e6, 64e6, 256e6], 600)
    seconds = t0_s + np.maximum(
        2 * weights / (eta_memory * 3.35e12), 2 * rows * weights * (1 + rows_half / rows) / (eta_compute * 9.89e14)
    )
    found = _fit(
        Timings(
            operator="gemm",
            chip=chip,
            engine="vllm",
            precision="bf16",
            kernel="made up",
            bytes_moved=2 * weights,
            flops=2 * rows * weights,
            rows=rows,
            seconds=seconds * np.exp(random.normal(0, 0.03, 600)),
        )
    )
    assert found.t0_us == pytest.approx(12, rel=0.05)
    assert found.eta_memory == pytest.approx(eta_memory, rel=0.03)
    assert found.eta_compute == pytest.approx(eta_compute, rel=0.03)
    assert found.rows_half == pytest.approx(rows_half, rel=0.15)
    assert found.error_median < 0.04
    assert found.dropped == 0


def test_timings_beyond_the_memory_are_dropped_and_counted():
    size = 40
    bytes_moved = np.geomspace(1e7, 1e9, size)
    seconds = 5e-6 + bytes_moved / (0.8 * 3.35e12)
    seconds[:3] = bytes_moved[:3] / (1.2 * 3.35e12)
    found = _fit(
        Timings(
            operator="gemm",
            chip=get_chip("H100-SXM-80GB"),
            engine="vllm",
            precision="bf16",
            kernel="made up",
            bytes_moved=bytes_moved,
            flops=np.zeros(size),
            rows=np.ones(size),
            seconds=seconds,
        )
    )
    assert (found.rows, found.dropped) == (size - 3, 3)
    assert found.eta_memory == pytest.approx(0.8, rel=0.01)


def observed(size: int, seed: int = 0) -> Observed:
    """Runs of five families on two engines whose coefficients are known: residual 0.8 and 1.1, floor 20 µs."""
    random = np.random.default_rng(seed)
    decode_s = random.uniform(2e-3, 4e-2, size)
    inserted_s = random.uniform(0.05, 1.0, size) * decode_s
    layers = random.choice([32.0, 48.0, 61.0, 80.0], size)
    engine = random.choice(["vllm", "sglang"], size)
    residual = np.where(engine == "vllm", 0.8, 1.1)
    tpot_s = residual * (decode_s + 20e-6 * layers + 1.3 * inserted_s) * np.exp(random.normal(0, 0.02, size))
    ones = np.ones(size)
    family = random.choice([f"family {i}" for i in range(5)], size)
    return Observed(
        source_row=np.arange(size),
        decode_s=decode_s,
        inserted_s=inserted_s,
        prompt_s=ones / 100,
        layers=layers,
        running=ones,
        servers=ones,
        input_len=1000 * ones,
        output_len=1000 * ones,
        concurrency=ones,
        tpot_s=tpot_s,
        ttft_s=0.05 + 2 * ones / 100 + tpot_s / 2,
        output_tok_s=ones,
        is_moe=ones.astype(bool),
        chip=np.full(size, "H100-SXM-80GB"),
        generation=np.full(size, "hopper"),
        engine=engine,
        family=family,
        model=family,
    )


def test_engines_are_recovered_and_a_family_left_out_is_predicted():
    rows = observed(800)
    found = fit(rows)
    assert found.of("hopper vllm")["residual"] == pytest.approx(0.8, rel=0.05)
    assert found.of("hopper sglang")["residual"] == pytest.approx(1.1, rel=0.05)
    assert found.of("hopper vllm")["interference"] == pytest.approx(1.3, rel=0.1)
    tpot, _ = left_out(rows)
    assert np.median(np.abs(tpot / rows.tpot_s - 1)) < 0.02


def test_an_engine_without_runs_gets_the_common_values():
    rows = observed(400)
    only = fit(rows.where(rows.engine == "vllm"))
    assert only.of("hopper sglang") == only.common


def test_the_shipped_calibration_and_its_accuracy_are_what_the_data_gives(calibrated):
    """The scores may not worsen by more than 5 %; the file itself is the one that the command writes."""
    found, _rows, _dropped = calibrated
    assert set(found.scores) == {"tpot", "throughput", "ttft"}
    for name, score in found.scores.items():
        for key in ("median", "p90"):
            assert score[key] <= shipped().scores[name][key] * WORSE, f"{name} {key}"
    assert [one.model_dump(exclude={"rows"}) for one in found.engines] == [
        one.model_dump(exclude={"rows"}) for one in shipped().engines
    ]


def test_the_targets_hold_with_the_family_left_out(calibrated):
    found, rows, _dropped = calibrated
    assert len(rows.tpot_s) > 2000
    assert found.scores["tpot"]["median"] <= 0.15
    assert found.scores["tpot"]["p90"] <= 0.40
    assert found.scores["throughput"]["median"] <= 0.18


def test_r1_and_v3_are_one_family(calibrated):
    _, rows, _ = calibrated
    names = {name: set(rows.family[rows.model == name].tolist()) for name in np.unique(rows.model)}
    assert names["deepseek-ai/DeepSeek-R1"] == names["deepseek-ai/DeepSeek-V3"] == names["nvidia/DeepSeek-R1-NVFP4"]
    assert len(set().union(*names.values())) == 6


TABLES = {
    "ops_gemm.csv": "hardware,engine,precision,m,n,k,latency_ms",
    **{
        f"ops_moe_{engine}.csv": "hardware,precision,distribution,hidden_size,inter_size,topk,num_experts,moe_tp_size,"
        "moe_ep_size,num_tokens,latency_ms"
        for engine in ("vllm", "sglang", "trtllm")
    },
    **{
        f"ops_attention_{phase}.csv": "hardware,engine,kv_cache_dtype,batch_size,num_heads,num_key_value_heads,isl,"
        "step,latency_ms"
        for phase in ("generation", "context")
    },
    "ops_collectives.csv": "hardware,library,num_gpus,op,variant,bytes,latency_us",
    "ops_deepep_ll.csv": "hardware,node_num,num_token,num_topk,hidden_size,dispatch_avg_t_us,combine_avg_t_us",
}


def folder_of(path, **changes: str):
    """A folder of tables with no chip of ours; `changes` are other headers by the table's name."""
    words = {"hardware", "engine", "library", "precision", "kv_cache_dtype", "distribution", "op", "variant"}
    for name, header in TABLES.items():
        columns = changes.get(name.removesuffix(".csv"), header).split(",")
        cells = ("x" if column in words else "0" for column in columns)
        (path / name).write_text(f"{','.join(columns)}\n{','.join(cells)}\n", encoding="utf-8")
    return path


def test_a_table_that_lacks_a_column_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"ops_gemm\.csv has no column latency_ms"):
        calibrate(folder_of(tmp_path, ops_gemm="hardware,engine,precision,m,n,k"))


def test_runs_need_a_measured_time(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "e2e_aic_silicon_agg.csv").write_text("model,tpot_ms\nx,1\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"e2e_aic_silicon_agg\.csv has no column ttft_ms, derived_output_tok_s"):
        calibrate(folder)


def test_attention_that_was_timed_in_one_phase_only_is_left_out():
    fits = [one for one in shipped().kernels if "attention" in one.operator]
    lone = next(one for one in fits if one.operator == "attention")
    kept = _paired([one for one in fits if one.operator == "context_attention"] + [lone])
    assert {one.operator for one in kept} == {"attention", "context_attention"}
    assert len(kept) == 2


def test_a_calibration_without_links_is_refused_in_words():
    bare = shipped().model_copy(update={"links": ()})
    with pytest.raises(BadInput, match="the calibration has no all_reduce"):
        Coefficients.of(bare, get_chip("H100-SXM-80GB"), "vllm", Format.of("bf16", "bf16"))


def test_a_calibration_file_is_checked(tmp_path):
    path = tmp_path / "calibration.yaml"
    path.write_text("- 1\n", encoding="utf-8")
    with pytest.raises(BadInput, match="is no calibration"):
        Calibration.read(path)
    path.write_text(yaml.safe_dump({**shipped().model_dump(mode="json"), "kernels": 3}), encoding="utf-8")
    with pytest.raises(BadInput, match="kernels"):
        Calibration.read(path)
