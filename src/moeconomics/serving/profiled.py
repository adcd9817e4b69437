"""Cost from measured latencies, as the paper has it: L^P and L^D interpolated over batch, length and model size.

Log-log linear between the measured cells, within models of the same number of experts and top-k; sizes are total
parameters. Nothing is extrapolated: what lies outside of the cells has no price. Yun et al. 2024, §4 and Eq. 5.
"""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moeconomics.errors import BadInput
from moeconomics.serving.deployment import Deployment
from moeconomics.serving.paper import PaperCost
from moeconomics.serving.profile_table import KINDS, read_profile
from moeconomics.serving.served import Served
from moeconomics.shapes import ModelShape, bytes_kv_per_token, counts
from moeconomics.shapes.huggingface import from_hf
from moeconomics.units import Array

PROFILE = "profile:"  # of a cost model's name, before the file
OUTSIDE = "outside the profile"  # begins `limited_by` of what was not measured; the reason follows
# A model of the same experts and size whose active parameters or KV cache are this much unlike those of the measured
# models is of another architecture or vocabulary. Depths are whole, so a ladder itself departs by some 20 %.
KIND_TOLERANCE = 1.3
_CANDIDATES = 33

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Models of one (n_experts, top_k), smallest first: natural logs, with the axes (size, length, batch)."""

    size: Floats
    n_active: Floats
    kv_per_token: Floats
    kv_tokens: Floats
    lengths: dict[str, Floats]
    batches: dict[str, Floats]
    ms: dict[str, Floats]  # by column, such as tpot_ms_low; NaN where a cell was not measured


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A `Latency` from a profile; `end` is "", "_low" or "_high" of the repeats. NaN is outside of it."""

    groups: dict[tuple[int, int], _Group]
    end: str

    def prefill_s(self, shape: ModelShape, prompts: Array, prompt_len: Array, gpus: Array) -> Array:
        """Time of one pass over `prompts` prompts."""
        return self._seconds("prefill", shape, prompts, prompt_len, gpus)

    def decode_s(self, shape: ModelShape, batch: Array, context: Array, gpus: Array) -> Array:
        """Time of one step."""
        return self._seconds("decode", shape, batch, context, gpus)

    def _seconds(self, kind: str, shape: ModelShape, batch: Array, length: Array, gpus: Array) -> Floats:
        size = counts(shape).n_total
        size, batch, length, gpus, experts, top_k = np.broadcast_arrays(
            *(np.asarray(values, dtype=float) for values in (size, batch, length, gpus, shape.n_experts, shape.top_k))
        )
        seconds = np.full(size.shape, np.nan)
        for (e, k), group in self.groups.items():
            here = (experts == e) & (top_k == k) & (gpus == 1)
            axes = (group.size, group.lengths[kind], group.batches[kind])
            points = tuple(np.log(values[here]) for values in (size, length, batch))
            seconds[here] = np.exp(_interpolate(axes, group.ms[KINDS[kind] + self.end], points)) / 1e3
        return seconds


@dataclass(frozen=True, kw_only=True)
class ProfiledCost:
    """The paper's cost per token from the latencies that were measured; the spread of the repeats bounds it."""

    deployment: Deployment
    groups: dict[tuple[int, int], _Group]

    @classmethod
    def of(cls, path: Path, deployment: Deployment) -> "ProfiledCost":
        """Read a profile. Errors: `BadInput` for a file that is none, or that does not reach the lengths asked for."""
        frame = read_profile(path)
        dtype = frame["dtype"][0]
        if dtype != deployment.precision:
            raise BadInput(
                f"profile {path} was measured in {dtype}, not {deployment.precision}: give --precision {dtype}"
            )
        if deployment.kv_precision != dtype:
            raise BadInput(f"profile {path} was measured with a {dtype} KV cache: give --kv-precision {dtype}")
        if frame["config"].null_count():
            raise BadInput(
                f"profile {path} has rows of a model of unknown shape: give `moeconomics profile` the served model's "
                f"config.json beside --endpoint"
            )
        groups = {
            (int(e), int(k)): _group(part, path)
            for (e, k), part in frame.group_by(["n_experts", "top_k"], maintain_order=True)
        }
        traffic = deployment.traffic
        wanted = {"prefill": ("prompts", traffic.input_tokens), "decode": ("cached tokens", traffic.kv_tokens_mean)}
        for kind, (words, length) in wanted.items():
            ends = np.exp([end for group in groups.values() for end in group.lengths[kind][[0, -1]]])
            if not ends.min() * (1 - 1e-9) <= length <= ends.max() * (1 + 1e-9):
                raise BadInput(
                    f"{OUTSIDE}: {path} was measured with {words} of {ends.min():.6g} to {ends.max():.6g} tokens and "
                    f"the traffic has {length:.6g}: give other --input-len and --output-len (cached are "
                    f"input + output/2), or measure other contexts"
                )
        return cls(deployment=deployment, groups=groups)

    def serve(self, shape: ModelShape, gpus: Array) -> Served:
        """Serve at the batch that costs least, up to the largest that was measured and that the KV cache holds."""
        shapes = np.broadcast_shapes(np.shape(counts(shape).n_total), np.shape(shape.n_experts), np.shape(gpus))
        outside, kv_tokens, most = self._place(shape, gpus, shapes)
        traffic = self.deployment.traffic
        fit = np.floor(kv_tokens / (traffic.input_tokens + traffic.output_tokens))
        limit = np.minimum(fit, most)
        best: Served | None = None
        for batch in self._candidates():
            served = self._at_batch(shape, gpus, np.minimum(batch, limit))
            if best is None:
                best = served
                continue
            better = served.usd_per_token_output < best.usd_per_token_output
            best = Served(
                **{
                    field.name: np.where(better, getattr(served, field.name), getattr(best, field.name))
                    for field in fields(Served)
                }
            )
        assert best is not None
        has_targets = traffic.ttft_ms is not None or traffic.tpot_ms is not None
        reason = np.select(
            [
                ~np.isfinite(best.usd_per_token_output) & (outside != ""),
                ~np.isfinite(best.usd_per_token_output) & (fit < 1),
                ~np.isfinite(best.usd_per_token_output),
                best.batch < limit,
                fit <= most,
            ],
            [outside, "memory", best.limited_by, "latency target" if has_targets else "throughput", "memory"],
            "the largest batch measured",
        )
        return replace(best, limited_by=reason)

    def _candidates(self) -> Floats:
        """Batches to try: those measured and some between them."""
        nodes = [np.round(np.exp(group.batches["decode"])) for group in self.groups.values()]
        most = max(batches.max() for batches in nodes)
        return np.unique(np.concatenate([*nodes, np.round(np.geomspace(1, most, _CANDIDATES))]))

    def _at_batch(self, shape: ModelShape, gpus: Array, batch: Array) -> Served:
        middle, fast, slow = (Measured(groups=self.groups, end=end) for end in ("", "_low", "_high"))
        paper = PaperCost(deployment=self.deployment, latency=middle, fast=fast, slow=slow)
        served = paper.at_batch(shape, gpus, batch)
        traffic = self.deployment.traffic
        running = np.maximum(batch, 1.0)
        prefill_s = middle.prefill_s(
            shape, np.maximum(running / traffic.output_tokens, 1.0), traffic.input_tokens, gpus
        )
        unknown = np.isnan(prefill_s + middle.decode_s(shape, running, traffic.kv_tokens_mean, gpus))
        usd = np.where(unknown, np.inf, served.usd_per_token_output)
        return replace(
            served,
            usd_per_token_output=usd,
            batch=np.where(np.isfinite(usd), served.batch, np.nan),
            # How much memory the chip has does not enter: the engine said how many tokens its cache holds.
            bytes_missing=0.0,
            limited_by=np.where(unknown, f"{OUTSIDE}: batch or context", "latency target"),
        )

    def _place(self, shape: ModelShape, gpus: Array, shapes: tuple[int, ...]) -> tuple[Array, Array, Array]:
        """Why each entry is outside ("" where it is not), tokens of its KV cache, and the largest batch measured."""
        group = counts(shape)
        size, active, kv, experts, top_k, gpu = (
            np.broadcast_to(np.asarray(values, dtype=float), shapes)
            for values in (
                group.n_total,
                group.n_active,
                bytes_kv_per_token(shape, self.deployment.precision),
                shape.n_experts,
                shape.top_k,
                gpus,
            )
        )
        outside = np.full(shapes, f"{OUTSIDE}: experts", dtype=object)
        kv_tokens, most = np.full(shapes, np.nan), np.full(shapes, np.nan)
        for (e, k), measured in self.groups.items():
            here = (experts == e) & (top_k == k)
            at = (np.log(size[here]),)
            same = np.abs(_interpolate((measured.size,), measured.n_active, at) - np.log(active[here]))
            same = np.maximum(
                same, np.abs(_interpolate((measured.size,), measured.kv_per_token, at) - np.log(kv[here]))
            )
            outside[here] = np.select(
                [np.isnan(same), same > np.log(KIND_TOLERANCE)], [f"{OUTSIDE}: size", f"{OUTSIDE}: architecture"], ""
            )
            kv_tokens[here] = np.exp(_interpolate((measured.size,), measured.kv_tokens, at))
            most[here] = np.round(np.exp(measured.batches["decode"][-1]))
        outside = np.where(gpu == 1, outside, f"{OUTSIDE}: GPUs")
        known = outside == ""
        return outside, np.where(known, kv_tokens, 0.0), np.where(known, most, 0.0)


def _group(part: pl.DataFrame, path: Path) -> _Group:
    """Rows of one (n_experts, top_k) as arrays."""
    models = part.unique("config").sort("n_total")
    if models["n_total"].n_unique() < models.height:
        first = models.filter(models["n_total"].is_duplicated())["shape"].to_list()
        raise BadInput(f"profile {path}: {' and '.join(first[:2])} have the same experts and size; leave one out")
    shapes = [from_hf(json.loads(text)) for text in models["config"]]
    number = {config: index for index, config in enumerate(models["config"])}
    lengths, batches, ms = {}, {}, {}
    for kind, column in (("prefill", "prefill_ms"), ("decode", "tpot_ms")):
        rows = part.filter(pl.col("kind") == kind)
        if not rows.height:
            raise BadInput(f"profile {path} has no {kind} rows of {models['n_experts'][0]} experts")
        lengths[kind], batches[kind] = np.unique(rows["context"]), np.unique(rows["batch"])
        place = (
            np.array([number[config] for config in rows["config"]]),
            np.searchsorted(lengths[kind], rows["context"]),
            np.searchsorted(batches[kind], rows["batch"]),
        )
        for end in ("", "_low", "_high"):
            ms[column + end] = np.full((models.height, len(lengths[kind]), len(batches[kind])), np.nan)
            ms[column + end][place] = np.log(rows[column + end].to_numpy())
    return _Group(
        size=np.log(models["n_total"].to_numpy()),
        n_active=np.log(models["n_active"].to_numpy()),
        kv_per_token=np.log([float(bytes_kv_per_token(shape, models["dtype"][0])) for shape in shapes]),
        # What no engine said can limit nothing.
        kv_tokens=np.log(models["kv_tokens"].cast(pl.Float64).fill_null(np.inf).to_numpy()),
        lengths={kind: np.log(values) for kind, values in lengths.items()},
        batches={kind: np.log(values) for kind, values in batches.items()},
        ms=ms,
    )


def _interpolate(axes: tuple[Floats, ...], values: Floats, points: tuple[Floats, ...]) -> Floats:
    """Multilinear interpolation at `points`, 1-d arrays; NaN outside of the axes or beside a cell that is NaN.

    >>> float(_interpolate((np.array([0.0, 2.0]),), np.array([1.0, 2.0]), (np.array([0.5]),))[0])
    1.25
    """
    corners: list[tuple[tuple[NDArray[np.intp], ...], Floats]] = [((), np.ones(points[0].shape))]
    inside = np.ones(points[0].shape, dtype=bool)
    for axis, at in zip(axes, points, strict=True):
        inside &= (at >= axis[0] - 1e-9) & (at <= axis[-1] + 1e-9)
        low = np.clip(np.searchsorted(axis, at, side="right") - 1, 0, max(len(axis) - 2, 0))
        high = np.minimum(low + 1, len(axis) - 1)
        width = np.where(high > low, axis[high] - axis[low], 1.0)
        share = np.clip((at - axis[low]) / width, 0.0, 1.0)
        # Rounding must not let a cell that is not asked for, and may not be there, take part.
        share = np.where(share < 1e-9, 0.0, np.where(share > 1 - 1e-9, 1.0, share))
        corners = [
            ((*index, end), weight * part)
            for index, weight in corners
            for end, part in ((low, 1 - share), (high, share))
        ]
    total = sum(weight * np.where(weight > 0, values[index], 0.0) for index, weight in corners)
    return np.where(inside, total, np.nan)
