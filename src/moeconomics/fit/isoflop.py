"""isoFLOP analysis: the size of lowest loss among runs of equal compute, without a law.

"Parabola" is approach 2 of Hoffmann et al. 2022 (arXiv 2203.15556, §3.2): a quadratic of loss in ln N. "Direct" takes
the minimum of a shape-preserving cubic through the runs themselves, which no wide tail can pull. Loss at fixed compute,
E + A·N^−α + B·(6N/C)^β, is not symmetric in ln N, so a parabola over a wide or off-centre grid is biased; the bias is
measured by the same parabola through a fitted law's own losses at the group's sizes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from moeconomics.fit.fit import Fit
from moeconomics.fit.rows import SIZES, Rows, Values
from moeconomics.laws import INTERVAL_PERCENTILES

SAME_COMPUTE = 0.1  # runs whose compute differs by up to this share are one group
LEAST_SIZES = 5
DRAWS = 400
BIASED = 0.1  # a parabola this far (relative) from the law's own optimum is warned of


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """The size of lowest loss by one method, and the tokens that go with it; NaN where there is no minimum inside.

    `low` and `high`: 90 % bootstrap interval of `n` over the group's runs.
    """

    n: float
    low: float
    high: float
    tokens: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class IsoFlop:
    """Runs of one number of experts (NaN: the law has none) and one compute, in the law's own N.

    `bias`: parabola over the law's own optimum at these sizes, minus 1; NaN where either has none.
    """

    experts: float
    flops: float
    sizes: Values
    losses: Values
    curve: tuple[float, float, float]
    parabola: Optimum
    direct: Optimum
    bias: float

    @property
    def is_biased(self) -> bool:
        """Whether the grid is so wide or off-centre that its parabola should not be believed."""
        return abs(self.bias) > BIASED


@dataclass(frozen=True, kw_only=True)
class Exponents:
    """N_opt ∝ C^a over the groups of one number of experts, with a 90 % interval; the tokens' exponent is 1 − a."""

    experts: float
    method: str
    a: float
    low: float
    high: float
    groups: int


def isoflop(one: Fit, generator: np.random.Generator) -> list[IsoFlop]:
    """Every group of `LEAST_SIZES` sizes or more at one compute; empty where the runs are no isoFLOP sweep.

    Runs that repeat their data are left out: their loss depends on the repeats, not on the size alone.
    """
    rows = one.rows
    size = rows.size()
    if size is None or "tokens" not in rows.variables or not np.isfinite(rows.compute).all():
        return []
    experts = rows.variables.get("experts", np.full(len(rows), np.nan))
    found = []
    fresh = rows.variables.get("unique_tokens", rows.variables["tokens"]) >= rows.variables["tokens"]
    for number in np.unique(experts):
        mine = np.flatnonzero(fresh & ((experts == number) | (np.isnan(experts) & np.isnan(number))))
        for group in _equal_compute(rows.compute, mine):
            if np.unique(size[group]).size >= LEAST_SIZES:
                found.append(_analyse(one, float(number), group, generator))
    return found


def exponents(groups: list[IsoFlop]) -> list[Exponents]:
    """Slope of ln N_opt by ln C for each number of experts and method, over computes whose optimum has an interval."""
    found = []
    for number in np.unique([group.experts for group in groups]):
        mine = [group for group in groups if group.experts == number or np.isnan(number)]
        for method in ("parabola", "direct"):
            optima = [(group.flops, getattr(group, method)) for group in mine]
            known = [(flops, optimum) for flops, optimum in optima if np.isfinite(optimum.low)]
            if len({flops for flops, _ in known}) < 2:
                continue
            log_c = np.log([flops for flops, _ in known])
            log_n = np.log([optimum.n for _, optimum in known])
            centred = log_c - log_c.mean()
            slope = float(centred @ log_n / (centred @ centred))
            # Each optimum's own interval carries over: var(slope) = Σ c²·var / (Σ c²)².
            spread = np.array([np.log(optimum.high / optimum.low) / (2 * 1.645) for _, optimum in known])
            error = 1.645 * float(np.sqrt((centred**2) @ spread**2) / (centred @ centred))
            found.append(
                Exponents(
                    experts=float(number),
                    method=method,
                    a=slope,
                    low=slope - error,
                    high=slope + error,
                    groups=len(known),
                )
            )
    return found


def parabola(log_n: Values, loss: Values, weights: Values | None = None) -> NDArray[np.float64]:
    """Coefficients of the least-squares quadratic of loss in ln N, highest power first."""
    return np.asarray(np.polyfit(log_n, loss, 2, w=None if weights is None else np.sqrt(weights)))


def _equal_compute(compute: Values, mine: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Rows whose compute lies within `SAME_COMPUTE` of the smallest of their group."""
    order = mine[np.argsort(compute[mine], kind="stable")]
    groups: list[list[int]] = []
    for row in order:
        if groups and compute[row] <= compute[groups[-1][0]] * (1 + SAME_COMPUTE):
            groups[-1].append(int(row))
        else:
            groups.append([int(row)])
    return [np.array(group) for group in groups]


def _analyse(one: Fit, experts: float, group: NDArray[np.int64], generator: np.random.Generator) -> IsoFlop:
    rows = one.rows.select(np.isin(np.arange(len(one.rows)), group))
    mine = rows.size()
    assert mine is not None  # `isoflop` asks first
    order = np.argsort(mine, kind="stable")
    log_n, loss, flops = np.log(mine[order]), rows.loss[order], float(np.median(rows.compute))
    per_token = float(np.median(rows.compute / (mine * rows.variables["tokens"])))
    times = generator.multinomial(loss.size, np.full(loss.size, 1 / loss.size), size=DRAWS)

    def optimum(minimum: float, value: float, drawn: Values) -> Optimum:
        at = float(np.exp(minimum))
        known = drawn[np.isfinite(drawn)]
        enough = np.isfinite(at) and known.size >= DRAWS // 2
        low, high = np.exp(np.percentile(known, INTERVAL_PERCENTILES)) if enough else (np.nan, np.nan)
        return Optimum(n=at, low=float(low), high=float(high), tokens=flops / (per_token * at), loss=value)

    curve = parabola(log_n, loss)
    vertex = _vertex(curve, log_n)
    vertices = [
        _vertex(parabola(log_n, loss, weights.astype(float)), log_n) if np.count_nonzero(weights) > 3 else np.nan
        for weights in times
    ]
    lowest, value = _lowest(log_n, loss)
    drawn = [_lowest(log_n[weights > 0], loss[weights > 0])[0] for weights in times]
    return IsoFlop(
        experts=experts,
        flops=flops,
        sizes=np.exp(log_n),
        losses=loss,
        curve=(float(curve[0]), float(curve[1]), float(curve[2])),
        parabola=optimum(vertex, float(np.polyval(curve, vertex)), np.array(vertices)),
        direct=optimum(lowest, value, np.array(drawn)),
        bias=_bias(one, rows, log_n, flops, per_token),
    )


def _vertex(curve: Values, log_n: Values) -> float:
    """Minimum of a parabola; NaN when it opens downwards or lies outside the sizes."""
    at = -curve[1] / (2 * curve[0]) if curve[0] > 0 else np.nan
    return float(at) if log_n[0] <= at <= log_n[-1] else float("nan")


def _lowest(log_n: Values, loss: Values) -> tuple[float, float]:
    """Minimum of the shape-preserving cubic through mean losses by size; NaN at an end."""
    sizes, index = np.unique(log_n, return_inverse=True)
    if sizes.size < 3:
        return float("nan"), float("nan")
    means = np.bincount(index, weights=loss) / np.bincount(index)
    best = int(np.argmin(means))
    if best in (0, sizes.size - 1):
        return float("nan"), float("nan")
    fine = np.linspace(sizes[best - 1], sizes[best + 1], 400)
    values = PchipInterpolator(sizes, means)(fine)
    return float(fine[np.argmin(values)]), float(values.min())


def _bias(one: Fit, rows: Rows, log_n: Values, flops: float, per_token: float) -> float:
    """The parabola through the fitted law's losses at these sizes, over the law's own optimum, minus 1."""

    def law(at: Values) -> Values:
        middle = {name: np.full(at.size, np.median(values)) for name, values in rows.variables.items()}
        name = next(name for name in SIZES if name in middle)
        grown = {key: middle[key] * np.exp(at) / middle[name] for key in SIZES if key in middle}
        tokens = flops / (per_token * np.exp(at))
        spent = {key: tokens for key in ("tokens", "unique_tokens") if key in middle}
        return np.asarray(rows.law.loss_of(one.coefficients, middle | grown | spent), dtype=float)

    fine = np.linspace(log_n[0] - 3, log_n[-1] + 3, 4000)
    own = fine[np.argmin(law(fine))]
    return float(np.exp(_vertex(parabola(log_n, law(log_n)), log_n) - own) - 1)
