"""From a target size to a shape: relaxed (real-valued, for the continuous solver) and realised (trainable).

Both start from the paper's l ∝ h (App. C): depth is d_model / 96, the aspect ratio of the paper's largest run
(730M: 1536/16) and near Llama-2-70B's (8192/80 = 102); FFNs are 8/3 of d_model wide; heads are d_model wide
in all. The size that is matched is `n_dense`, the corresponding dense model with embeddings.

The realised rule: d_model in steps of 32 up to 256 (models for a CPU), 128 up to 1024, 256 up to 2048 and 512 above,
an even number of layers, heads of 64 (32 below a d_model of 256; 128 where it is a multiple of 1024, so that 8 GPUs can
share them); then the FFN width, in multiples of 128 (32 per expert in fine-grained models and below a d_model of 256),
that brings the size nearest to the target. Among the
pairs (d_model, layers) that reach it within 2 %, the one whose size, aspect ratio and FFN ratio are together
nearest to the target, 96 and 8/3 is taken.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moeconomics.errors import BadInput
from moeconomics.shapes.architectures import Architecture
from moeconomics.shapes.counts import n_dense
from moeconomics.shapes.shape import ModelShape, map_dimensions, pick
from moeconomics.units import Array

ASPECT_RATIO = 96.0  # d_model / n_layers
FFN_RATIO = 8 / 3  # d_ff / d_model, Llama's gated FFN; the paper has 2.6 to 2.67
RELAXED_HEAD_DIM = 128.0
FFN_RATIO_RANGE = (2.0, 4.0)
GAP_WEIGHT = 5.0  # 1 % off in size weighs as 5 % off in aspect ratio
SIZE_TOLERANCE = 0.02  # the plan's step between rungs


def relaxed(architecture: Architecture, d_model: Array, experts: Array, vocab_size: int) -> ModelShape:
    """Real-valued shape of width `d_model` on the ladder's central line; the arrays broadcast."""
    d_model = np.asarray(d_model, dtype=float)
    return architecture.shape(
        vocab_size=vocab_size,
        d_model=d_model,
        n_layers=np.maximum(d_model / ASPECT_RATIO, 1.0),
        d_ff=FFN_RATIO * d_model,
        head_dim=RELAXED_HEAD_DIM,
        experts=np.asarray(experts),
    )


@dataclass(frozen=True)
class Ladder:
    """Realisable sizes of one architecture, smallest first: integer arrays of equal length."""

    architecture: Architecture
    vocab_size: int
    d_model: NDArray[np.int64]
    n_layers: NDArray[np.int64]
    d_ff: NDArray[np.int64]
    head_dim: NDArray[np.int64]

    def shapes(self, *experts: int) -> ModelShape:
        """All rungs with each number of experts, as one shape of 1-d arrays (rungs run fastest)."""
        times = len(experts)
        exact = self.architecture.shape(
            vocab_size=self.vocab_size,
            d_model=np.tile(self.d_model, times),
            n_layers=np.tile(self.n_layers, times),
            d_ff=np.tile(self.d_ff, times),
            head_dim=np.tile(self.head_dim, times),
            experts=np.repeat(experts, len(self.d_model)),
        )
        return map_dimensions(exact, lambda values: values.astype(np.int64))


def ladder(architecture: Architecture, targets: Array, vocab_size: int) -> Ladder:
    """Realise each target `n_dense`; targets out of reach and repeated rungs are dropped.

    Errors: `BadInput` when no target is in reach, as when the vocabulary alone is larger.
    """
    targets = np.sort(np.asarray(targets, dtype=float))
    grid = _widths_and_depths(architecture, vocab_size)
    without_ffn = n_dense(grid.shapes(1))
    ffn_params = 3 * grid.d_model * grid.n_layers

    multiple = np.maximum(np.where(grid.d_model < 256, 32, 128), 32 * architecture.granularity)
    d_ff = np.maximum(np.round((targets[:, None] - without_ffn) / ffn_params / multiple), 1) * multiple
    gap = np.abs(np.log((without_ffn + ffn_params * d_ff) / targets[:, None]))
    ratio = d_ff / grid.d_model
    unlike = np.abs(np.log(grid.d_model / grid.n_layers / ASPECT_RATIO)) + np.abs(np.log(ratio / FFN_RATIO))
    allowed = (gap < SIZE_TOLERANCE) & (ratio >= FFN_RATIO_RANGE[0]) & (ratio <= FFN_RATIO_RANGE[1])
    unlike = np.where(allowed, unlike + GAP_WEIGHT * gap, np.inf)

    best = np.argmin(unlike, axis=1)
    reached = np.isfinite(unlike.min(axis=1))
    if not reached.any():
        raise BadInput(
            f"no {architecture.name} model of {targets[0]:.3g} to {targets[-1]:.3g} parameters can be made with a "
            f"vocabulary of {vocab_size}: ask for another size or a smaller vocabulary"
        )
    width = d_ff[reached, best[reached]].astype(np.int64)
    chosen = best[reached]
    rungs = np.stack([grid.d_model[chosen], grid.n_layers[chosen], width, grid.head_dim[chosen]])
    rungs = rungs[:, np.append(True, np.any(np.diff(rungs, axis=1) != 0, axis=0))]
    return Ladder(architecture, vocab_size, *rungs)


def realise(architecture: Architecture, target: float, experts: int, vocab_size: int) -> ModelShape:
    """One trainable model whose `n_dense` is within 2 % of `target`. Errors: as `ladder`."""
    return pick(ladder(architecture, [target], vocab_size).shapes(experts), 0)


def _widths_and_depths(architecture: Architecture, vocab_size: int) -> Ladder:
    """Every (d_model, n_layers) pair of about the right aspect ratio, with FFNs of width 0."""
    steps = [np.arange(32, 256, 32), np.arange(256, 1024, 128), np.arange(1024, 2048, 256), np.arange(2048, 32769, 512)]
    d_model, n_layers = np.meshgrid(np.concatenate(steps), np.arange(2, 451, 2), indexing="ij")
    depth = d_model / ASPECT_RATIO
    fits = np.abs(n_layers - depth) <= np.maximum(2, 0.25 * depth)
    head_dim = np.select([d_model % 1024 == 0, d_model >= 256], [128, 64], 32)
    if architecture.latent:
        head_dim = np.full_like(d_model, 128)
    fits &= d_model % (head_dim * architecture.kv_group) == 0
    return Ladder(architecture, vocab_size, d_model[fits], n_layers[fits], 0 * d_model[fits], head_dim[fits])
