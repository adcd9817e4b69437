"""The row that a trained model leaves in the runs table (`runs.COLUMNS`), with what its routers did."""

import platform
from importlib.metadata import version
from typing import Any

import torch

from moeconomics.runs import shape_to_json
from moeconomics.shapes import counts, n_dense, train_flops_per_token
from moeconomics.training.data import Corpus, Sequences
from moeconomics.training.evaluate import Evaluation
from moeconomics.training.spec import RunSpec

FLOP_COUNT = "matmul"


def row_of(
    spec: RunSpec, corpus: Corpus, tokens: float, found: Evaluation | None, reason: str | None
) -> dict[str, Any]:
    """A row; without an evaluation it has no loss, and `flags` says why."""
    shape = spec.shape(corpus.vocab_size)
    data = Sequences(corpus, spec.sequence_length, spec.seed)
    steps = round(tokens / spec.batch_tokens)
    seen = steps * spec.batch_tokens
    size = counts(shape)
    moe = spec.experts > 1
    text = corpus.manifest
    return {
        "run_id": f"{spec.run_id}-{steps}",
        "shape": shape_to_json(shape),
        "n_params": int(n_dense(shape)),
        "n_active": int(size.n_active),
        "n_total": int(size.n_total),
        "embeddings_counted": True,
        "n_experts": spec.experts,
        "top_k": int(shape.top_k),
        "tokens": seen,
        "unique_tokens": min(seen, data.unique_tokens),
        "train_flops": float(train_flops_per_token(shape, FLOP_COUNT, spec.sequence_length)) * seen,
        "flops_convention": FLOP_COUNT,
        "loss": found.loss if found else None,
        "loss_kind": "validation",
        "loss_unit": "nats/token",
        "loss_dataset": f"{text.source}, {spec.data.tokenizer}, corpus {text.sha256[:12]}",
        "loss_se": found.loss_se if found else None,
        "annealed": True,
        "trunk": spec.run_id,
        "step": steps,
        "lr": spec.peak_lr(shape),
        "batch_tokens": spec.batch_tokens,
        "schedule": spec.recipe,
        "optimiser": "adamw",
        "seed": spec.seed,
        "hardware": _hardware(),
        "code_version": f"moeconomics {version('moeconomics')}, torch {torch.__version__}",
        "source": "moeconomics train",
        "licence": text.licence,
        "flags": reason,
        "bits_per_byte": found.bits_per_byte if found else None,
        "expert_load_max": found.expert_load_max if found else None,
        "router_entropy": found.router_entropy if found else None,
        "dropped_tokens": 0 if moe and found else None,
    }


def _hardware() -> str:
    if torch.accelerator.is_available():
        return (
            torch.cuda.get_device_name() if torch.cuda.is_available() else str(torch.accelerator.current_accelerator())
        )
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
