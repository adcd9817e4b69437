"""A machine's coefficients come back from a profile that they made, and predict models it did not have."""

import json

import numpy as np
import polars as pl
import pytest

from moeconomics.calibration import calibrate_machine, cells_of, predicted_over_measured
from moeconomics.calibration.machine_fits import COEFFICIENTS, _calibration
from moeconomics.errors import BadInput
from moeconomics.hardware import Chip
from moeconomics.serving.profile_table import KINDS
from moeconomics.shapes import ARCHITECTURES, GroupedQuery, ModelShape
from moeconomics.shapes.huggingface import to_hf

CHIP = Chip(
    name="cpu",
    flops_per_s={"bf16": 4e11},
    bytes_memory=2.4e10,
    bytes_per_s_memory=3e10,
    bytes_per_s_link=1e9,
    link="none",
    link_domain=1,
    source_spec={"text": "made up", "date": "2026-11"},
)
TRUE = {name: start for name, (start, _, _) in COEFFICIENTS.items()} | {
    **{"gemm.eta_memory": 0.6, "experts.eta_memory": 0.35, "attention.eta_memory": 0.2},
    **{"gemm.eta_compute": 0.45, "experts.eta_compute": 0.1, "host_us_per_step": 700.0, "interference": 1.2},
}


def shape(d_model: int, layers: int, experts: int) -> ModelShape:
    return ModelShape(
        vocab_size=2048,
        d_model=d_model,
        n_layers=layers,
        d_ff=8 * d_model // 3,
        d_expert=8 * d_model // 3 if experts > 1 else 0,
        n_experts=experts,
        top_k=min(2, experts),
        moe_layers=ARCHITECTURES["yun2024"].moe_layers,
        attention=GroupedQuery(n_heads=d_model // 32, n_kv_heads=d_model // 32, head_dim=32, qk_norm="head"),
    )


def made_profile() -> pl.DataFrame:
    """What a machine with the coefficients `TRUE` would measure."""
    rows = []
    for width, layers in ((192, 4), (384, 6), (768, 8)):
        for experts in (1, 4, 16):
            config = json.dumps(to_hf(shape(width, layers, experts), max_position_embeddings=4096))
            common = {"config": config, "shape": f"{width}-{experts}", "repeats": 1, "output_len": 32}
            common |= {"d_model": width, "n_experts": experts}
            for batch in (1, 4, 16):
                rows.append(common | {"kind": "prefill", "batch": batch, "input_len": 128, "prefill_ms": 1.0})
                rows += [
                    common | {"kind": "decode", "batch": batch, "context": c, "tpot_ms": 1.0} for c in (64.5, 256.5)
                ]
            rows.append(common | {"kind": "load", "batch": 16, "input_len": 128, "output_tok_s": 1.0})
    named = {"hardware": "made up", "engine": "vllm", "engine_version": "0"}
    profile = pl.DataFrame([row | named for row in rows], infer_schema_length=None)
    true = _calibration(TRUE, profile, CHIP)
    filled = []
    for _, part in profile.group_by(["config"], maintain_order=True):
        # The stand-in measurements are 1, so the ratios are the predictions themselves.
        ratios = predicted_over_measured(cells_of(part)[0], true, CHIP)
        for (kind, column), values in zip(KINDS.items(), ratios, strict=True):
            filled.append(part.filter(pl.col("kind") == kind).with_columns(pl.Series(column, values)))
    return pl.concat(filled)


def test_half_of_the_models_predict_the_other_half():
    profile = made_profile()
    names = profile["shape"].unique(maintain_order=True).to_list()
    seen = pl.col("shape").is_in(names[::2])
    found = calibrate_machine(profile.filter(seen), CHIP)
    for one in cells_of(profile.filter(~seen)):
        for ratio in predicted_over_measured(one, found, CHIP):
            assert np.abs(ratio - 1).max() < 0.05
    assert found.engines[0].host_us_per_step == pytest.approx(700, rel=0.2)


def test_the_band_is_the_error_of_models_left_out():
    band = calibrate_machine(made_profile(), CHIP).engines[0].tpot
    assert band is not None
    assert band.rows == 9
    assert 0.95 < band.low <= band.middle <= band.high < 1.05


def test_a_band_needs_two_halves_that_can_be_fitted():
    profile = made_profile()
    five = profile["shape"].unique(maintain_order=True).to_list()[:5]
    assert calibrate_machine(profile.filter(pl.col("shape").is_in(five)), CHIP).engines[0].tpot is None


def test_too_few_models_are_refused():
    profile = made_profile()
    with pytest.raises(BadInput, match="2 shapes"):
        calibrate_machine(profile.filter(pl.col("shape").is_in(["192-1", "192-4"])), CHIP)
