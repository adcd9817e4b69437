"""How fast our training step is against a plain transformers loop on the same shape, in one run.

Both in bf16 autocast with AdamW and clipping, 32 sequences of 256, 4 layers of width 128, an MoE in every second; the
plain loop has transformers' eager experts, its loss over all logits and PyTorch's default AdamW. The last line printed
is a JSON object, with one value for each of dense, 8 and 32 experts where that is not said otherwise:

  tokens_per_s             ours, median step
  speedup_vs_transformers  the plain loop's median step over ours, steps in turn, each loop in a process of its own
  mfu_of_matmul_peak       time that the model's matrix products alone would take, each at the rate that torch reaches
                           at its shape here, over our step
  moe_over_dense_cost      seconds per active FLOP with 32 experts over those of the dense model
  peak_rss_mb              largest memory of a process that takes two steps of 256 sequences (537 MB of float32 logits):
                           ours and the plain loop's
"""

import json
import multiprocessing
import resource
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from statistics import median

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from moeconomics.shapes import train_flops_per_token
from moeconomics.shapes.huggingface import to_hf
from moeconomics.training import RunSpec, Trainer
from moeconomics.training.model import build

VOCABULARY = 2048
EXPERTS = (1, 8, 32)
TOP_K = 2
STEPS = 12
Step = Callable[[], object]


def spec_of(experts: int, sequences: int = 32) -> RunSpec:
    tokens = sequences * 256
    return RunSpec(d_model=128, n_layers=4, experts=experts, tokens=(1000 * tokens,), batch_tokens=tokens, lr=1e-3)


def ours(spec: RunSpec) -> Step:
    trainer = Trainer(spec, VOCABULARY)
    random = np.random.default_rng(0)

    def batch_of(_first: int, count: int) -> np.ndarray:
        return random.integers(0, VOCABULARY, (count, spec.sequence_length + 1))

    return partial(trainer.step, 0, 1e-3, batch_of)


def plain(spec: RunSpec) -> Step:
    """What a user of transformers would write."""
    config = AutoConfig.for_model(**to_hf(spec.shape(VOCABULARY), max_position_embeddings=4096))
    eager = {"experts_implementation": "eager"} if spec.experts > 1 else {}
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, **eager)  # type: ignore[no-untyped-call]
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    random = np.random.default_rng(0)

    def step() -> None:
        tokens = torch.from_numpy(random.integers(0, VOCABULARY, (spec.batch_sequences, spec.sequence_length)))
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    return step


def seconds_in_turn(*steps: Step) -> list[float]:
    """Median seconds of each, the first three steps left out."""
    taken: list[list[float]] = [[] for _ in steps]
    for _ in range(STEPS + 3):
        for step, seconds in zip(steps, taken, strict=True):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
    return [median(seconds[3:]) for seconds in taken]


class Loop:
    """A training loop in a process of its own, as our memory settings hold for a whole process; steps when called."""

    def __init__(self, make: Callable[[RunSpec], Step], spec: RunSpec):
        context = multiprocessing.get_context("spawn")
        self.ours, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, make, spec))
        self.process.start()

    def __call__(self) -> None:
        self.ours.send("step")
        self.ours.recv()

    def end(self) -> None:
        self.ours.send("end")
        self.process.join()


def _serve(pipe: Connection, make: Callable[[RunSpec], Step], spec: RunSpec) -> None:
    step = make(spec)
    while pipe.recv() == "step":
        step()
        pipe.send("done")


def matmul_s(spec: RunSpec) -> float:
    """Seconds of one step's weight products (forward and two backward), each at torch's own rate at its shape."""
    model = build(spec.shape(VOCABULARY), 0, spec.sequence_length)
    weights = [weight for name, weight in model.named_parameters() if weight.ndim > 1 and "embed" not in name]
    total = 0.0
    for shape, count in Counter(weight.shape for weight in weights).items():
        *experts, columns, inner = shape
        rows = spec.batch_tokens * TOP_K // experts[0] if experts else spec.batch_tokens
        left, right = torch.randn(rows, inner).bfloat16(), torch.randn(inner, columns).bfloat16()
        [seconds] = seconds_in_turn(partial(torch.matmul, left, right))
        total += 3 * count * (experts[0] if experts else 1) * seconds
    return total


def rss_mb(kind: str, experts: int) -> float:
    """Peak memory of a fresh process that takes two steps of 256 sequences."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return float(pool.apply(_rss_mb, (kind, experts)))


def _rss_mb(kind: str, experts: int) -> float:
    step = (ours if kind == "ours" else plain)(spec_of(experts, 256))
    step()
    step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    tokens_per_s, speedup, mfu, per_flop = {}, {}, {}, {}
    for experts in EXPERTS:
        spec = spec_of(experts)
        shape = spec.shape(VOCABULARY)
        loops = Loop(ours, spec), Loop(plain, spec)
        ours_s, plain_s = seconds_in_turn(*loops)
        for loop in loops:
            loop.end()
        name = "dense" if experts == 1 else f"E={experts}"
        tokens_per_s[name] = round(spec.batch_tokens / ours_s)
        speedup[name] = round(plain_s / ours_s, 2)
        mfu[name] = round(matmul_s(spec) / ours_s, 3)
        per_flop[name] = ours_s / float(train_flops_per_token(shape, "matmul", spec.sequence_length))
        print(f"{name}: {tokens_per_s[name]:,} tokens/s, {speedup[name]} x plain, MFU of matmul peak {mfu[name]:.0%}")
    answer = {
        "tokens_per_s": tokens_per_s,
        "speedup_vs_transformers": speedup,
        "mfu_of_matmul_peak": mfu,
        "moe_over_dense_cost": round(per_flop["E=32"] / per_flop["dense"], 2),
        "peak_rss_mb": {kind: round(rss_mb(kind, 1)) for kind in ("ours", "transformers")},
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
