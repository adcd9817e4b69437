"""The two losses of a training step: next-token cross-entropy in chunks, and what keeps the router balanced."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

CHUNK = 1024  # tokens whose logits exist at one time: 1,024 x 2,048 entries are 8 MB, within a core's cache


class ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of softmax(hidden·weightᵀ), whose logits never exist for more than `CHUNK` tokens.

    The gradients are made in the same pass, scaled by the incoming one in `backward`; so nothing of the size of the
    logits is kept. (The idea of Liger's fused linear cross-entropy, arXiv 2410.10989, in plain PyTorch.)
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        """Sum over chunks; `hidden` (tokens, d_model), `weight` (vocabulary, d_model), `targets` (tokens)."""
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros_like(weight, dtype=torch.float32)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        weight = weight.to(hidden.dtype)
        for start in range(0, len(targets), CHUNK):
            part = slice(start, start + CHUNK)
            loss, from_hidden, from_weight = _chunk(hidden[part], weight, targets[part])
            total += loss
            grad_hidden[part] = from_hidden / len(targets)
            grad_weight += from_weight
        ctx.save_for_backward(grad_hidden, grad_weight / len(targets))
        return total / len(targets)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """The stored gradients times the incoming one."""
        grad_hidden, grad_weight = ctx.saved_tensors
        return grad_hidden * grad[0].to(grad_hidden.dtype), grad_weight * grad[0], None


def token_losses(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each token, without gradients: (tokens,)."""
    weight = weight.to(hidden.dtype)
    return torch.cat(
        [
            F.cross_entropy((hidden[at : at + CHUNK] @ weight.T).float(), targets[at : at + CHUNK], reduction="none")
            for at in range(0, len(targets), CHUNK)
        ]
    )


def _chunk(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sum of the losses of a few tokens with its gradients by hidden and weight."""
    logits = (hidden @ weight.T).float()
    log_total = torch.logsumexp(logits, dim=-1)
    loss = (log_total - logits.gather(1, targets[:, None])[:, 0]).sum()
    error = torch.exp(logits - log_total[:, None])
    error.scatter_add_(1, targets[:, None], torch.full_like(error[:, :1], -1.0))
    error = error.to(hidden.dtype)
    return loss, error @ weight, (error.T @ hidden).float()


@dataclass(frozen=True)
class Routing:
    """What one router did with a batch: logits (tokens, experts), the chosen experts (tokens, top_k)."""

    logits: Tensor
    chosen: Tensor

    def load(self) -> Tensor:
        """Share of the routed slots that each expert got, over all processes: sums to 1."""
        slots = torch.bincount(self.chosen.flatten(), minlength=self.logits.shape[-1]).float()
        if dist.is_initialized():
            dist.all_reduce(slots)
        return slots / slots.sum()


def balance_loss(routings: list[Routing]) -> Tensor:
    """E·Σ_e f_e·P_e, mean over layers (Fedus et al. 2021, arXiv 2101.03961, Eq. 4-6); 1 when perfectly balanced.

    f is the load over all processes and has no gradient, so that the gradients' mean over processes is that of the
    whole batch. With `accumulate` it is the loss of each part by itself: the load of later parts is not known yet.
    """
    shares = [one.logits.float().softmax(-1).mean(0) for one in routings]
    losses = [share.numel() * (one.load() * share).sum() for one, share in zip(routings, shares, strict=True)]
    return torch.stack(losses).mean()


def z_loss(routings: list[Routing]) -> Tensor:
    """Mean of (ln Σ exp logits)² (Zoph et al. 2022, arXiv 2202.08906, Eq. 5)."""
    return torch.stack([one.logits.float().logsumexp(-1).square().mean() for one in routings]).mean()
