"""How many serving estimates the operator model makes a second, on the shapes of the planner's ladder.

An estimate is one shape on one layout at its largest batch: memory, TPOT with interference, TTFT, price and band. The
last line printed is a JSON object:

  estimates_per_s  shapes × layouts × chips over seconds, arrays of 20,000, two processes (one thread each)
  one_estimate_ms  a single `cost` call with its search over GPUs and layouts, everything loaded
"""

import json
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from moeconomics.serving import LAYOUTS, OperatorCost, ServingInputs, cost
from moeconomics.shapes import ARCHITECTURES, GroupedQuery, ModelShape, ladder, map_dimensions

CHUNK = 20_000  # shapes of one call: its arrays stay in the caches
CALLS = 10
PROCESSES = 2


def shapes() -> ModelShape:
    found = ladder(ARCHITECTURES["mixtral"], np.geomspace(1e8, 1e11, 400), 50_304).shapes(1, 4, 8, 16, 32)
    return map_dimensions(found, lambda values: np.resize(values, CHUNK))


def estimates(_: int) -> tuple[int, float]:
    """Estimates made, and seconds taken without start-up."""
    asked = ServingInputs(gpu="H100-SXM-80GB", precision="fp8", traffic="chat")
    model, many = OperatorCost.of(asked.deployment()), shapes()
    layouts = [make(np.asarray(8)) for make in LAYOUTS.values()]
    model.at_layout(many, layouts[0])
    start = time.perf_counter()
    for _call in range(CALLS):
        for layout in layouts:
            model.at_layout(many, layout)
    return CALLS * len(layouts) * CHUNK, time.perf_counter() - start


def one_estimate_ms() -> float:
    shape = ModelShape(
        vocab_size=32_000,
        d_model=4096,
        n_layers=32,
        d_ff=14_336,
        d_expert=14_336,
        n_experts=8,
        top_k=2,
        attention=GroupedQuery(n_heads=32, n_kv_heads=8, head_dim=128),
    )
    cost(shape, gpu="H100-SXM-80GB")
    start = time.perf_counter()
    cost(shape, gpu="H100-SXM-80GB")
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    with ProcessPoolExecutor(PROCESSES) as pool:
        made = list(pool.map(estimates, range(PROCESSES)))
    answer = {
        "estimates_per_s": round(sum(count / seconds for count, seconds in made)),
        "one_estimate_ms": round(one_estimate_ms(), 1),
        "processes": PROCESSES,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
