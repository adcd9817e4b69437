"""What a model is worth: its loss on the same validation documents for every run, and what its routers do there."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributed.fsdp import FSDPModule

from moeconomics.training.data import Windows
from moeconomics.training.model import Objective


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Loss in nats/token with its standard error over documents (None for a single one), and bits/byte.

    `expert_load_max`: the largest load of an expert over the mean, averaged over MoE layers; `router_entropy`: mean
    entropy of the router's softmax, nats. Both None for a dense model. No token is dropped, whatever the load.
    """

    loss: float
    loss_se: float | None
    bits_per_byte: float
    expert_load_max: float | None
    router_entropy: float | None


@torch.no_grad()
def evaluate(wrapped: Any, objective: Objective, windows: Windows, batch: int, autocast: Any) -> Evaluation:
    """Evaluate `objective` on all windows, `batch` at a time; `wrapped` is the module that holds it when sharded.

    The loss is Σ nats / Σ tokens over documents; its standard error is that of a ratio of sums over independent
    documents (Cochran 1977, Eq. 2.46).
    """
    device = next(objective.parameters()).device
    run = wrapped.evaluate if isinstance(wrapped, FSDPModule) else objective.evaluate  # type: ignore[attr-defined]
    documents = len(windows.bytes_per_document)
    nats, tokens = np.zeros(documents), np.zeros(documents)
    load: list[Tensor] = []
    entropy: list[Tensor] = []
    objective.eval()
    for start in range(0, len(windows.tokens), batch):
        part = windows.tokens[start : start + batch]
        document = windows.document[start : start + batch]
        padded = np.resize(part, (batch, part.shape[1]))  # one shape for all, so that nothing is compiled again
        with autocast():
            losses = run(torch.from_numpy(padded).to(device))[: len(part)].double().cpu().numpy()
        counts = document >= 0
        np.add.at(nats, document[counts], losses[counts])
        np.add.at(tokens, document[counts], 1)
        if objective.routings:
            load.append(torch.stack([one.load() for one in objective.routings]))
            shares = torch.stack([one.logits.float().log_softmax(-1) for one in objective.routings])
            entropy.append(-(shares.exp() * shares).sum(-1).mean())
    objective.train()
    loss = nats.sum() / tokens.sum()
    spread = ((nats - loss * tokens) ** 2).sum() * documents / max(documents - 1, 1)
    return Evaluation(
        loss=float(loss),
        loss_se=float(np.sqrt(spread) / tokens.sum()) if documents > 1 else None,
        bits_per_byte=float(nats.sum() / np.log(2) / windows.bytes_per_document.sum()),
        expert_load_max=_most(load),
        router_entropy=float(torch.stack(entropy).mean()) if entropy else None,
    )


def _most(load: list[Tensor]) -> float | None:
    if not load:
        return None
    mean = torch.stack(load).mean(0)  # (MoE layers, experts)
    return float((mean.max(-1).values * mean.shape[-1]).mean())
