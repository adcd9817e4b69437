"""What was trained is what transformers and vLLM serve, and a difference is found."""

import json
import sys

import pytest
import test_train
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from moeconomics.training import train
from moeconomics.training.export import NEW_TOKENS, NOISE, compare_greedy, export_model

text, spec_of = test_train.text, test_train.spec_of
ARCHITECTURES = {
    "yun2024": {},
    "yun2024-dense": {"experts": 1},
    "joint2025": {"architecture": "joint2025"},
    "mixtral": {"architecture": "mixtral", "d_model": 64},
    "deepseek": {"architecture": "deepseek", "experts": 8, "d_ff": 256},
    "bytes": {"data": {"tokenizer": "bytes"}},
}


def trained(text, folder, **changes):
    """The folder of a tiny trained run."""
    changes["data"] = spec_of(text).data.model_dump() | changes.get("data", {})
    spec = spec_of(text, **changes)
    train(spec, folder)
    return folder / spec.run_id


@pytest.mark.parametrize("changes", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_an_export_opens_in_transformers_as_it_was_trained(run, text, tmp_path, changes):
    checkpoint = export_model(trained(text, tmp_path / "runs", tokens=(64 * 12,), **changes), tmp_path / "served")
    folder = tmp_path / "served"

    words = "  def f(x):\n\treturn x , 'é' # 🙂 word1 word2\r\n"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(words)["input_ids"]
    assert tokenizer.decode(ids) == words
    assert tokenizer("<|endoftext|>")["input_ids"] == [tokenizer.eos_token_id]

    served, own = (AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32) for path in (folder, checkpoint))
    assert max(ids) < served.config.vocab_size
    assert served.config.eos_token_id == GenerationConfig.from_pretrained(folder).eos_token_id == tokenizer.eos_token_id
    with torch.no_grad():
        torch.testing.assert_close(served(torch.tensor([ids])).logits, own(torch.tensor([ids])).logits)

    code, out, _ = run("verify-export", str(folder), "--without-vllm", "--json")
    assert code == 0
    [logits] = json.loads(out)["checks"]
    assert logits["holds"]
    assert logits["words"] == "128 positions"


def scale(folder, factor, *parts):
    """Multiply the weights that have one of `parts` in their names."""
    weights = load_file(folder / "model.safetensors")
    for name in weights:
        if any(part in name for part in parts):
            weights[name] *= factor
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def test_changed_weights_are_found(run, text, tmp_path):
    export_model(trained(text, tmp_path / "runs"), tmp_path / "served")
    scale(tmp_path / "served", 1.5, "layers.1.mlp.experts.3.down_proj")
    code, out, err = run("verify-export", str(tmp_path / "served"), "--without-vllm")
    assert code == 2
    assert "NO" in out
    assert "is not what was trained" in err


def test_the_run_with_most_steps_is_taken_unless_one_is_named(run, text, tmp_path):
    home = trained(text, tmp_path / "runs")  # 12 and 20 steps
    code, out, _ = run("export", str(home), str(tmp_path / "served"), "--json")
    assert code == 0
    assert json.loads(out)["checkpoint"] == str(home / "models" / "20")
    assert "verification.npz" in json.loads(out)["files"]
    code, out, _ = run("export", str(home / "models" / "12"), str(tmp_path / "served"))  # over the earlier export
    assert code == 0
    assert str(home / "models" / "12") in out
    assert run("verify-export", str(tmp_path / "served"), "--without-vllm")[0] == 0


def test_greedy_tokens_are_the_same_another_or_a_tie(text, tmp_path):
    export_model(trained(text, tmp_path / "runs"), tmp_path / "served")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "served", dtype=torch.float32)
    prompts = torch.arange(12).view(2, 6)
    text_after = model.generate(prompts, do_sample=False, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS)
    tokens = text_after[:, 6:]
    with torch.no_grad():
        logprobs = model(text_after).logits[:, 5:-1].log_softmax(-1).gather(2, tokens[..., None])[..., 0]

    greedy, same = compare_greedy(model, prompts, tokens, logprobs)
    assert greedy.holds
    assert same.holds
    assert greedy.words == "64 of 64 tokens the same"
    assert not compare_greedy(model, prompts, tokens, logprobs + 2 * NOISE)[1].holds
    assert not compare_greedy(model, prompts, tokens, logprobs * float("nan"))[1].holds

    last = int(tokens[1, -1])
    other = (last + 1) % model.config.vocab_size
    tokens[1, -1] = other  # nothing is read after the last one
    greedy, _ = compare_greedy(model, prompts, tokens, logprobs)
    assert not greedy.holds
    assert f"no tie: prompt 1, new token 31: vLLM {other}, transformers {last}" in greedy.words

    with torch.no_grad():
        model.lm_head.weight[other] = model.lm_head.weight[last]  # now both have the same logit
    greedy, _ = compare_greedy(model, prompts, tokens, logprobs)
    assert greedy.holds


def test_mistakes_of_export_are_answered_in_words(run, text, tmp_path):
    used = tmp_path / "used"
    used.mkdir()
    (used / "thesis.tex").touch()
    home = trained(text, tmp_path / "runs", tokens=(64 * 12,))
    for given, target, message in (
        (tmp_path / "runs", tmp_path / "served", "holds no trained model"),
        (home, used, "is no earlier export"),
        (home, used / "thesis.tex", "is no earlier export"),
        (home, used / "thesis.tex" / "served", "can not write to"),
    ):
        code, _, err = run("export", str(given), str(target))
        assert code == 2
        assert message in err
    (home / "models" / "12" / "model.safetensors").write_bytes(b"cut off")
    code, _, err = run("export", str(home), str(tmp_path / "served"))
    assert code == 2
    assert "transformers can not open" in err
    assert not (tmp_path / "served").exists()
    assert sorted(path.name for path in used.iterdir()) == ["thesis.tex"]


def test_mistakes_of_verify_export_are_answered_in_words(run, text, tmp_path):
    code, _, err = run("verify-export", str(tmp_path), "--without-vllm")
    assert code == 2
    assert "`moeconomics export` writes the folder" in err
    export_model(trained(text, tmp_path / "runs"), tmp_path / "served")
    code, _, err = run("verify-export", str(tmp_path / "served"), "--vllm", str(tmp_path / "python"))
    assert code == 2
    assert "make vllm-env" in err
    code, _, err = run("verify-export", str(tmp_path / "served"), "--vllm", sys.executable)
    assert code == 2
    assert "does not serve" in err
    assert "No module named 'vllm'" in err


@pytest.mark.vllm
@pytest.mark.parametrize("name", ["yun2024", "yun2024-dense", "deepseek"])
def test_vllm_serves_what_was_trained(run, text, tmp_path, vllm, name):
    # vLLM's CPU attention has heads of 32 and more.
    changes = {"d_model": 64, "head_dim": 32} | ARCHITECTURES[name]
    export_model(trained(text, tmp_path / "runs", tokens=(64 * 40,), **changes), tmp_path / "served")
    code, out, err = run("verify-export", str(tmp_path / "served"), "--vllm", vllm, "--json")
    assert code == 0, f"{out}\n{err}"
    _, greedy, logprobs = json.loads(out)["checks"]
    assert greedy["words"].startswith("256 of 256 tokens the same")
    assert logprobs["largest"] < NOISE / 2


@pytest.mark.vllm
def test_vllm_that_serves_another_model_is_found(run, text, tmp_path, vllm):
    checkpoint = trained(text, tmp_path / "runs", **ARCHITECTURES["deepseek"]) / "models" / "20"
    scale(checkpoint, 30, "mlp.gate.weight", "down_proj")  # after so little training experts and router decide nothing
    export_model(checkpoint, tmp_path / "served")
    path = tmp_path / "served" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    del config["scoring_func"]  # vLLM then takes a softmax where training had sigmoids; transformers never reads it
    path.write_text(json.dumps(config), encoding="utf-8")
    code, out, err = run("verify-export", str(path.parent), "--vllm", vllm, "--json")
    assert code == 2
    assert [check["holds"] for check in json.loads(out)["checks"]][::2] == [True, False]
    assert "log-probabilities" in err
