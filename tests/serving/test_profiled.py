"""The cost model of measured latencies: exact at what was measured, a law's own between, nothing beyond."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from moeconomics.errors import BadInput
from moeconomics.hardware import get_chip, get_traffic
from moeconomics.serving import Deployment, cheapest, make_cost_model
from moeconomics.serving.profile_table import COLUMNS, read_profile, write_profile
from moeconomics.serving.profiled import OUTSIDE
from moeconomics.shapes import ARCHITECTURES, Ladder, ModelShape, counts, map_dimensions, pick
from moeconomics.shapes.huggingface import to_hf

SIZES = [(64, 2), (128, 2), (256, 2)]
EXPERTS = (1, 4)
BATCHES, LENGTHS, CONTEXTS = (1, 4, 16), (64, 256), (72.0, 264.0)
STEP_MS = 0.5
KV_TOKENS = 4000


def shape_of(d_model: int, n_layers: int, experts: int, architecture: str = "yun2024") -> ModelShape:
    sizes = (np.array([size]) for size in (d_model, n_layers, 3 * d_model, 32))
    return pick(Ladder(ARCHITECTURES[architecture], 2048, *sizes).shapes(experts), 0)


def prefill_ms(shape: ModelShape, prompts: float, length: float) -> float:
    """A law that is linear in logs."""
    return 0.02 * float(counts(shape).n_total / 1e6) ** 0.8 * prompts * length


def tpot_ms(shape: ModelShape, batch: float, context: float) -> float:
    return STEP_MS * float(counts(shape).n_total / 1e6) ** 0.7 * batch**0.4 * (context / 64) ** 0.2


def rows_of(shape: ModelShape) -> list[dict]:
    group = counts(shape)
    told = dict.fromkeys(COLUMNS) | {
        "shape": f"d{shape.d_model}-e{shape.n_experts}",
        "config": json.dumps(to_hf(shape)),
        "n_experts": shape.n_experts,
        "top_k": shape.top_k,
        "n_active": int(group.n_active),
        "n_total": int(group.n_total),
        "kv_tokens": KV_TOKENS,
        "engine": "law",
        "hardware": "paper",
        "dtype": "bf16",
        "repeats": 3,
    }

    def three(name: str, value: float) -> dict[str, float]:
        return {name: value, f"{name}_low": value / 1.1, f"{name}_high": value * 1.2}

    made = []
    for batch in BATCHES:
        for length, context in zip(LENGTHS, CONTEXTS, strict=True):
            cell = {"batch": batch, "input_len": length}
            prefill = three("prefill_ms", prefill_ms(shape, batch, length))
            made.append(told | cell | {"kind": "prefill", "context": length} | prefill)
            made.append(
                told | cell | {"kind": "decode", "context": context} | three("tpot_ms", tpot_ms(shape, batch, context))
            )
    return made


def table_of(*shapes: ModelShape) -> pl.DataFrame:
    return pl.DataFrame([row for shape in shapes for row in rows_of(shape)], schema=COLUMNS)


@pytest.fixture
def profile(tmp_path) -> Path:
    path = tmp_path / "profile.parquet"
    write_profile(table_of(*(shape_of(*size, experts) for size in SIZES for experts in EXPERTS)), path)
    return path


def model_of(path: Path, precision: str = "bf16", **traffic: float):
    lengths = {"input_tokens": 64, "output_tokens": 16} | traffic
    deployment = Deployment(
        chip=get_chip("H100-SXM-80GB"),
        usd_per_gpu_hour=3.6,
        traffic=get_traffic("chat").with_changes(**lengths),
        precision=precision,
        gpus=(1,),
    )
    return make_cost_model(f"profile:{path}", deployment)


def usd_by_hand(shape: ModelShape, batch: float, p: float = 64, n: float = 16, scale: float = 1.0) -> float:
    """Eq. 6: a step decodes `batch` tokens, and a prompt runs in every (n / batch)-th one."""
    prompts = batch / n
    step_ms = min(prompts, 1) * prefill_ms(shape, max(prompts, 1), p) + tpot_ms(shape, batch, p + n / 2)
    return 3.6 / 3600 * scale * step_ms / 1e3 / batch


@pytest.mark.parametrize("experts", EXPERTS)
@pytest.mark.parametrize("size", SIZES)
def test_what_was_measured_is_priced_exactly(profile, size, experts):
    """p + n/2 = 72 and batch 16 are cells of the table."""
    shape = shape_of(*size, experts)
    served = model_of(profile).serve(shape, np.array([1]))
    assert served.batch[0] == 16
    assert served.limited_by[0] == "the largest batch measured"
    assert served.usd_per_token_output[0] == pytest.approx(usd_by_hand(shape, 16), rel=1e-9)
    assert served.usd_low[0] == pytest.approx(usd_by_hand(shape, 16, scale=1 / 1.1), rel=1e-9)
    assert served.usd_high[0] == pytest.approx(usd_by_hand(shape, 16, scale=1.2), rel=1e-9)


def test_a_law_that_is_linear_in_logs_is_found_between_the_cells(profile):
    """Another size, prompt, context and batch than any measured: (4000 / 300) requests fit into the cache."""
    shape = shape_of(192, 2, 4)
    served = model_of(profile, input_tokens=100, output_tokens=200).serve(shape, np.array([1]))
    assert served.batch[0] == math.floor(KV_TOKENS / 300) == 13
    assert served.limited_by[0] == "memory"
    assert served.usd_per_token_output[0] == pytest.approx(usd_by_hand(shape, 13, 100, 200), rel=1e-9)


def test_a_target_of_latency_keeps_the_batch_small(profile):
    shape = shape_of(128, 2, 4)
    free = model_of(profile).serve(shape, np.array([1]))
    bound = model_of(profile, tpot_ms=float(free.tpot_s[0]) * 1e3 / 2).serve(shape, np.array([1]))
    assert bound.tpot_s[0] <= free.tpot_s[0] / 2
    assert 1 <= bound.batch[0] < free.batch[0]
    assert bound.limited_by[0] == "latency target"
    never = model_of(profile, tpot_ms=0.01).serve(shape, np.array([1]))
    assert np.isinf(never.usd_per_token_output[0])
    assert never.limited_by[0] == "latency target"


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (shape_of(320, 2, 4), "size"),
        (shape_of(32, 2, 4), "size"),
        (shape_of(128, 2, 8), "experts"),
        (shape_of(128, 2, 4, "mixtral"), "architecture"),
    ],
)
def test_what_was_not_measured_has_no_price(profile, shape, reason):
    served = cheapest(model_of(profile), shape, (1,))
    assert np.isinf(served.usd_per_token_output)
    assert np.isnan(served.batch)
    assert served.limited_by == f"{OUTSIDE}: {reason}"


def test_two_gpus_were_not_measured(profile):
    served = model_of(profile).serve(shape_of(128, 2, 4), np.array([1, 2]))
    assert np.isfinite(served.usd_per_token_output).tolist() == [True, False]
    assert served.limited_by[1] == f"{OUTSIDE}: GPUs"


def test_an_array_of_shapes_is_priced_like_each_of_them(profile):
    ladder = Ladder(
        ARCHITECTURES["yun2024"],
        2048,
        *(np.array(row) for row in ([64, 96, 160, 320], [2] * 4, [192, 288, 480, 960], [32] * 4)),
    )
    shapes = ladder.shapes(1, 4)
    model = model_of(profile)
    together = cheapest(model, shapes, (1,))
    alone = [float(cheapest(model, pick(shapes, index), (1,)).usd_per_token_output) for index in range(8)]
    assert together.usd_per_token_output.tolist() == pytest.approx(alone)
    assert np.isinf(alone).tolist() == [False, False, False, True] * 2
    grid = map_dimensions(shapes, lambda values: values.reshape(2, 4, 1))
    assert model.serve(grid, np.array([1, 2])).usd_per_token_output.shape == (2, 4, 2)


def test_a_cell_that_is_missing_is_not_bridged(tmp_path):
    """The largest batch of one of two models was not measured: there, and beside it, a smaller one is taken."""
    path = tmp_path / "profile.parquet"
    small, large = shape_of(64, 2, 4), shape_of(256, 2, 4)
    frame = table_of(small, large)
    write_profile(frame.filter((pl.col("shape") != "d256-e4") | (pl.col("batch") < 16)), path)
    model = model_of(path)
    assert model.serve(small, np.array([1])).batch[0] == 16
    for shape in (shape_of(128, 2, 4), large):
        served = model.serve(shape, np.array([1]))
        assert served.batch[0] == 4
        assert served.usd_per_token_output[0] == pytest.approx(usd_by_hand(shape, 4), rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_tokens": 32}, "prompts of 64 to 256 tokens and the traffic has 32"),
        ({"output_tokens": 2000}, "cached tokens of 72 to 264 tokens and the traffic has 1064"),
        ({"precision": "fp8"}, "measured in bf16, not fp8"),
    ],
)
def test_lengths_and_formats_beyond_the_profile_are_refused(profile, changes, message):
    with pytest.raises(BadInput, match=message):
        model_of(profile, **changes)


def test_a_profile_is_checked_when_it_is_read(profile, tmp_path):
    frame = read_profile(profile)
    for name, changed, message in (
        (
            "machines",
            frame.with_columns(hardware=pl.when(pl.col("batch") == 1).then(pl.lit("other")).otherwise("hardware")),
            "mixes hardware other and paper",
        ),
        ("negative", frame.with_columns(tpot_ms_low=-pl.col("tpot_ms")), "tpot_ms_low that is no positive number"),
        ("unknown", frame.with_columns(tpot_ms=pl.lit(None, pl.Float64)), "tpot_ms that is no positive number"),
        ("column", frame.drop("kv_tokens"), "see its column kv_tokens"),
        ("empty", frame.clear(), "has no rows"),
    ):
        path = tmp_path / f"{name}.parquet"
        changed.write_parquet(path)
        with pytest.raises(BadInput, match=message):
            read_profile(path)
    path = tmp_path / "text.parquet"
    path.write_text("no parquet")
    with pytest.raises(BadInput, match="is no parquet file"):
        read_profile(path)
    with pytest.raises(BadInput, match="`moeconomics profile` writes one"):
        model_of(tmp_path / "absent.parquet")


def test_rows_that_can_not_be_told_apart_or_priced_are_refused(profile, tmp_path):
    frame = read_profile(profile)
    path = tmp_path / "twice.parquet"
    again = frame.filter(pl.col("shape") == "d64-e4").with_columns(
        config=pl.lit(json.dumps(to_hf(shape_of(64, 2, 4), max_position_embeddings=99)))
    )
    write_profile(pl.concat([frame, again]), path)
    with pytest.raises(BadInput, match="have the same experts and size"):
        model_of(path)
    write_profile(frame.with_columns(config=pl.lit(None, pl.String)), path)
    with pytest.raises(BadInput, match=r"config.json beside --endpoint"):
        model_of(path)
