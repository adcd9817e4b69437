"""The paper's cost model against figures worked out by hand, and what must hold of any price."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moeconomics.errors import BadInput, Infeasible
from moeconomics.hardware import get_chip, get_traffic
from moeconomics.serving import (
    Deployment,
    Efficiency,
    PaperCost,
    Roofline,
    SizeCost,
    cheapest,
    cost,
    gpu_options,
    make_cost_model,
)
from moeconomics.serving.latency import distinct_experts
from moeconomics.shapes import ARCHITECTURES, GroupedQuery, Layers, ModelShape, counts, pick, realise, relaxed

DENSE = ModelShape(
    vocab_size=32_000,
    d_model=4096,
    n_layers=32,
    d_ff=11_008,
    attention=GroupedQuery(n_heads=32, n_kv_heads=32, head_dim=128),
)  # Llama-2-7B: 6,738,415,616 parameters
MOE = replace(DENSE, n_experts=8, top_k=2, d_expert=11_008, moe_layers=Layers(every=2))
IDEAL = Efficiency(compute=1.0, memory=1.0, floor_s_per_layer=0.0)


def deployment(chip: str = "A100-SXM-80GB", gpus: tuple[int, ...] = (1, 2, 4, 8), **traffic: float) -> Deployment:
    profile = get_traffic("chat").with_changes(**traffic)
    return Deployment(chip=get_chip(chip), usd_per_gpu_hour=3.6, traffic=profile, precision="bf16", gpus=gpus)


def test_batch_is_the_memory_left_over_the_mean_cache():
    """Eq. 5 by hand: (0.9·80e9 − 2·6,738,415,616) / (524,288 B/token · (1024 + 1024/2) tokens)."""
    served = PaperCost.roofline(deployment()).serve(DENSE, np.array(1))
    free = 0.9 * 80e9 - 2 * 6_738_415_616
    assert served.batch == math.floor(free / (524_288 * 1536))
    assert served.limited_by == "memory"


def test_decode_at_batch_one_streams_the_weights_and_one_cache():
    """6.607 G weights but the look-up table, and 1000 tokens of cache, at 2.039 TB/s."""
    latency = Roofline(deployment=deployment(), efficiency=IDEAL)
    streamed = 2 * (6_738_415_616 - 32_000 * 4096) + 1000 * 524_288
    assert latency.decode_s(DENSE, 1, 1000, 1) == pytest.approx(streamed / 2.039e12)


def test_prefill_of_a_long_prompt_is_bound_by_compute():
    """2·I·(active but the tables) + causal attention 2·I·(I+1)·d·L + the head once, at 312 TFLOP/s."""
    latency = Roofline(deployment=deployment(), efficiency=IDEAL)
    prompt, body = 4096, 32 * (4 * 4096**2 + 3 * 4096 * 11_008)
    flops = 2 * prompt * body + 2 * prompt * (prompt + 1) * 4096 * 32 + 2 * 32_000 * 4096
    assert latency.prefill_s(DENSE, 1, prompt, 1) == pytest.approx(flops / 312e12)


def test_floor_and_all_reduce_add_up():
    slow = Efficiency(compute=1.0, memory=1.0, floor_s_per_layer=1e-4)
    ideal = Roofline(deployment=deployment(), efficiency=IDEAL)
    floored = Roofline(deployment=deployment(), efficiency=slow)
    assert floored.decode_s(DENSE, 1, 10, 1) - ideal.decode_s(DENSE, 1, 10, 1) == pytest.approx(32 * 1e-4)
    # Two GPUs: half the streaming, plus two all-reduces a layer of 64·4096 bf16 values, 2·(2−1)/2 of them sent.
    halved = ideal.decode_s(DENSE, 64, 10, 1) / 2
    reduced = 32 * 2 * 64 * 4096 * 2 / 300e9
    assert ideal.decode_s(DENSE, 64, 10, 2) == pytest.approx(halved + reduced)


def test_price_is_gpus_times_rate_over_throughput():
    served = PaperCost.roofline(deployment()).at_batch(DENSE, np.array(2), np.array(64.0))
    assert served.usd_per_token_output == pytest.approx(2 * 3.6 / 3600 / served.output_tok_s)
    assert served.output_tok_s == pytest.approx(64 / served.tpot_s)


def test_distinct_experts_known_values():
    """Issue's and serving sheet's formula at its ends: one token touches k, many touch all; E = 1 is one."""
    assert distinct_experts(8, 2, 1) == pytest.approx(2)
    assert distinct_experts(64, 8, 10_000) == pytest.approx(64)
    assert distinct_experts(1, 1, 3) == pytest.approx(1)
    # Qwen3-235B's 128 experts, top-8, 16 tokens: the sheet's 0.64 of the full set.
    assert distinct_experts(128, 8, 16) / 128 == pytest.approx(0.64, abs=0.005)


def test_distinct_experts_is_the_mean_over_random_routing():
    generator = np.random.default_rng(7)
    touched = [
        len({expert for _ in range(5) for expert in generator.choice(16, size=2, replace=False)}) for _ in range(4000)
    ]
    assert np.mean(touched) == pytest.approx(distinct_experts(16, 2, 5), rel=0.01)


def test_an_moe_reads_more_weights_than_its_dense_counterpart_and_less_than_all():
    latency = Roofline(deployment=deployment(), efficiency=IDEAL)
    dense, sparse = (latency.decode_s(shape, 2, 10, 1) for shape in (DENSE, MOE))
    everything = latency.decode_s(replace(MOE, top_k=8), 2, 10, 1)
    assert dense < sparse < everything


def test_targets_shrink_the_batch_until_they_are_met():
    free = PaperCost.roofline(deployment()).serve(DENSE, np.array(8))
    limit = float(free.tpot_s) * 1e3 / 2
    kept = PaperCost.roofline(deployment(tpot_ms=limit)).serve(DENSE, np.array(8))
    assert kept.tpot_s * 1e3 <= limit
    assert kept.limited_by == "latency target"
    more = PaperCost.roofline(deployment()).at_batch(DENSE, np.array(8), kept.batch + 1)
    assert more.tpot_s * 1e3 > limit
    assert kept.usd_per_token_output > free.usd_per_token_output


def test_a_target_that_does_not_bind_changes_nothing():
    free = PaperCost.roofline(deployment()).serve(DENSE, np.array(8))
    kept = PaperCost.roofline(deployment(tpot_ms=1e6, ttft_ms=1e6)).serve(DENSE, np.array(8))
    assert kept.batch == free.batch
    assert kept.limited_by == "memory"


def test_offered_load_is_priced_in_whole_replicas():
    saturated = cost(DENSE, gpu="A100-SXM-80GB", gpus=1, traffic="chat", cost_model="paper")
    light = cost(DENSE, gpu="A100-SXM-80GB", gpus=1, traffic="chat", rps=0.01, cost_model="paper")
    # 0.01 requests/s of 1024 tokens on one A100 that idles most of the time.
    assert light.usd_per_mtok_output == pytest.approx(1.30 / 3600 / (0.01 * 1024) * 1e6)
    assert light.replicas == 1
    assert saturated.replicas is None
    heavy = cost(DENSE, gpu="A100-SXM-80GB", gpus=1, traffic="chat", rps=10_000, cost_model="paper")
    assert heavy.replicas == math.ceil(10_000 * 1024 / saturated.output_tok_s_per_gpu)
    assert heavy.usd_per_mtok_output == pytest.approx(saturated.usd_per_mtok_output, rel=1e-3)
    assert heavy.usd_per_mtok_output >= saturated.usd_per_mtok_output


def test_what_does_not_fit_says_how_many_bytes_are_missing():
    """Weights and the cache of one request of 161.31 + 337.99 tokens, less 0.9 of 24 GB."""
    deep = replace(DENSE, n_layers=60)
    missing = 2 * counts(deep).n_total + 60 * 2 * 4096 * 2 * 499.3 - 0.9 * 24e9
    with pytest.raises(Infeasible, match=re.escape(f"does not fit: {missing / 1e9:.3g} GB are missing")) as caught:
        cost(deep, gpu="RTX4090", gpus=1, usd_per_gpu_hour=0.5, cost_model="paper")
    assert caught.value.binding == "memory"
    assert caught.value.exit_code == 3


def test_an_impossible_target_names_itself():
    with pytest.raises(Infeasible, match=r"misses TPOT 0\.1 ms") as caught:
        cost(DENSE, gpu="A100-SXM-80GB", tpot_ms=0.1)
    assert caught.value.binding == "latency target"


def test_heads_must_divide_over_the_gpus():
    odd = replace(DENSE, attention=GroupedQuery(n_heads=30, n_kv_heads=30, head_dim=128))
    with pytest.raises(Infeasible, match="no multiple of the GPUs"):
        cost(odd, gpu="A100-SXM-80GB", gpus=4, cost_model="paper")


def test_kv_heads_are_copied_when_there_are_more_gpus():
    one_head = replace(DENSE, attention=GroupedQuery(n_heads=32, n_kv_heads=1, head_dim=128))
    model = PaperCost.roofline(deployment())
    weights = 2 * float(counts(one_head).n_total)
    room = model.batch_by_memory(one_head, np.array(8)) / model.batch_by_memory(one_head, np.array(1))
    assert room == pytest.approx((8 * 72e9 - weights) / (72e9 - weights) / 8)


def test_a_missing_rate_is_an_error_not_a_guess():
    with pytest.raises(BadInput, match="A100-SXM-80GB has no fp8 rate; precision may be bf16, int8"):
        cost(DENSE, gpu="A100-SXM-80GB", precision="fp8")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"gpu": "H1000"}, r"unknown chip 'H1000'\. Did you mean 'H100-SXM-80GB'"),
        ({"traffic": "chatt"}, "Did you mean 'chat'"),
        ({"cost_model": "papr"}, "Did you mean 'paper'"),
        ({"precision": "fp9"}, "Did you mean 'fp8'"),
        ({"gpus": 16}, "one link domain of H100-SXM-80GB joins 8"),
        ({"max_gpus": 16}, "max_gpus 16 is outside 1 to 8"),
        ({"input_len": math.nan}, r"input_len: must be from 1 to 1e\+07 tokens \(given: nan\)"),
        ({"output_len": 0}, "output_len: must be from 1"),
        ({"gpu": "TPU-v7-Ironwood"}, r"price .*TPU-v7-Ironwood.*; give --usd-per-gpu-hour"),
        ({"speed": 3}, "unknown field 'speed'"),
    ],
)
def test_bad_input_says_what_is_allowed(inputs, message):
    with pytest.raises(BadInput, match=message):
        cost(DENSE, **{"gpu": "H100-SXM-80GB", **inputs})


@given(price=st.floats(0.01, 100), factor=st.floats(1.1, 10))
def test_cost_is_proportional_to_price(price, factor):
    low = cost(MOE, gpu="H100-SXM-80GB", usd_per_gpu_hour=price).usd_per_mtok_output
    high = cost(MOE, gpu="H100-SXM-80GB", usd_per_gpu_hour=price * factor).usd_per_mtok_output
    assert high / low == pytest.approx(factor)


@given(p=st.floats(1, 20_000), n=st.floats(1, 4000), more=st.floats(1.01, 3))
def test_longer_prompts_never_make_output_cheaper(p, n, more):
    def price(prompt: float) -> float:
        return cost(DENSE, gpu="H200-SXM-141GB", gpus=8, input_len=prompt, output_len=n).usd_per_mtok_output

    assert price(p * more) >= price(p) * (1 - 1e-9)


def test_cheapest_is_the_least_of_the_options():
    model = PaperCost.roofline(deployment())
    each = [float(model.serve(MOE, np.array(gpus)).usd_per_token_output) for gpus in (1, 2, 4, 8)]
    best = cheapest(model, MOE, (1, 2, 4, 8))
    assert best.usd_per_token_output == min(each)
    assert best.gpus == (1, 2, 4, 8)[int(np.argmin(each))]


def test_a_grid_gives_what_each_model_gives_alone():
    model = PaperCost.roofline(deployment(tpot_ms=30.0))
    one = realise(ARCHITECTURES["yun2024"], 3e9, 8, 50_304)
    grid = replace(
        one,
        d_model=np.array([2048, one.d_model, 3072]),
        n_layers=np.array([16, one.n_layers, 24]),
        attention=GroupedQuery(n_heads=np.array([16, one.attention.n_heads, 24]), n_kv_heads=8, head_dim=128),
    )
    together = cheapest(model, grid, (1, 2, 4, 8))
    for index in range(3):
        alone = cheapest(model, pick(grid, index), (1, 2, 4, 8))
        assert together.usd_per_token_output[index] == pytest.approx(float(alone.usd_per_token_output), rel=1e-9)
        assert together.gpus[index] == alone.gpus


def test_bounds_hold_the_estimate():
    found = cost(MOE, gpu="H100-SXM-80GB", cost_model="paper")
    low, high = (band["usd_per_mtok_output"] for band in (found.band_low, found.band_high))
    assert low < found.usd_per_mtok_output < high


def test_size_cost_is_proportional_to_total_parameters():
    served = [SizeCost(deployment=deployment()).serve(shape, np.array(8)) for shape in (DENSE, MOE)]
    ratio = served[1].usd_per_token_output / served[0].usd_per_token_output
    assert ratio == pytest.approx(counts(MOE).n_total / counts(DENSE).n_total)
    # One stream of 13.48 GB at 2.039 TB/s and 1e-3 USD per GPU-second.
    assert served[0].usd_per_token_output == pytest.approx(2 * 6_738_415_616 / 2.039e12 * 1e-3)


def test_gpu_options_are_powers_of_two():
    assert gpu_options(get_chip("H100-SXM-80GB"), 6) == (1, 2, 4)


def test_cost_grows_with_size_as_in_the_papers_figure_2():
    model = make_cost_model("paper", deployment("A100-SXM-40GB"))
    for experts in (1, 4, 8, 16):
        shapes = relaxed(ARCHITECTURES["yun2024"], np.geomspace(1024, 4096, 40), experts, 50_304)
        price = cheapest(model, shapes, (1, 2, 4, 8)).usd_per_token_output
        assert np.all(np.diff(price) > 0)
