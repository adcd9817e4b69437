"""Under which assumptions a claim is asked: how models are sized and priced, and under which count of training FLOPs.

`Abstract` is the paper's own setting: a model is its corresponding dense size N, cost proportional to all parameters.
`Shaped` prices relaxed shapes of an architecture on real chips; `measured` has the setting of measured latencies.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from moeconomics.laws.variables import VARIABLES
from moeconomics.reproduction.scale import EXPERTS
from moeconomics.serving import Deployment, Served, ServingInputs, cheapest, make_cost_model
from moeconomics.shapes import Architecture, ModelShape, counts, get_architecture, relaxed, train_flops_per_token
from moeconomics.units import Array

TOP_K = 2
EXPERT_SHARE = 1 / 3  # c of App. C: the share of a dense model's parameters that is in FFNs which become MoE layers
ARCHITECTURE = "yun2024"
VOCABULARY = 50_304
PAPERS_ARCHITECTURE = get_architecture(ARCHITECTURE)
CONVENTIONS = ("6nd", "6nd-active")
COST_POINTS = 600  # of the table of costs over sizes: steps of 1 % in width


class Setting(Protocol):
    """How a size (whatever orders the models) and a number of experts are trained and priced."""

    @property
    def name(self) -> str:
        """In words, for a table."""
        ...

    @property
    def sizes(self) -> tuple[float, float]:
        """The range of sizes that is searched."""
        ...

    @property
    def priced(self) -> tuple[float, float]:
        """The range of sizes whose cost is known; `cost` is a guess beyond it, for the solver alone."""
        ...

    @property
    def spread(self) -> float | None:
        """High over low end of the cost model's error band, its widest; None where it has none."""
        ...

    def variables(
        self, names: tuple[str, ...], size: Array, experts: Array, tokens: Array, count: str
    ) -> Mapping[str, Array]:
        """The law's variables `names` under the convention `count`."""
        ...

    def flops_per_token(self, size: Array, experts: Array, count: str) -> Array:
        """Training FLOPs per token under the convention `count`."""
        ...

    def n_total(self, size: Array, experts: Array) -> Array:
        """All parameters."""
        ...

    def cost(self, size: Array, experts: Array) -> Array:
        """Serving cost of a token in any unit; infinite where the model can not be served."""
        ...


@dataclass(frozen=True, kw_only=True)
class Abstract:
    """Sizes are N; cost is N_MoE = (1 + (E − 1)·c)·N.

    Under `6nd` a token pays for N whatever the experts, so N is what laws of the active size get; under `6nd-active` it
    pays for (1 + (K − 1)·c)·N.
    """

    name: str = "size"
    sizes: tuple[float, float] = (1e6, 1e13)
    spread: float | None = None

    @property
    def priced(self) -> tuple[float, float]:
        """Every size."""
        return self.sizes

    def variables(
        self, names: tuple[str, ...], size: Array, experts: Array, tokens: Array, count: str
    ) -> dict[str, Array]:
        """Embeddings are left out of the abstract model, so each count is with and without them."""
        paid = self.flops_per_token(size, experts, count) / 6
        total = self.n_total(size, experts)
        known = {
            "n_dense": size, "n_dense_non_embedding": size, "n_active": paid, "n_total": total, "n_nonzero": total,
            "n_total_non_embedding": total, "experts": experts,
            "expert_share": np.where(experts > 1, TOP_K / experts, 1),
            "activated_experts": np.where(experts > 1, TOP_K, 1), "shared_share": 0.0 * experts, "granularity": 1.0,
            "weight_sparsity": 0.0, "tokens": tokens, "unique_tokens": tokens, "tokens_per_active": tokens / paid,
        }  # fmt: skip
        return {name: np.asarray(known[name], dtype=float) for name in names}

    def flops_per_token(self, size: Array, experts: Array, count: str) -> Array:
        """6·N, or 6·(1 + (K − 1)·c)·N of an MoE."""
        more = np.where((experts > 1) & (count == "6nd-active"), (TOP_K - 1) * EXPERT_SHARE, 0.0)
        return 6 * (1 + more) * size

    def n_total(self, size: Array, experts: Array) -> Array:
        """(1 + (E − 1)·c)·N."""
        return (1 + (experts - 1) * EXPERT_SHARE) * size

    def cost(self, size: Array, experts: Array) -> Array:
        """Proportional to all parameters (Fig. 2)."""
        return self.n_total(size, experts)


@dataclass(frozen=True, kw_only=True)
class OfWidth(ABC):
    """Sizes are d_model of relaxed shapes; a table over widths and numbers of experts holds what serving costs."""

    numbers: tuple[int, ...] = EXPERTS

    @property
    @abstractmethod
    def priced(self) -> tuple[float, float]:
        """Widths that the table is of."""

    @abstractmethod
    def shape(self, width: Array, experts: Array) -> ModelShape:
        """Relaxed shape of a width; the arrays broadcast."""

    @abstractmethod
    def served(self, shape: ModelShape) -> Served:
        """The cheapest way to serve each shape."""

    def variables(
        self,
        names: tuple[str, ...],
        size: Array,
        experts: Array,
        tokens: Array,
        count: str,  # noqa: ARG002 - only the abstract setting's sizes depend on the count
    ) -> dict[str, Array]:
        """Each law's own count of a real shape, whatever the FLOPs are."""
        return {name: self._known(VARIABLES[name].of, size, experts, tokens) for name in names}

    def flops_per_token(self, size: Array, experts: Array, count: str) -> Array:
        """As `moeconomics.shapes` counts."""
        return self._known(train_flops_per_token, size, experts, count)

    def n_total(self, size: Array, experts: Array) -> Array:
        """All parameters, embeddings included."""
        return self._known(lambda shape: counts(shape).n_total, size, experts)

    def cost(self, size: Array, experts: Array) -> Array:
        """From the table, linear in the logarithms; the cheapest number of GPUs makes jumps of one step's width."""
        log_low, log_high = np.log(self.priced)
        place = (np.log(size) - log_low) / (log_high - log_low) * (COST_POINTS - 1)
        below = np.clip(np.nan_to_num(place), 0, COST_POINTS - 2).astype(int)
        share = place - below
        row = np.searchsorted(self.numbers, experts)
        left, right = self._log_cost_EW[row, below], self._log_cost_EW[row, below + 1]
        served = np.isfinite(left) & np.isfinite(right)
        both = np.where(served, left, 0.0) * (1 - share) + np.where(served, right, 0.0) * share
        return np.where(served, np.exp(both), np.where(np.isnan(place), np.nan, np.inf))

    @property
    def spread(self) -> float | None:
        """Widest of the table; a calibrated model's is one number, a roofline's grows as compute comes to bind."""
        ratio = self._table.usd_high / self._table.usd_low
        known = ratio[np.isfinite(ratio)]
        return float(known.max()) if known.size else None

    @cached_property
    def _table(self) -> Served:
        widths = np.geomspace(*self.priced, COST_POINTS)
        return self.served(self.shape(widths, np.array(self.numbers)[:, None]))

    @cached_property
    def _log_cost_EW(self) -> Array:
        return np.log(self._table.usd_per_token_output)

    def _known(self, value: Callable[..., Array], width: Array, experts: Array, *rest: Array) -> Array:
        """`value` of the relaxed shape and the rest, as floats; NaN where the width is."""
        width, experts = np.broadcast_arrays(np.asarray(width, dtype=float), experts)
        known = np.isfinite(width)
        return np.where(known, value(self.shape(np.where(known, width, 1.0), experts), *rest), np.nan)


@dataclass(frozen=True, kw_only=True)
class Shaped(OfWidth):
    """An architecture on one chip; cost is in USD per output token of ShareGPT traffic, on up to 8 GPUs.

    `precision` and `kv_precision`: stored formats of weights and KV cache. Experts count in units of the dense FFN:
    an architecture of granularity G has G times as many.
    """

    cost_model: str
    gpu: str
    precision: str = "bf16"
    kv_precision: str = "bf16"
    architecture: Architecture = PAPERS_ARCHITECTURE
    sizes: tuple[float, float] = (256.0, 32768.0)

    @property
    def name(self) -> str:
        """Cost model, chip, and formats and architecture where they are not the paper's."""
        formats = [self.precision] * (self.precision != "bf16") + [f"{self.kv_precision} cache"] * (
            self.kv_precision != "bf16"
        )
        of = [] if self.architecture.name == ARCHITECTURE else [self.architecture.name]
        return " ".join([f"{self.cost_model} on {self.gpu}", *formats, *of])

    @property
    def priced(self) -> tuple[float, float]:
        """Every width that is searched."""
        return self.sizes

    @property
    def deployment(self) -> Deployment:
        """The chip, its price, the traffic."""
        return ServingInputs(
            gpu=self.gpu, precision=self.precision, kv_precision=self.kv_precision, max_gpus=8
        ).deployment()

    def shape(self, width: Array, experts: Array) -> ModelShape:
        """On the ladder's central line."""
        experts = np.where(np.asarray(experts) > 1, np.asarray(experts) * self.architecture.granularity, 1)
        return relaxed(self.architecture, width, experts, VOCABULARY)

    def served(self, shape: ModelShape) -> Served:
        """On the cheapest number of GPUs."""
        deployment = self.deployment
        return cheapest(make_cost_model(self.cost_model, deployment), shape, deployment.gpus)


SETTINGS: tuple[Setting, ...] = (
    Abstract(),
    Shaped(cost_model="paper", gpu="A100-SXM-40GB"),
    Shaped(cost_model="operator", gpu="A100-SXM-40GB"),
    Shaped(cost_model="operator", gpu="H100-SXM-80GB"),
    Shaped(cost_model="operator", gpu="B200-SXM-180GB"),
    Shaped(cost_model="operator", gpu="B200-SXM-180GB", precision="fp8"),
)
