"""`ModelShape`: the dimensions that decide what a decoder-only transformer weighs, computes and caches."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from moeconomics.errors import BadInput
from moeconomics.shapes.attention import NO_LINEAR, Attention, GatedDelta
from moeconomics.units import Array


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Which layers of a stack: every n-th one after the first few, or an explicit list.

    Layer i (from 0) belongs when `i >= first` and `(i + 1) % every == 0`, the rule of Qwen's
    `decoder_sparse_step` and DeepSeek's `first_k_dense_replace`; `listed` overrides it.
    """

    every: Array = 1
    first: Array = 0
    listed: tuple[int, ...] | None = None

    def count(self, n_layers: Array) -> Array:
        """How many of `n_layers` belong. A relaxed (real) depth gives a real number of layers."""
        if self.listed is not None:
            return len(self.listed)
        first = np.minimum(self.first, n_layers)
        if np.issubdtype(np.asarray(n_layers).dtype, np.floating):
            return (n_layers - first) / self.every
        return n_layers // self.every - first // self.every

    def indices(self, n_layers: int) -> tuple[int, ...]:
        """The layers themselves, counted from 0."""
        if self.listed is not None:
            return self.listed
        return tuple(i for i in range(n_layers) if i >= self.first and (i + 1) % self.every == 0)


NO_LAYERS = Layers(listed=())


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """A decoder-only transformer with gated FFNs, dense or Mixture-of-Experts.

    Every number may be a NumPy array (all broadcast together), so that one definition of a count serves one
    model and a grid of a million. `n_experts = 1` is a dense model: no router, FFNs of width `d_ff` only.
    Real-valued widths and depths are allowed; they describe the relaxed shapes of the continuous solver.

    Fields: `d_ff` width of a dense FFN; `d_expert` width of one routed expert; `n_shared_experts` experts of
    width `d_shared` that every token uses, behind a sigmoid gate if `shared_gate`; `windowed_layers` attend to
    the last `sliding_window` tokens only; `linear_layers` have `linear_attention` in place of `attention`.

    Errors: `BadInput` for a dimension that is not finite and positive, more active experts than experts, or linear
    layers of no kind.
    """

    vocab_size: Array
    d_model: Array
    n_layers: Array
    attention: Attention
    d_ff: Array
    d_expert: Array = 0
    n_experts: Array = 1
    top_k: Array = 1
    n_shared_experts: Array = 0
    d_shared: Array = 0
    shared_gate: bool = False
    moe_layers: Layers = Layers()
    sliding_window: Array = math.inf
    windowed_layers: Layers = NO_LAYERS
    linear_attention: GatedDelta = NO_LINEAR
    linear_layers: Layers = NO_LAYERS
    tied_embeddings: bool = False
    head_bias: bool = False
    ffn_bias: bool = False
    expert_bias: bool = False
    router_bias: bool = False

    def __post_init__(self) -> None:
        for name in ("vocab_size", "d_model", "n_layers", "n_experts", "top_k"):
            _check(name, getattr(self, name), minimum=1)
        for name in ("d_ff", "d_expert", "n_shared_experts", "d_shared"):
            _check(name, getattr(self, name), minimum=0)
        if np.any(np.asarray(self.top_k) > self.n_experts):
            raise BadInput(
                f"top_k {self.top_k} exceeds n_experts {self.n_experts}: a token uses at most every expert once"
            )
        if np.any((np.asarray(self.n_experts) > 1) & (np.asarray(self.d_expert) <= 0)):
            raise BadInput("n_experts > 1 needs d_expert, the width of one routed expert")
        if self.linear_layers != NO_LAYERS and np.any(np.asarray(self.linear_attention.n_value_heads) < 1):
            raise BadInput("linear_layers need linear_attention, which says what those layers hold")

    @property
    def n_moe_layers(self) -> Array:
        """Number of layers with experts; 0 for a dense model."""
        return self.moe_layers.count(self.n_layers) * (np.asarray(self.n_experts) > 1)

    @property
    def n_windowed_layers(self) -> Array:
        """Number of layers whose attention is limited to `sliding_window` tokens."""
        return self.windowed_layers.count(self.n_layers)

    @property
    def n_linear_layers(self) -> Array:
        """Number of layers with linear attention, which keep a state and no KV cache."""
        return self.linear_layers.count(self.n_layers)

    @property
    def is_relaxed(self) -> bool:
        """Whether the dimensions are real numbers, as in the continuous solver, and nothing one could train."""
        return bool(np.issubdtype(np.asarray(self.n_layers).dtype, np.floating))

    def dense_counterpart(self) -> "ModelShape":
        """The paper's corresponding dense model: same layers and hidden size, one FFN in place of each MoE."""
        return replace(self, n_experts=1, top_k=1, n_shared_experts=0)


def map_dimensions(shape: ModelShape, function: Callable[[Array], Array]) -> ModelShape:
    """Apply `function` to each array-valued dimension of a shape (scalars are left as they are)."""

    def mapped(part: Layers | Attention | GatedDelta | ModelShape) -> dict[str, Array]:
        changes: dict[str, Array] = {}
        for field in fields(part):
            value = getattr(part, field.name)
            if isinstance(value, np.ndarray):
                changes[field.name] = function(value)
            elif isinstance(value, Layers | Attention | GatedDelta):
                changes[field.name] = replace(value, **mapped(value))
        return changes

    return replace(shape, **mapped(shape))


def pick(shape: ModelShape, index: int) -> ModelShape:
    """One model out of a shape whose dimensions are 1-d arrays, as Python numbers."""
    return map_dimensions(shape, lambda values: (values[index] if values.ndim else values).item())


def _check(name: str, value: Array, minimum: int) -> None:
    if not np.all(np.isfinite(value)) or np.any(np.asarray(value) < minimum):
        raise BadInput(f"{name} {value} is not a finite number of at least {minimum}")
