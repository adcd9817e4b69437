"""A running server: a pretended one with waits that are known, and vLLM's own."""

import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from moeconomics.serving.profile_table import read_profile
from moeconomics.shapes import ARCHITECTURES, realise
from moeconomics.shapes.huggingface import to_hf

FIRST_S, NEXT_S = 0.05, 0.01
SHAPE = to_hf(realise(ARCHITECTURES["yun2024"], 3e6, 4, 2048))
GRID = "batches: [1, 3]\ncontexts: [8, 16]\nsteps: 4\ninput_len: 8\noutput_len: 5\nrepeats: 2\nmodels: [config.json]\n"


class Server(ThreadingHTTPServer):
    """Streams `x` after known waits, two tokens in each piece, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict] = []
        self.most_at_once = self.at_once = 0
        self.ends_early = self.fails = False
        self.models = ["m"]
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path != "/v1/models":
            self.send_error(404)
            return
        body = json.dumps({"data": [{"id": name, "owned_by": "tests"} for name in self.server.models]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.fails:
            self.send_error(400, "too long")
            return
        with self.server.lock:
            self.server.asked.append(asked)
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        tokens = asked["max_tokens"] - self.server.ends_early
        time.sleep(FIRST_S)
        for number in range(tokens):
            time.sleep(NEXT_S if number else 0)
            self._send({"choices": [{"text": "x"}]})
        self._send({"choices": [], "usage": {"completion_tokens": tokens}})
        with self.server.lock:  # before the client can know of the end and send the next request
            self.server.at_once -= 1
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _send(self, event):
        self._chunk(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config.json").write_text(json.dumps(SHAPE))
    Path("shapes.yaml").write_text(GRID)
    with Server() as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one
        one.shutdown()


def test_a_server_is_measured_as_its_client_sees_it(run, server):
    code, out, err = run("profile", "shapes.yaml", "--endpoint", server.url + "/v1/", "-o", "p.parquet")
    assert code == 0, err
    assert "10 rows are in p.parquet" in out
    frame = read_profile(Path("p.parquet"))
    ttft, tpot = FIRST_S * 1e3, NEXT_S * 1e3
    for row in frame.iter_rows(named=True):
        if row["kind"] in ("prefill", "load"):
            assert ttft <= row["ttft_ms_low"] <= row["ttft_ms"] <= row["ttft_ms_high"] < 10 * ttft
        if row["kind"] == "prefill":
            assert ttft <= row["prefill_ms"] < 10 * ttft
        if row["kind"] in ("decode", "load"):
            # A piece may be read a little late, and the next in time.
            assert tpot / 2 <= row["tpot_ms"] < 10 * tpot
        if row["kind"] == "load":
            seconds = FIRST_S + 4 * NEXT_S
            assert row["batch"] * 5 / seconds / 10 < row["output_tok_s"] < row["batch"] * 5 / seconds
    assert frame.group_by("kind").len().sort("kind").rows() == [("decode", 4), ("load", 2), ("prefill", 4)]
    assert frame["engine"][0] == "tests at an endpoint"
    assert frame["hardware"].null_count() == frame["kv_tokens"].null_count() == frame.height
    assert set(frame["n_experts"]) == {4}
    assert server.most_at_once == 3
    prompts = [tuple(asked["prompt"]) for asked in server.asked]
    assert len(set(prompts)) == len(prompts)  # none could be answered from a cache
    assert all(asked["ignore_eos"] and asked["model"] == "m" for asked in server.asked)
    assert max(map(max, prompts)) < 2048

    before = len(server.asked)
    assert run("profile", "shapes.yaml", "--endpoint", server.url + "/v1/", "-o", "p.parquet")[0] == 0
    assert len(server.asked) == before


def test_rows_of_a_known_shape_are_priced(run, server):
    run("profile", "shapes.yaml", "--endpoint", server.url, "-o", "p.parquet")
    words = ["cost", "config.json", "--gpu", "H100-SXM-80GB", "--usd-per-gpu-hour", "3.6", "--max-gpus", "1", "--json"]
    code, out, err = run(*words, "--cost-model", "profile:p.parquet", "--input-len", "8", "--output-len", "8")
    assert code == 0, err
    assert json.loads(out)["batch"] == 3


def test_a_shape_need_not_be_known(run, server):
    server.models = ["m", "other"]
    code, _, err = run("profile", "--endpoint", server.url, "-o", "p.parquet")
    assert code == 2
    assert "serves m, other: name one with --model" in err
    code, _, err = run("profile", "--endpoint", server.url, "--model", "othr", "-o", "p.parquet")
    assert code == 2
    assert "Did you mean 'other'" in err


def test_mistakes_are_answered_in_words(run, server):
    Path("two.yaml").write_text("sizes: [{d_model: 64, n_layers: 2}]\nexperts: [1, 4]\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        for words, message in (
            (("--endpoint", nobody), "is the server running?"),
            (("--endpoint", "localhost:8000"), "give a URL such as http://localhost:8000"),
            (("two.yaml", "--endpoint", server.url), "give the one that is served"),
            (("--endpoint", server.url + "/nowhere"), "answers 404"),
        ):
            code, _, err = run("profile", *words, "-o", "p.parquet")
            assert code == 2
            assert message in err
            assert "Traceback" not in err
    server.ends_early = True
    code, _, err = run("profile", "shapes.yaml", "--endpoint", server.url, "-o", "p.parquet")
    assert code == 2
    assert "honour ignore_eos" in err
    server.fails = True
    code, _, err = run("profile", "shapes.yaml", "--endpoint", server.url, "-o", "p.parquet")
    assert code == 2
    assert "answers 400" in err
    assert not Path("p.parquet").exists()


@pytest.mark.vllm
def test_vllms_own_server_is_measured(run, tmp_path, monkeypatch, vllm):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    monkeypatch.chdir(tmp_path)
    served = tmp_path / "served"
    words = Tokenizer(models.WordLevel({f"w{number}": number for number in range(2048)}, unk_token="w0"))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="w0", eos_token="w1").save_pretrained(served)
    (served / "config.json").write_text(json.dumps(SHAPE))
    Path("shapes.yaml").write_text(GRID.replace("config.json", "served"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # What `vllm serve` starts; that word itself asks for a package named vllm, which the CPU build is not.
    program = [vllm, "-m", "vllm.entrypoints.openai.api_server", "--model", str(served), "--load-format", "dummy"]
    program += ["--port", port]
    program += ["--dtype", "bfloat16", "--max-model-len", "256", "--max-num-seqs", "8"]
    url = f"http://127.0.0.1:{port}"
    with Path("log").open("w") as log:
        serving = subprocess.Popen(
            program, env=os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1"}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _await_server(url, serving)
            code, _, err = run("profile", "shapes.yaml", "--endpoint", url, "-o", "p.parquet")
            assert code == 0, err
        finally:
            serving.terminate()
            serving.wait(600)
    frame = read_profile(Path("p.parquet"))
    assert frame.height == 10
    assert frame["engine"][0] == "vllm at an endpoint"
    assert frame["engine_version"][0].startswith("0.")
    load = frame.filter(pl.col("kind") == "load")
    assert (load["ttft_ms"] > 0.1).all()
    assert (load["tpot_ms"] > 0.01).all()
    assert (load["output_tok_s"] > 1).all()


def _await_server(url: str, serving: subprocess.Popen) -> None:
    until = time.monotonic() + 900  # far longer than it takes: a busy machine is no failure
    while True:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
            return
        except OSError:
            assert serving.poll() is None, Path("log").read_text()[-3000:]
            assert time.monotonic() < until
            time.sleep(0.5)
