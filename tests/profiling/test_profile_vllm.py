"""vLLM's measurements: a pretended engine with a clock of its own gives known answers; the real one gives a table."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from moeconomics.hardware import get_chip
from moeconomics.profiling import read_models
from moeconomics.serving.profile_table import COLUMNS, read_profile
from moeconomics.shapes import counts
from moeconomics.shapes.huggingface import from_hf

PROGRAM = Path(sys.executable).parent / "moeconomics"
SHAPES = """
sizes: [{d_model: 64, n_layers: 2}, {d_model: 128, n_layers: 2}]
experts: [4]
batches: [1, 4]
contexts: [16, 4096]
steps: 8
input_len: 16
output_len: 8
repeats: 2
"""
PASS_S, PROMPT_S, DECODE_S = 2.0, 0.001, 0.25  # of a step; of a token of a prompt in it; of a token that it decodes
KV_TOKENS = 15_000

# A stand-in for the vLLM package: a step reads waiting prompts up to the limit and decodes one token of the others.
VLLM = f"""
import time
from types import SimpleNamespace as Bag

__version__ = "pretended"
clock = [0.0]
time.perf_counter = lambda: clock[0]


class SamplingParams:
    def __init__(self, max_tokens, **_):
        self.max_tokens = max_tokens


class LLM:
    def __init__(self, model, max_num_batched_tokens, max_num_seqs, **asked):
        assert asked["load_format"] == "dummy" and not asked["enable_prefix_caching"]
        width = __import__("json").load(open(model + "/config.json"))["hidden_size"]
        print("noise on standard output")
        starts = open("starts", "a")
        starts.write(f"{{width}}\\n")
        starts.close()
        if width == 128 and __import__("os").path.exists("hang"):
            time.sleep(1000)
        assert width != 192, "no kernel for 192"
        self.llm_engine = self
        self.limit, self.most, self.all = max_num_batched_tokens, max_num_seqs, []
        self.vllm_config = Bag(
            cache_config=Bag(num_gpu_blocks={KV_TOKENS} // 10, block_size=10),
            scheduler_config=Bag(max_num_seqs=max_num_seqs),
        )

    def add_request(self, name, prompt, params):
        self.all.append(Bag(request_id=name, left=len(prompt["prompt_token_ids"]), end=params.max_tokens, have=[]))

    def has_unfinished_requests(self):
        return bool(self.all)

    def step(self):
        running, budget, grown, seconds = self.all[:self.most], self.limit, [], {PASS_S}
        for one in sorted(running, key=lambda one: one.left):
            part = min(one.left or 1, budget)
            budget -= part
            seconds += part * {PROMPT_S} if one.left else part * {DECODE_S}
            one.left = max(one.left - part, 0)
            if not one.left and part:
                one.have.append(1)
                grown.append(Bag(request_id=one.request_id, outputs=[Bag(token_ids=list(one.have))]))
        clock[0] += seconds
        self.all = [one for one in self.all if len(one.have) < one.end]
        return grown
"""


@pytest.fixture
def pretended(tmp_path, monkeypatch) -> str:
    """A Python whose vLLM is the stand-in."""
    package = tmp_path / "site" / "vllm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(VLLM)
    (package / "platforms.py").write_text("class current_platform:\n    get_device_name = lambda: 'Abacus'\n")
    (tmp_path / "site" / "torch.py").write_text("__version__ = '0'\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift\nPYTHONPATH={tmp_path}/site exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "shapes.yaml").write_text(SHAPES)
    monkeypatch.chdir(tmp_path)
    return str(python)


def starts() -> list[str]:
    return Path("starts").read_text().split()


def test_every_latency_is_what_the_engine_takes(run, pretended):
    code, out, err = run("profile", "shapes.yaml", "--engine", "vllm", "--vllm", pretended, "-o", "p.parquet", "--json")
    assert code == 0, err
    assert json.loads(out) == {"profile": "p.parquet", "rows": 14, "failed": {}}
    frame = read_profile(Path("p.parquet"))
    assert frame.columns == list(COLUMNS)
    for row in frame.iter_rows(named=True):
        batch, length = row["batch"], row["input_len"]
        if row["kind"] == "prefill":
            assert row["prefill_ms"] == pytest.approx(1e3 * (PASS_S + batch * length * PROMPT_S))
            assert row["context"] == length
        elif row["kind"] == "decode":
            assert row["tpot_ms"] == pytest.approx(1e3 * (PASS_S + batch * DECODE_S))
            assert row["tpot_ms_low"] == pytest.approx(row["tpot_ms_high"])
            assert row["context"] == length + 4
        else:  # three times four requests, four at a time: a pass over the prompts and seven steps
            seconds = 8 * PASS_S + 4 * 16 * PROMPT_S + 7 * 4 * DECODE_S
            assert row["output_tok_s"] == pytest.approx(4 * 8 / seconds)
    # Four prompts of 4096 take two passes, and the cache has no room for them.
    cells = frame.filter(pl.col("shape") == "yun2024-d64-l2-e4").select("kind", "batch", "input_len").rows()
    assert ("decode", 4, 4096) not in cells
    assert ("prefill", 1, 4096) in cells
    assert frame["hardware"].unique().to_list() == ["Abacus"]
    assert frame["engine_version"].unique().to_list() == ["pretended, torch 0"]
    assert frame["kv_tokens"].unique().to_list() == [KV_TOKENS]
    assert frame["max_num_seqs"].unique().to_list() == [4]
    assert set(frame["n_experts"]) == {4}


def test_a_long_prompt_that_is_read_in_parts_does_not_enter_the_decode_step(run, pretended):
    text = SHAPES.replace("4096", "3000").replace("[1, 4]", "[4]")
    Path("shapes.yaml").write_text(text)
    code, _, err = run("profile", "shapes.yaml", "--engine", "vllm", "--vllm", pretended, "-o", "p.parquet")
    assert code == 0, err
    long = read_profile(Path("p.parquet")).filter(pl.col("input_len") == 3000)
    assert set(long["kind"]) == {"decode"}  # 12,000 tokens are no single pass
    assert long["tpot_ms"].to_list() == pytest.approx([1e3 * (PASS_S + 4 * DECODE_S)] * 2)


def test_a_killed_command_goes_on_where_it_was(run, pretended):
    Path("hang").touch()
    words = ["profile", "shapes.yaml", "--engine", "vllm", "--vllm", pretended, "-o", "p.parquet"]
    with subprocess.Popen([PROGRAM, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as command:
        _await(lambda: Path("starts").exists() and len(starts()) == 2)
        command.send_signal(signal.SIGKILL)
    before = read_profile(Path("p.parquet"))
    assert before["d_model"].unique().to_list() == [64]
    Path("hang").unlink()

    assert run(*words)[0] == 0
    assert starts() == ["64", "128", "128"]
    after = read_profile(Path("p.parquet"))
    assert after.filter(pl.col("d_model") == 64).equals(before)
    assert set(after["d_model"]) == {64, 128}
    assert run(*words)[0] == 0  # nothing is left
    assert starts() == ["64", "128", "128"]


def test_a_shape_that_vllm_refuses_is_told_and_the_others_are_measured(run, pretended):
    Path("shapes.yaml").write_text(SHAPES.replace("sizes: [", "sizes: [{d_model: 192, n_layers: 2}, "))
    code, _, err = run("profile", "shapes.yaml", "--engine", "vllm", "--vllm", pretended, "-o", "p.parquet")
    assert code == 2
    assert "yun2024-d192-l2-e4: vLLM of" in err
    assert "AssertionError: no kernel for 192" in err
    assert "Traceback" not in err
    assert set(read_profile(Path("p.parquet"))["d_model"]) == {64, 128}


def test_mistakes_are_answered_in_words(run, pretended):
    given = ("shapes.yaml", "--engine", "vllm", "--vllm", pretended)
    assert run("profile", *given, "-o", "p.parquet")[0] == 0
    Path("other.yaml").write_text(SHAPES.replace("steps: 8", "steps: 9"))
    Path("empty.yaml").write_text("batches: [1]\n")
    Path("slip.yaml").write_text("sizes: []\nbatchs: [1]\n")
    Path("odd.yaml").write_text("sizes: [{d_model: 80, n_layers: 2}]\n")
    Path("twice.yaml").write_text("sizes: [{d_model: 64, n_layers: 2}]\nexperts: [2, 2]\n")
    Path("config.json").write_text(
        '{"model_type": "llama", "vocab_size": 99, "hidden_size": 64, "intermediate_size": 64, '
        '"num_hidden_layers": 2, "num_attention_heads": 2, "quantization_config": {}}'
    )
    for words, message in (
        ((), "either SHAPES --engine vllm"),
        (("--engine", "vllm"), "needs SHAPES"),
        (("shapes.yaml", "--engine", "vllm", "--endpoint", "http://localhost:1"), "either SHAPES --engine vllm"),
        (("shapes.yaml", "--engine", "vllm", "--vllm", "absent"), "make vllm-env"),
        ((*given, "--model", "a"), "--model names a model at an --endpoint"),
        (("other.yaml", *given[1:]), "measured on another grid"),
        (("absent.yaml", *given[1:]), "absent.yaml: No such file"),
        (("empty.yaml", *given[1:]), "names no model"),
        (("slip.yaml", *given[1:]), "Did you mean 'batches'"),
        (("odd.yaml", *given[1:]), "multiple of head_dim 32"),
        (("twice.yaml", *given[1:]), "is there more than once"),
        (("config.json", *given[1:]), "has a quantization_config"),
    ):
        code, _, err = run("profile", *words, "-o", "p.parquet")
        assert code == 2
        assert message in err
        assert "Traceback" not in err
    for target, message in (("p.csv", "named .parquet"), ("no/p.parquet", "there is no folder no")):
        code, _, err = run("profile", *given, "-o", target)
        assert code == 2
        assert message in err


@pytest.mark.vllm
def test_the_real_vllm_is_measured_and_priced(run, tmp_path, vllm):
    shapes, profile = tmp_path / "shapes.yaml", tmp_path / "profile.parquet"
    shapes.write_text(SHAPES.replace("4096", "64"))
    code, _, err = run("profile", str(shapes), "--engine", "vllm", "--vllm", vllm, "-o", str(profile))
    assert code == 0, err
    frame = read_profile(profile)
    assert frame.height == 2 * (2 * 4 + 1)
    assert frame["kv_tokens"].min() > 10_000
    step, prompt = (
        frame.filter(pl.col("kind") == kind)[name] for kind, name in (("decode", "tpot_ms"), ("prefill", "prefill_ms"))
    )
    assert 0.01 < step.min() < step.max() < 1000
    assert 0.01 < prompt.min() < prompt.max() < 10_000

    config = tmp_path / "config.json"
    config.write_text(frame["config"][0])
    words = ["cost", str(config), "--gpu", "H100-SXM-80GB", "--usd-per-gpu-hour", "0.1", "--max-gpus", "1"]
    words += ["--cost-model", f"profile:{profile}", "--input-len", "32", "--output-len", "16", "--json"]
    code, out, err = run(*words)
    assert code == 0, err
    price = json.loads(out)
    assert price["usd_per_mtok_output"] > 0
    assert price["batch"] in (1, 2, 3, 4)


@pytest.mark.vllm
def test_the_real_vllm_ends_with_the_command_that_is_killed(tmp_path, vllm):
    (tmp_path / "shapes.yaml").write_text(SHAPES)
    mark = tmp_path / "home"
    words = [PROGRAM, "profile", "shapes.yaml", "--engine", "vllm", "--vllm", vllm, "-o", "p.parquet"]
    # Found again by its environment, as nothing else has this one.
    environment = os.environ | {"VLLM_CONFIG_ROOT": str(mark)}
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as command:
        _await(lambda: len(_processes(mark)) >= 2)
        command.send_signal(signal.SIGKILL)
    _await(lambda: not _processes(mark))


def _await(happened, seconds: float = 600) -> None:
    """Give up after far longer than it takes: a busy machine is no failure."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.1)


def _processes(mark: Path) -> list[str]:
    """Processes that have `mark` in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(mark).encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:  # it has ended, or is someone else's
            continue
    return found


@pytest.mark.vllm
def test_the_chip_file_of_this_cpu_is_written_and_read(tmp_path, vllm):
    script = Path(__file__).parents[2] / "studies" / "cpu-vllm-profile" / "measure_chip.py"
    subprocess.run([vllm, script, tmp_path / "cpu.yaml"], check=True, capture_output=True)
    chip = get_chip(str(tmp_path / "cpu.yaml"))
    assert 1e9 < chip.flops("bf16") < 1e14
    assert 1e9 < chip.bytes_per_s_memory < 1e13
    assert chip.link_domain == 1


def test_the_models_of_the_study_are_dense_and_moe_of_four_sizes():
    grid, models = read_models(Path(__file__).parents[2] / "studies" / "cpu-vllm-profile" / "shapes.yaml")
    assert grid.cells == 8
    assert len(models) == 16
    assert {model.shape.n_experts for model in models} == {1, 4, 8, 16}
    for model in models:
        assert counts(from_hf(model.config)).n_total == model.columns()["n_total"]
    assert 3e8 < max(model.columns()["n_total"] for model in models) < 4e8


def test_a_config_of_hugging_face_is_measured_as_it_is(run, pretended):
    config = {"model_type": "mixtral", "vocab_size": 99, "hidden_size": 64, "intermediate_size": 96}
    config |= {"num_hidden_layers": 2, "num_attention_heads": 2, "num_local_experts": 8, "num_experts_per_tok": 2}
    Path("tiny").mkdir()
    Path("tiny/config.json").write_text(json.dumps(config | {"rope_theta": 7.0}))
    code, out, err = run("profile", "tiny", "--engine", "vllm", "--vllm", pretended, "-o", "p.parquet")
    assert code == 0, err
    frame = read_profile(Path("p.parquet"))
    assert set(frame["shape"]) == {"tiny"}
    assert json.loads(frame["config"][0]) == config | {"rope_theta": 7.0}
    assert frame.height == 2 * 3 * 2 + 1
    assert "tiny" in out
