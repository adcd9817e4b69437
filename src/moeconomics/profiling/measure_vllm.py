"""Latencies of one model in vLLM: JSON in, JSON lines out. It runs in vLLM's environment and imports nothing of ours.

The first line out says what the engine is; then each cell of the grid is a line, with one value for each repeat.
"""

import itertools
import json
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Read one line {model, batches, contexts, ...}, start the engine and print what it measures.

    `weights`: vLLM's load_format, "dummy" or "auto" (those beside the config). `prompts`: token ids that requests take
    in turn; null makes random ones.
    """
    asked = json.loads(sys.stdin.readline())
    # The pipe ends with the process that asked, however it ends: nobody would read on, and the engine holds the chip.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print on standard output too

    def say(**line: object) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    measure = Measure(asked)
    say(**measure.facts())
    for context, batch in itertools.product(asked["contexts"], asked["batches"]):
        for line in measure.burst(batch, context):
            say(**line)
    say(**measure.load())


class Measure:
    """One engine and what is measured on it."""

    def __init__(self, asked: dict[str, Any]) -> None:
        from vllm import LLM  # type: ignore[import-not-found]

        self.asked = asked
        self.ids = itertools.count()
        self.random = random.Random(0)
        self.engine = LLM(
            model=asked["model"],
            load_format=asked["weights"],
            skip_tokenizer_init=True,
            dtype="bfloat16",
            enable_prefix_caching=False,  # a prompt that was seen before would cost nothing
            max_model_len=asked["max_model_len"],
            max_num_seqs=max(asked["batches"]),
            max_num_batched_tokens=asked["pass_tokens"],
            disable_log_stats=True,
        ).llm_engine

    def facts(self) -> dict[str, Any]:
        """Engine, hardware and the room of the KV cache, tokens."""
        import torch
        import vllm
        from vllm.platforms import current_platform  # type: ignore[import-not-found]

        config = self.engine.vllm_config
        device = current_platform.get_device_name()
        return {
            "engine_version": f"{vllm.__version__}, torch {torch.__version__}",
            "hardware": _cpu(torch.get_num_threads()) if device.lower() == "cpu" else device,
            "kv_tokens": config.cache_config.num_gpu_blocks * config.cache_config.block_size,
            "max_num_seqs": config.scheduler_config.max_num_seqs,
        }

    def burst(self, batch: int, context: int) -> list[dict[str, Any]]:
        """`batch` prompts of `context` tokens at once: seconds until all have a token, and of a step of all of them.

        A cell that the KV cache has no room for is left out; so is the prompt pass where it takes more than one.
        """
        asked = self.asked
        passes = -(-batch * context // asked["pass_tokens"])
        new_tokens = asked["steps"] + passes + 1  # the first prompts decode while the last are still to be read
        if batch * (context + new_tokens) > self.facts()["kv_tokens"]:
            return []
        self._run(batch, context, 2)
        runs = [self._times(batch, context, new_tokens) for _ in range(asked["repeats"])]
        cell = {"batch": batch, "input_len": context, "output_len": new_tokens}
        decode = {"kind": "decode", **cell, "context": context + asked["steps"] / 2, "s": [run[1] for run in runs]}
        prefill = {"kind": "prefill", **cell, "context": context, "s": [run[0] for run in runs]}
        return [prefill, decode] if passes == 1 else [decode]

    def load(self) -> dict[str, Any]:
        """Output tokens/s with more requests waiting than run."""
        asked = self.asked
        batch, tokens = max(asked["batches"]), asked["output_len"]
        rates = []
        for _ in range(asked["repeats"]):
            seconds = self._run(asked["rounds"] * batch, asked["input_len"], tokens)[-1][0]
            rates.append(asked["rounds"] * batch * tokens / seconds)
        context = asked["input_len"] + tokens / 2
        cell = {"batch": batch, "input_len": asked["input_len"], "output_len": tokens, "context": context}
        return {"kind": "load", **cell, "tok_s": rates}

    def _times(self, batch: int, length: int, new_tokens: int) -> tuple[float, float]:
        """Seconds until every prompt has its first token, and of one decode step from there to the first that ends."""
        steps = self._run(batch, length, new_tokens)
        begin = next(step for step in steps if step[1] >= 1)
        end = next(step for step in steps if step[2] == new_tokens)
        return begin[0], (end[0] - begin[0]) / (end[1] - begin[1])

    def _prompts(self, requests: int, length: int) -> list[list[int]]:
        given = self.asked["prompts"]
        if given is None:
            tokens = range(self.asked["vocab_size"])
            return [self.random.choices(tokens, k=length) for _ in range(requests)]
        return [given[number % len(given)] for number in range(requests)]

    def _run(self, requests: int, length: int, new_tokens: int) -> list[tuple[float, int, int]]:
        """After each step: seconds, and tokens of the request that has fewest and of the one that has most."""
        from vllm import SamplingParams

        # Dummy weights make a request repeat a token of its own, so that a batch still spreads over the experts.
        greedy = SamplingParams(temperature=0, max_tokens=new_tokens, ignore_eos=True, detokenize=False)
        prompts = self._prompts(requests, length)
        have = {str(next(self.ids)): 0 for _ in prompts}
        found = []
        start = time.perf_counter()
        for name, prompt in zip(have, prompts, strict=True):
            self.engine.add_request(name, {"prompt_token_ids": prompt}, greedy)
        while self.engine.has_unfinished_requests():
            for output in self.engine.step():
                have[output.request_id] = len(output.outputs[0].token_ids)
            found.append((time.perf_counter() - start, min(have.values()), max(have.values())))
        return found


def _cpu(threads: int) -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return f"{name}, {threads} threads"


if __name__ == "__main__":
    main()
