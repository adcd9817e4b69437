"""Public models by name: counted as their papers and cards say, and as `transformers` builds them."""

import csv

import pytest
import torch
from reference import built
from transformers import AutoConfig, AutoModelForCausalLM

from moeconomics.errors import BadInput
from moeconomics.shapes import bytes_kv, bytes_kv_per_token, counts, decode_flops, get_model, head_params, load_models
from moeconomics.shapes.catalogue import get_public_model
from moeconomics.shapes.huggingface import from_hf

# Billions of parameters, total and active, to the digits that the card or paper prints; and how many of the two
# embedding tables its active figure leaves out.
PRINTED = {
    "Mistral-7B-v0.1": ("7.24", "7.24", 0),
    "Mistral-7B-v0.3": ("7.25", "7.25", 0),
    "Mistral-Large-Instruct-2407": ("123", "123", 0),
    "Mixtral-8x7B-v0.1": ("46.7", "12.9", 0),
    "Mixtral-8x22B-v0.1": ("141", "39", 0),
    "Llama-2-7b-hf": ("6.74", "6.74", 0),
    "Llama-2-13b-hf": ("13.0", "13.0", 0),
    "Llama-2-70b-hf": ("69.0", "69.0", 0),
    "Meta-Llama-3-8B": ("8.03", "8.03", 0),
    "Meta-Llama-3-70B": ("70.6", "70.6", 0),
    "Llama-3.1-8B": ("8.03", "8.03", 0),
    "Llama-3.1-70B": ("70.6", "70.6", 0),
    "Llama-3.1-405B": ("406", "406", 0),
    "Llama-4-Scout-17B-16E": ("108", "17", 0),  # the card's 109 holds the vision part
    "Llama-4-Maverick-17B-128E": ("401", "17", 0),
    "Qwen2.5-7B": ("7.61", "7.61", 0),
    "Qwen2.5-32B": ("32.8", "32.8", 0),
    "Qwen2.5-72B": ("72.7", "72.7", 0),
    "Qwen3-8B": ("8.2", "8.2", 0),
    "Qwen3-14B": ("14.8", "14.8", 0),
    "Qwen3-32B": ("32.8", "32.8", 0),
    "Qwen3-30B-A3B": ("30.5", "3.3", 0),
    "Qwen3-235B-A22B": ("235", "22", 0),
    "Qwen3-Coder-480B-A35B-Instruct": ("480", "35", 0),
    "OLMoE-1B-7B-0924": ("6.9", "1.3", 0),
    "DeepSeek-V2-Lite": ("15.7", "2.4", 1),
    "DeepSeek-V2": ("236", "21", 0),
    "DeepSeek-V3": ("671", "37", 1),
    "Kimi-K2-Instruct": ("1026", "32", 1),  # the card: 1T
    "gpt-oss-20b": ("20.9", "3.6", 1),
    "gpt-oss-120b": ("116.8", "5.1", 1),
    "GLM-4.5": ("353", "32", 2),  # the card's 355 holds the prediction head
    "GLM-4.5-Air": ("106", "12", 2),
    "MiniMax-M2": ("229", "10", 2),
    "Qwen3-Next-80B-A3B-Instruct": ("80", "3", 2),
    "Qwen3.5-35B-A3B": ("35", "3", 0),
    "Qwen3.5-122B-A10B": ("122", "10", 0),
    "Qwen3.5-397B-A17B": ("397", "17", 0),
}


def test_every_model_has_a_known_answer():
    assert {name.rpartition("/")[2] for name in load_models()} == PRINTED.keys()


@pytest.mark.parametrize("name", PRINTED)
def test_models_are_counted_as_printed(name):
    def agrees(count: float, printed: str) -> bool:
        """To one unit of the last digit, as some prints are cut off and not rounded."""
        return abs(count / 1e9 - float(printed)) <= 10.0 ** -len(printed.partition(".")[2])

    total, active, tables_left_out = PRINTED[name]
    shape = get_model(name)
    assert agrees(counts(shape).n_total, total)
    assert agrees(counts(shape).n_active - tables_left_out * head_params(shape), active)


@pytest.mark.parametrize("name", load_models())
def test_models_are_counted_as_transformers_builds_them(name):
    config = load_models()[name].config
    assert int(counts(from_hf(config)).n_total) == built(config)


def test_names_lead_to_one_model():
    names = [name for model in load_models().values() for name in (model.name, *model.aliases)]
    assert len({name.casefold() for name in names}) == len(names)
    for model in load_models().values():
        for name in (model.name, *model.aliases):
            assert get_public_model(name) is get_public_model(name.rpartition("/")[2].upper()) is model


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("nvidia/DeepSeek-R1-NVFP4", "deepseek-ai/DeepSeek-V3"),
        ("deepseek-r1-0528", "deepseek-ai/DeepSeek-V3"),
        ("mixtral-8x7b", "mistralai/Mixtral-8x7B-v0.1"),
        ("Kimi-K2.5", "moonshotai/Kimi-K2-Instruct"),
        ("meta-llama/Llama-3.3-70B-Instruct", "meta-llama/Llama-3.1-70B"),
        ("GLM-4.6", "zai-org/GLM-4.5"),
    ],
)
def test_aliases(alias, name):
    assert get_public_model(alias).name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Mixtral-8x7", "Did you mean 'Mixtral-8x7B-v0.1'"),
        ("Qwen/Qwen3-235B-A22", "Did you mean 'Qwen/Qwen3-235B-A22B'"),
        ("glm-5", "zai-org/GLM-5 can not be counted: its sparse attention"),
    ],
)
def test_other_names_are_answered_in_words(name, message):
    with pytest.raises(BadInput, match=message):
        get_model(name)


def test_every_model_that_was_measured_is_known(shared_folder):
    measured = set()
    for path in (shared_folder / "data" / "serving").glob("*.csv"):
        if path.name.startswith(("e2e_", "throughput_", "mlperf_", "published_")):
            with path.open(encoding="utf-8") as file:
                measured |= {row["model"] for row in csv.DictReader(file)}
    assert measured
    for name in measured:
        get_model(name)


def test_linear_attention_keeps_a_state_of_fixed_size():
    shape = get_model("Qwen3.5-397B-A17B")
    assert bytes_kv_per_token(shape, "bf16") == 15 * 2 * 2 * 256 * 2  # 15 of 60 layers, 2 KV heads of 256
    one, two = bytes_kv(shape, 1000, "bf16"), bytes_kv(shape, 2000, "bf16")
    assert two - one == 1000 * bytes_kv_per_token(shape, "bf16")
    state = 64 * 128 * 128 * 4 + 3 * (2 * 16 * 128 + 64 * 128) * 2
    assert one - (two - one) == 45 * state
    # Only the 15 layers that score have work that grows: 4·H·d a token.
    assert decode_flops(shape, 2000) - decode_flops(shape, 1000) == 15 * 1000 * 4 * 32 * 256


def test_the_state_is_what_transformers_keeps():
    small = {"num_hidden_layers": 2, "full_attention_interval": 2, "num_experts": 2, "num_experts_per_tok": 1}
    config = load_models()["Qwen/Qwen3-Next-80B-A3B-Instruct"].config | small | {"hidden_size": 64, "vocab_size": 16}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), dtype=torch.float32)
    with torch.no_grad():
        kept = model(torch.arange(8).reshape(1, 8), use_cache=True).past_key_values.layers[0]
    conv, matrices = kept.conv_states[0], kept.recurrent_states[0]
    # transformers holds `conv_width` inputs; the next token needs all but the oldest.
    conv_elements = conv.numel() // 4 * 3
    assert from_hf(config).linear_attention.state_bytes() == 4 * matrices.numel() + 2 * conv_elements
