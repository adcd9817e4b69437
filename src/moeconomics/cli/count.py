"""`moeconomics count`."""

from typing import Annotated, Any

import typer

from moeconomics.cli import options
from moeconomics.cli.output import print_json, say, table
from moeconomics.shapes import (
    FLOP_COUNTS,
    ModelShape,
    bytes_kv,
    bytes_kv_per_token,
    bytes_weights,
    counts,
    decode_flops,
    n_dense,
    prefill_flops,
    train_flops_per_token,
)
from moeconomics.units import BYTES_PER_ELEMENT, bytes_text


def count(
    model: options.Model,
    seq_len: Annotated[
        int, typer.Option(metavar="TOKENS", min=1, max=10_000_000, help="Sequence, prompt and context length.")
    ] = 2048,
    json: options.Json = False,
) -> None:
    """Count a model exactly: parameters by group, FLOPs, bytes of weights and KV cache.

    Example: `moeconomics count ./Mixtral-8x7B/config.json`
    """
    shape = options.load_model(model)
    answer = _answer(shape, seq_len)
    if json:
        print_json(answer)
    else:
        _print(answer)


def _answer(shape: ModelShape, seq_len: int) -> dict[str, Any]:
    group = counts(shape)
    total = {
        name: int(getattr(group, name))
        for name in ("embedding", "attention", "dense_ffn", "router", "routed_experts", "shared_experts", "norms")
    }
    active = {**total, "routed_experts": int(group.routed_experts_active)}
    return {
        "n_total": int(group.n_total),
        "n_active": int(group.n_active),
        "n_dense": int(n_dense(shape)),
        "n_total_non_embedding": int(group.n_total_non_embedding),
        "n_active_non_embedding": int(group.n_active_non_embedding),
        "groups_total": total,
        "groups_active": active,
        "seq_len": seq_len,
        "train_flops_per_token": {name: float(train_flops_per_token(shape, name, seq_len)) for name in FLOP_COUNTS},
        "prefill_flops": float(prefill_flops(shape, seq_len)),
        "decode_flops_per_token": float(decode_flops(shape, seq_len)),
        "bytes_weights": {name: float(bytes_weights(shape, name)) for name in BYTES_PER_ELEMENT},
        "bytes_kv_per_token": {name: float(bytes_kv_per_token(shape, name)) for name in BYTES_PER_ELEMENT},
        "bytes_kv_per_sequence": {name: float(bytes_kv(shape, seq_len, name)) for name in BYTES_PER_ELEMENT},
    }


def _print(answer: dict[str, Any]) -> None:
    total, active = answer["groups_total"], answer["groups_active"]
    rows = [[name.replace("_", " "), f"{total[name]:,}", f"{active[name]:,}"] for name in total]
    rows.append(["all", f"{answer['n_total']:,}", f"{answer['n_active']:,}"])
    rows.append(["all but embedding", f"{answer['n_total_non_embedding']:,}", f"{answer['n_active_non_embedding']:,}"])
    table("Parameters (exact)", ["group", "total", "active per token"], rows)
    say(f"\nCorresponding dense model: {answer['n_dense']:,} parameters, embeddings included\n")
    length = answer["seq_len"]
    flops = [
        [f"training, per token: {name}", f"{value:.4g}"] for name, value in answer["train_flops_per_token"].items()
    ]
    flops.append([f"prefill of {length} tokens", f"{answer['prefill_flops']:.4g}"])
    flops.append([f"decode of one token after {length}", f"{answer['decode_flops_per_token']:.4g}"])
    table("FLOPs", ["", "FLOPs"], flops)
    say("")
    stored = [
        [
            name,
            bytes_text(answer["bytes_weights"][name]),
            bytes_text(answer["bytes_kv_per_token"][name]),
            bytes_text(answer["bytes_kv_per_sequence"][name]),
        ]
        for name in answer["bytes_weights"]
    ]
    table("Bytes (GB = 1e9)", ["format", "weights", "KV per token", f"KV of {length} tokens"], stored)
