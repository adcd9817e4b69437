"""The commands as a user drives them: tables, JSON, files, exit codes, and never a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moeconomics.shapes import counts
from moeconomics.shapes.huggingface import from_hf

PAPER = ["plan", "--train-flops", "5.15e21", "--gpu", "A100-SXM-40GB", "--max-gpus", "8", "--experts", "1,4,8,16,32"]
MIXTRAL = {
    "model_type": "mixtral",
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
}


@pytest.fixture
def mixtral(tmp_path) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(MIXTRAL), encoding="utf-8")
    return str(path)


def test_plan_prints_json_with_the_stable_keys(run):
    code, out, _ = run(*PAPER, "--json")
    assert code == 0
    answer = json.loads(out)
    assert {"inputs", "candidates", "recommended", "pareto", "warnings"} <= answer.keys()
    wanted = {
        "experts", "rule", "base_experts", "n_dense", "n_active", "n_total", "tokens", "train_flops", "loss",
        "usd_per_mtok_output", "gpus", "batch", "tpot_ms", "extrapolated", "shape",
    }  # fmt: skip
    for one in [*answer["candidates"], answer["recommended"]]:
        assert wanted <= one.keys()
    assert {one["rule"] for one in answer["candidates"]} == {"loss_optimal", "bounded_loss", "bounded_cost"}
    assert answer["inputs"]["train_flops"] == 5.15e21


def test_plan_prints_a_table_and_a_sentence(run):
    code, out, _ = run(*PAPER)
    assert code == 0
    for words in ("Candidates", "Train the ", "Against the loss-optimal 4-expert model", "What binds", "UNVERIFIED"):
        assert words in out
    assert "nan" not in out.casefold().split()


def test_plan_writes_a_model_one_can_build_and_tables_one_can_read(run, tmp_path):
    code, out, _ = run(*PAPER, "--json", "-o", str(tmp_path / "plan"))
    assert code == 0
    answer = json.loads(out)
    written = {path.name for path in (tmp_path / "plan").iterdir() if path.suffix not in (".png", ".svg")}
    assert written == {"report.html", "config.json", "plan.json", "candidates.csv", "pareto.csv"}
    assert counts(from_hf(tmp_path / "plan")).n_total == answer["recommended"]["n_total"]
    assert json.loads((tmp_path / "plan" / "plan.json").read_text(encoding="utf-8")) == answer
    assert pl.read_csv(tmp_path / "plan" / "candidates.csv").height == len(answer["candidates"])
    assert pl.read_csv(tmp_path / "plan" / "pareto.csv").height == len(answer["pareto"])


def test_plan_with_every_law_says_where_the_choice_stands(run):
    code, out, _ = run(*PAPER, "--law", "all")
    assert code == 0
    assert "laws that can answer" in out
    assert "no variable for tokens" in out


def test_cost_answers_for_a_config(run, mixtral):
    code, out, _ = run(
        "cost", mixtral, "--gpu", "H100-SXM-80GB", "--input-len", "1024", "--output-len", "512", "--json"
    )
    assert code == 0
    answer = json.loads(out)
    assert answer["kv_bytes_per_token"] == 131072
    low, high = (answer[band]["usd_per_mtok_output"] for band in ("band_low", "band_high"))
    assert low < answer["usd_per_mtok_output"] < high
    assert answer["usd_per_mtok_total"] == pytest.approx(answer["usd_per_mtok_output"] / 3)
    code, out, _ = run("cost", mixtral)
    assert code == 0
    assert "USD per million output tokens" in out


def test_count_answers_for_a_config(run, mixtral):
    code, out, _ = run("count", mixtral, "--json")
    answer = json.loads(out)
    assert (code, answer["n_total"], answer["n_active"]) == (0, 46_702_792_704, 12_879_925_248)
    assert sum(answer["groups_total"].values()) == answer["n_total"]
    assert sum(answer["groups_active"].values()) == answer["n_active"]
    code, out, _ = run("count", mixtral)
    assert code == 0
    assert "46,702,792,704" in out


def test_laws_and_hardware_list_and_show(run):
    code, out, _ = run("laws")
    assert code == 0
    assert "joint2025 (default)" in out
    assert json.loads(run("laws", "joint2025", "--json")[1])["coefficients"]["delta"] == -0.2285
    assert "not printed" in run("laws", "yun2024")[1]
    code, out, _ = run("hardware")
    assert code == 0
    assert "1 ?" in out, "the unverified price of the A100-40GB is marked"
    assert json.loads(run("hardware", "h100-sxm-80gb", "--json")[1])["bytes_memory"] == 80e9
    assert "commit 77ca49a" in run("hardware", "H100-SXM-80GB")[1]


def test_models_are_known_by_name(run):
    code, out, _ = run("models")
    assert code == 0
    assert "mistralai/Mixtral-8x7B-v0.1" in out
    listed = json.loads(run("models", "--json")[1])
    wanted = {"name", "n_total", "n_active", "n_experts", "top_k", "bytes_kv_per_token", "source", "date"}
    assert all(wanted <= one.keys() for one in listed)
    one = json.loads(run("models", "deepseek-r1", "--json")[1])
    assert (one["name"], one["n_experts"], one["top_k"]) == ("deepseek-ai/DeepSeek-V3", 256, 8)
    assert "Mixtral-8x7B-Instruct-v0.1" in run("models", "mixtral-8x7b")[1]


def test_a_public_model_is_counted_and_priced_by_name(run, mixtral, tmp_path, monkeypatch):
    by_path = run("count", mixtral, "--json")[1]
    assert run("count", "mixtral-8x7b", "--json")[1] == by_path
    assert run("count", "mistralai/Mixtral-8x7B-v0.1", "--json")[1] == by_path
    assert json.loads(run("cost", "Llama-3.1-8B", "--gpu", "H100-SXM-80GB", "--json")[1])["usd_per_mtok_output"] > 0
    # What is there comes first: a folder of that name, here an empty one.
    (tmp_path / "Mixtral-8x7B").mkdir()
    monkeypatch.chdir(tmp_path)
    code, _, error = run("count", "Mixtral-8x7B")
    assert code == 2
    assert "Mixtral-8x7B/config.json: No such file" in error


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["plan"], 2, "give exactly one training budget"),
        (["plan", "--train-flops", "nan"], 2, "train_flops: must be from 1e+12 to 1e+30 FLOPs"),
        (["plan", "--train-flops", "-5"], 2, "train_flops: must be from"),
        (["plan", "--train-flops", "1e21", "--experts", "4,x"], 2, "experts '4,x': give whole numbers"),
        (["plan", "--train-flops", "1e21", "--gpu", "H200"], 2, "Did you mean 'H200-SXM-141GB'"),
        (["plan", "--train-flops", "1e21", "--law", "gone.json"], 2, "gone.json: No such file"),
        (["plan", "--train-flops", "1e21", "--traffic", "gone.yaml"], 2, "gone.yaml: No such file"),
        (["plan", "--train-flops", "1e21", "--precision", "nvfp4"], 2, "A100-SXM-40GB has no fp4 rate"),
        (["plan", "--train-flops", "1e21", "--tpot-ms", "0.02"], 3, "TPOT 0.02 ms"),
        (["plan", "--train-flops", "1e21", "-o", "/proc/none"], 2, "can not write to /proc/none"),
        (["cost", "nowhere"], 2, "unknown model 'nowhere'"),
        (["cost", "nowhere/config.json"], 2, "nowhere/config.json: No such file"),
        (["count", "Mixtral-8x7"], 2, "Did you mean 'Mixtral-8x7B-v0.1'"),
        (["models", "GLM-5"], 2, "zai-org/GLM-5 can not be counted: its sparse attention"),
        (["count", "/dev/null"], 2, "/dev/null"),
        (["laws", "chinchila2022"], 2, "Did you mean 'chinchilla2022'"),
        (["hardware", "B300"], 2, "Did you mean 'B300-SXM'"),
    ],
)
def test_mistakes_are_answered_in_words(run, words, code, message):
    ended, out, err = run(*words)
    assert ended == code
    assert message in err
    assert not out


def test_a_wrong_option_is_a_usage_error_with_the_nearest(run):
    code, _, err = run("plan", "--train-flop", "1e21")
    assert code == 2
    assert "--train-flops" in err


def test_a_model_that_does_not_fit_ends_with_3(run, mixtral):
    code, _, err = run("cost", mixtral, "--gpu", "A100-SXM-40GB", "--gpus", "1")
    assert code == 3
    assert "GB are missing on 1 x A100-SXM-40GB" in err


def test_a_failed_write_leaves_the_old_file_whole(run, tmp_path, monkeypatch):
    folder = tmp_path / "plan"
    assert run(*PAPER, "-o", str(folder))[0] == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    code, _, err = run(*PAPER, "-o", str(folder))
    assert code == 2
    assert "No space left on device" in err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_program_starts_as_a_module_of_its_own():
    program = Path(sys.executable).parent / "moeconomics"
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    for command in ("plan", "cost", "count", "laws", "hardware"):
        assert command in done.stdout


NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.integers(-(10**30), 10**30).map(str),
    st.sampled_from(["", "0", "1e21", "1e999", "-0", "x", "１", "1,2", "0x10", "1_000"]),
)
NAMES = st.one_of(
    st.sampled_from(
        ["A100-SXM-40GB", "B200-SXM-180GB", "RTX4090", "joint2025", "abnar2025", "yun2024", "size", "chat"]
    ),
    st.text(max_size=12).filter(lambda text: not text.startswith("-") and "\x00" not in text),
)
OPTIONS = {
    "--train-flops": NUMBERS, "--train-usd": NUMBERS, "--train-gpu-hours": NUMBERS, "--mfu": NUMBERS,
    "--max-gpus": NUMBERS, "--usd-per-gpu-hour": NUMBERS, "--input-len": NUMBERS, "--output-len": NUMBERS,
    "--rps": NUMBERS, "--ttft-ms": NUMBERS, "--tpot-ms": NUMBERS, "--utilisation": NUMBERS,
    "--lifetime-tokens": NUMBERS, "--unique-tokens": NUMBERS, "--vocab-size": NUMBERS, "--seq-len": NUMBERS,
    "--base-experts": NUMBERS, "--gpu": NAMES, "--train-gpu": NAMES, "--law": NAMES, "--traffic": NAMES,
    "--precision": NAMES, "--cost-model": NAMES, "--architecture": NAMES, "--flop-count": NAMES, "--price": NAMES,
    "--experts": st.one_of(NUMBERS, st.lists(st.integers(-1, 300), max_size=6).map(lambda e: ",".join(map(str, e)))),
}  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    options=st.dictionaries(st.sampled_from(sorted(OPTIONS)), st.none(), max_size=4).flatmap(
        lambda chosen: st.fixed_dictionaries({name: OPTIONS[name] for name in chosen})
    ),
    budget=st.booleans(),
)
def test_no_value_of_any_option_gives_a_traceback(run, options, budget):
    words = ["plan", *(["--train-flops", "1e21"] if budget and "--train-flops" not in options else [])]
    for name, value in options.items():
        words += [f"{name}={value}"]
    code, out, err = run(*words, "--json")
    assert code in (0, 2, 3), err
    assert "Traceback" not in err
    if code == 0:
        assert json.loads(out)["recommended"]["loss"] > 0
    else:
        assert err.strip()
