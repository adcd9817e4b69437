"""The operator model: its terms against arithmetic by hand, then properties, layouts and load."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moeconomics.errors import BadInput, Infeasible
from moeconomics.hardware import get_chip
from moeconomics.serving import LAYOUTS, Layout, OperatorCost, ServingInputs, cost
from moeconomics.serving.coefficients import Coefficients, shipped
from moeconomics.serving.kernels import Format, Kernel
from moeconomics.serving.latency import distinct_experts
from moeconomics.serving.operators import Operators, busiest_rank
from moeconomics.shapes import GroupedQuery, ModelShape, bytes_kv, counts, get_model

MOE = get_model("mixtral-8x7b")
DENSE = get_model("llama-3.1-8b")
IDEAL = Kernel(t0_s=0.0, eta_memory=1.0, eta_compute=1.0, rows_half=0.0)


def ideal(chip: str = "H100-SXM-80GB") -> Operators:
    """Operators at the chip's peaks, nothing else taking time."""
    found = Coefficients.of(shipped(), get_chip(chip), "vllm", Format.of("bf16", "bf16"))
    kernels = dict.fromkeys(found.kernels, IDEAL)
    links = {"all_reduce": {2: (0.0, np.inf)}, "all_to_all": {8: (0.0, np.inf)}}
    coefficients = replace(found, kernels=kernels, links=links)
    return Operators(chip=get_chip(chip), stored=Format.of("bf16", "bf16"), coefficients=coefficients)


def model(**inputs: object) -> OperatorCost:
    return OperatorCost.of(ServingInputs(**{"gpu": "H100-SXM-80GB", "traffic": "chat", **inputs}).deployment())


def test_a_kernel_saturates_in_bytes_and_in_rows():
    kernel = Kernel(t0_s=1e-6, eta_memory=0.5, eta_compute=0.25, rows_half=100)
    rates = (1e12, 1e14)
    assert kernel.seconds(1e6, 0.0, 1.0, rates) == pytest.approx(1e-6 + 2e-6)
    # At 100 rows half of the quarter of the peak is reached.
    assert kernel.seconds(0.0, 1e10, 100.0, rates) == pytest.approx(1e-6 + 1e10 / (0.125 * 1e14))


def test_an_ideal_decode_step_streams_every_weight_and_the_cache_once():
    times = ideal().decode(DENSE, Layout(tp=1), np.asarray(1.0), np.asarray(1000.0))
    read = 2 * (counts(DENSE).n_total - counts(DENSE).norms - DENSE.vocab_size * DENSE.d_model)  # no look-up table
    cache = bytes_kv(DENSE, 1000, "bf16")
    logits = 2 * DENSE.vocab_size * 4
    assert sum(times.values()) == pytest.approx((read + cache + logits) / 3.35e12, rel=1e-9)


def test_experts_are_read_as_often_as_they_are_touched():
    times = ideal().decode(MOE, Layout(tp=1), np.asarray(4.0), np.asarray(100.0))
    touched = 8 * (1 - (1 - 2 / 8) ** 4)
    activations = 4 * 2 * (2 * 4096 + 3 * 14336) * 2
    bytes_layer = touched * 3 * 4096 * 14336 * 2 + activations
    assert times["experts"] == pytest.approx(32 * bytes_layer / 3.35e12, rel=1e-9)


def test_tensor_parallelism_divides_the_ideal_step():
    one, four = (
        sum(ideal().decode(DENSE, Layout(tp=tp), np.asarray(8.0), np.asarray(500.0)).values()) for tp in (1, 4)
    )
    assert one / four == pytest.approx(4, rel=1e-6)


def test_fewer_requests_than_stages_still_take_a_token_through_every_stage():
    one, eight = (
        sum(ideal().decode(MOE, Layout(pp=np.asarray(pp)), np.asarray(1.0), np.asarray(100.0)).values())
        for pp in (1, 8)
    )
    assert eight == pytest.approx(one, rel=0.05)  # and the sends from stage to stage


def test_a_cached_prefix_is_seen_by_the_tokens_after_it():
    alone, after = (
        ideal().prefill(DENSE, Layout(), np.asarray(1000.0), np.asarray(1000.0), cached)["attention"]
        for cached in (0.0, 9000.0)
    )
    assert after / alone == pytest.approx((9000 + 500) / 500)


def test_links_beyond_a_domain_are_no_faster_than_the_network():
    chip = get_chip("H100-SXM-80GB")
    operators = replace(ideal(), chip=chip.model_copy(update={"bytes_per_s_scaleout": 1e9}))
    inside, outside = (
        operators.decode(DENSE, Layout(tp=np.asarray(tp)), np.asarray(64.0), np.asarray(100.0))["all_reduce"]
        for tp in (8, 16)
    )
    assert inside == 0
    assert outside == pytest.approx(2 * 32 * 64 * 4096 * 2 / 1e9)
    warned = cost(DENSE, gpu="H100-SXM-80GB", tp=16, concurrency=4).warnings
    assert any("leaves the link domain of 8" in words for words in warned)


def test_experts_split_over_attention_ranks_gather_their_tokens():
    slow = ideal()
    links = slow.coefficients.links | {"all_reduce": {8: (0.0, 1e9)}}
    slow = replace(slow, coefficients=replace(slow.coefficients, links=links))
    times = slow.decode(MOE, Layout(dp=np.asarray(8)), np.asarray(64.0), np.asarray(100.0))
    assert times["all_reduce"] == pytest.approx(32 * 64 * 4096 * 2 / 1e9)
    spread = slow.decode(MOE, Layout(dp=np.asarray(8), ep=np.asarray(8)), np.asarray(64.0), np.asarray(100.0))
    assert spread["all_reduce"] == 0


def test_latent_attention_is_copied_and_not_split_by_tensor_parallelism():
    deepseek = get_model("deepseek-v3")
    steady = model(gpu="H200-SXM-141GB", precision="fp8").steady
    one, eight = (steady.bytes_request(deepseek, Layout(tp=tp), 1000) for tp in (1, 8))
    assert one == eight == pytest.approx(61 * 576 * 2 * 1000)


@pytest.mark.parametrize("skew", [0.0, 0.2, 0.4])
def test_touched_experts_and_the_busiest_rank_are_those_of_random_routing(skew):
    random = np.random.default_rng(0)
    experts, top_k, tokens, ranks, draws = 64, 4, 64, 8, 400
    weights = (1 - (np.arange(experts) + 0.5) / experts) ** -skew
    touched, busiest = [], []
    for _ in range(draws):
        placed = random.permutation(weights)
        # Gumbel's trick draws without replacement in proportion to the weights.
        keys = np.log(placed) + random.gumbel(size=(tokens, experts))
        chosen = np.argsort(-keys, axis=1)[:, :top_k]
        load = np.bincount(chosen.ravel(), minlength=experts)
        touched.append(np.count_nonzero(load))
        per_rank = load.reshape(ranks, -1).sum(axis=1)
        busiest.append(per_rank.max() / per_rank.mean())
    shape = replace(MOE, n_experts=experts, top_k=top_k)
    assert np.mean(touched) == pytest.approx(float(distinct_experts(experts, top_k, tokens, skew)), rel=0.02)
    # The bound √(2·ln n) on a largest of n normal loads is a little high for few ranks.
    modelled = float(busiest_rank(shape, Layout(ep=np.asarray(ranks), dp=np.asarray(ranks)), tokens, skew))
    assert 0.95 * np.mean(busiest) < modelled < 1.3 * np.mean(busiest)


@given(st.floats(1, 2000), st.floats(1.01, 4))
def test_a_larger_batch_takes_longer_and_serves_more(batch, factor):
    served = [model().at_batch(DENSE, Layout(tp=np.asarray(8)), np.asarray(size)) for size in (batch, batch * factor)]
    assert served[1].tpot_s >= served[0].tpot_s
    assert served[1].output_tok_s > served[0].output_tok_s


def test_weight_formats_need_a_rate_of_the_chip():
    with pytest.raises(BadInput, match="H100-SXM-80GB has no fp4 rate"):
        cost(MOE, gpu="H100-SXM-80GB", precision="nvfp4")
    # Weights alone in 4 bits are unpacked to bf16, which every chip has; the embedding tables stay in bf16.
    tables = 2 * 32_000 * 4096 / 1e9
    stored = (46.702792704 - tables) / 2 + 2 * tables
    assert cost(MOE, gpu="H100-SXM-80GB", precision="int4").weights_gb == pytest.approx(stored)


def test_mxfp4_stores_only_the_experts_in_four_bits():
    steady = model(precision="mxfp4").steady
    gpt = get_model("gpt-oss-20b")
    group = counts(gpt)
    stored = group.routed_experts * (0.5 + 1 / 32) + 2 * (group.n_total - group.routed_experts)
    assert steady.bytes_weights(gpt, Layout(tp=1)) == pytest.approx(stored)


def test_little_law_links_load_and_running_requests():
    rps, n = 20.0, 1024
    served = model(rps=rps).at_layout(MOE, LAYOUTS["tensor"](np.asarray(8)))
    assert served.running / served.tpot_s * served.replicas == pytest.approx(rps * n, rel=1e-4)
    assert served.running < served.batch
    # The price at the load: all replicas over the tokens that were asked for.
    chip = get_chip("H100-SXM-80GB")
    usd_per_s = served.replicas * 8 * chip.price().usd_per_gpu_hour / 3600
    assert served.usd_per_token_output == pytest.approx(usd_per_s / (rps * n))


def test_an_idle_replica_makes_tokens_dear():
    busy, idle = (cost(MOE, gpu="H100-SXM-80GB", gpus=8, traffic="chat", rps=rps) for rps in (100.0, 0.01))
    assert idle.usd_per_mtok_output > 50 * busy.usd_per_mtok_output
    assert idle.tpot_ms < busy.tpot_ms


def test_a_target_limits_the_batch_and_the_next_request_would_break_it():
    layout = LAYOUTS["tensor"](np.asarray(8))
    free = model().at_layout(MOE, layout)
    limit = float(free.tpot_s) * 1e3 * 0.6
    kept = model(tpot_ms=limit).at_layout(MOE, layout)
    assert kept.limited_by == "latency target"
    assert kept.tpot_s * 1e3 <= limit * (1 + 1e-6)
    assert not np.isfinite(model(tpot_ms=limit).at_batch(MOE, layout, kept.batch + 1).usd_per_token_output)


def test_disaggregated_pools_decode_without_interruption():
    layout = LAYOUTS["tensor"](np.asarray(8))
    together, apart = (model(mode=mode).at_layout(MOE, layout) for mode in ("aggregated", "disaggregated"))
    assert apart.tpot_s < together.tpot_s
    # Seconds of a replica for one request, prompts over answers: as many prefill as decode workers hold that ratio.
    assert apart.prefill_workers == pytest.approx(apart.prefill_share / (1 - apart.prefill_share))
    assert apart.ttft_s > 0


def test_disaggregated_load_runs_on_whole_workers_of_each_pool():
    rps, n = 2000.0, 1024
    served = model(mode="disaggregated", rps=rps).at_layout(MOE, LAYOUTS["tensor"](np.asarray(8)))
    decoding = served.replicas / (1 + served.prefill_workers)
    assert float(decoding) == pytest.approx(round(float(decoding)))
    assert served.running / served.tpot_s * decoding == pytest.approx(rps * n, rel=1e-4)
    # A pool of each kind has a worker at least.
    assert model(mode="disaggregated", rps=0.01).at_layout(MOE, LAYOUTS["tensor"](np.asarray(8))).replicas == 2


@pytest.mark.parametrize("mode", ["aggregated", "disaggregated"])
@pytest.mark.parametrize("rps", [None, 3.0])
def test_a_grid_of_shapes_is_answered_as_each_of_them(mode, rps):
    grid = replace(DENSE, d_model=np.array([[2048], [4096]]), d_ff=np.array([[8192], [14336]]))
    one = replace(DENSE, d_model=2048, d_ff=8192)
    found = model(mode=mode, rps=rps, tpot_ms=100.0, prefix_hit=0.5)
    served = found.serve(grid, np.array([1, 2, 4]))
    assert served.tpot_s.shape == (2, 3)
    alone = found.serve(one, np.asarray(2))
    assert served.usd_per_token_output[0, 1] == pytest.approx(float(alone.usd_per_token_output))
    assert served.running[0, 1] == pytest.approx(float(alone.running))


def test_a_cached_prefix_takes_prefill_away():
    cold, warm = (cost(MOE, gpu="H100-SXM-80GB", gpus=8, traffic="long-prompt", prefix_hit=hit) for hit in (0, 0.9))
    assert warm.usd_per_mtok_output < cold.usd_per_mtok_output
    assert warm.usd_per_mtok_input < 0.2 * cold.usd_per_mtok_input


def test_pipeline_stages_hold_a_model_that_no_gpu_holds():
    served = model().at_layout(MOE, LAYOUTS["pipeline"](np.asarray(4)))
    assert np.isfinite(served.usd_per_token_output)
    assert not np.isfinite(model().at_layout(MOE, LAYOUTS["pipeline"](np.asarray(1))).usd_per_token_output)


def test_a_fixed_configuration_is_answered_as_asked():
    found = cost(MOE, gpu="H100-SXM-80GB", tp=4, ep=4, concurrency=16, input_len=1024, output_len=1024)
    assert (found.gpus, found.tp, found.ep, found.pp, found.dp, found.batch) == (4, 4, 4, 1, 1, 16)
    assert found.band_low["tpot_ms"] < found.tpot_ms < found.band_high["tpot_ms"]
    assert found.band_low["ttft_ms"] <= found.ttft_ms <= found.band_high["ttft_ms"]
    assert set(found.band_low) == set(found.band_high)
    assert found.memory_gb < 80


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"tp": 4, "gpus": 8}, "gpus 8 is not tp·pp·dp = 4"),
        ({"tp": 4, "ep": 3}, "ep 3 does not divide"),
        ({"tp": 4, "cost_model": "paper"}, "cost model paper takes no tp"),
        ({"mode": "disaggregated", "cost_model": "paper"}, "cost model paper takes no mode"),
        ({"engine": "vlm"}, "unknown engine 'vlm'"),
        ({"kv_precision": "fp9"}, "unknown precision 'fp9'"),
        ({"prefix_hit": 1.5}, "prefix_hit"),
        ({"gpus": 16}, "give the layout with --tp"),
    ],
)
def test_wrong_configurations_are_refused_in_words(inputs, message):
    with pytest.raises(BadInput, match=re.escape(message)):
        cost(MOE, gpu="H100-SXM-80GB", **inputs)


def test_what_does_not_fit_names_the_memory():
    with pytest.raises(Infeasible, match="does not fit"):
        cost(get_model("deepseek-v3"), gpu="H100-SXM-80GB", tp=8)


def test_a_layout_that_does_not_divide_names_its_degrees():
    with pytest.raises(Infeasible, match=r"as tp 1, ep 1, pp 1, dp 2.*dense models take no ep or dp"):
        cost(DENSE, gpu="H100-SXM-80GB", dp=2)


def test_a_chip_without_timings_says_from_where_it_borrows():
    found = cost(MOE, gpu="MI300X", gpus=8)
    assert "borrowed" in found.provenance["serving"]
    assert "modelled" in found.provenance["serving"]
    assert "none of them on MI300X" in found.provenance["error band"]
    assert "hopper" in found.provenance["error band"]
    own = cost(MOE, gpu="H100-SXM-80GB", gpus=8)
    assert "borrowed" not in own.provenance["serving"]
    assert "none of them" not in own.provenance["error band"]


def test_energy_is_unknown_without_power_and_co2_without_a_grid():
    known = cost(MOE, gpu="H100-SXM-80GB", gpus=8, grid_kg_per_kwh=0.4)
    assert known.kg_co2_per_mtok_output == pytest.approx(known.energy_wh_per_mtok_output / 1e3 * 0.4)
    # Between idle and full power, for the time that a million tokens take.
    hours = 1e6 / known.output_tok_s_per_gpu / 3600
    assert 0.3 * 700 * 1.2 * hours < known.energy_wh_per_mtok_output < 700 * 1.2 * hours
    assert cost(MOE, gpu="H100-SXM-80GB", gpus=8).kg_co2_per_mtok_output is None
    assert cost(MOE, gpu="TPU-v5p", gpus=8).energy_wh_per_mtok_output is None


def test_an_idle_gpu_draws_its_idle_power():
    rps, n = 0.001, 1024
    found = cost(MOE, gpu="H100-SXM-80GB", gpus=8, traffic="chat", rps=rps)
    assert found.energy_wh_per_mtok_output == pytest.approx(8 * 0.3 * 700 * 1.2 / (rps * n) * 1e6 / 3600, rel=0.05)
    # Half of the time at work: no more than the idle half on top of each token's energy.
    full, half = (cost(MOE, gpu="H100-SXM-80GB", gpus=8, utilisation=share) for share in (1.0, 0.5))
    assert full.energy_wh_per_mtok_output < half.energy_wh_per_mtok_output < 2 * full.energy_wh_per_mtok_output


def test_linear_attention_keeps_a_state_that_does_not_grow():
    qwen = get_model("qwen3-next-80b-a3b-instruct")
    steady = model().steady
    one, two = (float(steady.bytes_request(qwen, Layout(tp=1), tokens)) for tokens in (1000, 2000))
    state = float(qwen.n_linear_layers * qwen.linear_attention.state_bytes())
    assert two - state == pytest.approx(2 * (one - state))


def test_a_relaxed_shape_is_served_without_whole_heads():
    shape = ModelShape(
        vocab_size=50_304,
        d_model=1000.5,
        n_layers=12.5,
        d_ff=4002.0,
        attention=GroupedQuery(n_heads=7.8, n_kv_heads=7.8, head_dim=128),
    )
    assert np.isfinite(model().serve(shape, np.asarray(2)).usd_per_token_output)
