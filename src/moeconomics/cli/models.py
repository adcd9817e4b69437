"""`moeconomics models`."""

from typing import Annotated, Any

import typer

from moeconomics.cli import options
from moeconomics.cli.output import print_json, say, table
from moeconomics.shapes import PublicModel, bytes_kv_per_token, counts, get_public_model, load_models
from moeconomics.units import bytes_text, count_text


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One model with its aliases.", show_default=False)
    ] = None,
    json: options.Json = False,
) -> None:
    """List the public models that `count` and `cost` know by name, or show one.

    Example: `moeconomics models Mixtral-8x7B`
    """
    chosen = list(load_models().values()) if name is None else [get_public_model(name)]
    answer = [_plain(model) for model in chosen]
    if json:
        print_json(answer if name is None else answer[0])
        return
    rows = [
        [
            one["name"],
            count_text(one["n_total"]),
            count_text(one["n_active"]),
            str(one["n_experts"]),
            str(one["top_k"]),
            bytes_text(one["bytes_kv_per_token"]),
            f"{one['source']} ({one['date']})",
        ]
        for one in answer
    ]
    columns = ["model", "parameters", "active", "experts", "top-k", "KV per token", "source"]
    table("Public models (KV cache in bf16; experts 1: dense)", columns, rows)
    if name is None:
        say("\nNames match in any case, and without the organisation. Show one: `moeconomics models NAME`.")
    else:
        say(f"\nAlso known as: {', '.join(answer[0]['aliases']) or 'nothing else'}")


def _plain(model: PublicModel) -> dict[str, Any]:
    shape = model.shape
    group = counts(shape)
    return {
        **model.model_dump(mode="json"),
        "n_total": int(group.n_total),
        "n_active": int(group.n_active),
        "n_experts": shape.n_experts,
        "top_k": shape.top_k,
        "bytes_kv_per_token": float(bytes_kv_per_token(shape, "bf16")),
    }
