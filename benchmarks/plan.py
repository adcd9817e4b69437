"""How fast the planner evaluates candidates, how much memory a search takes and how long a first plan takes.

A candidate is one (shape, tokens, GPUs, batch) on one chip: its loss, its training FLOPs and its serving cost are
computed row by row, nothing shared between rows. The last line printed is a JSON object:

  candidates_per_s     rows evaluated per second, all of a 10-million-row search in chunks, front kept
  peak_rss_mb          peak memory of this process during that search (MB = 1e6 bytes)
  plan_cold_start_s    one `moeconomics plan` in a new process, median of 5
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from moeconomics.planning import PlanInputs, Problem, pareto, resolve
from moeconomics.serving import PaperCost
from moeconomics.shapes import ladder, map_dimensions

CANDIDATES = 10_000_000
CHUNK = 50_000  # rows whose temporaries fit the cores' caches
CORES = 2


def search(problem: Problem, candidates: int) -> tuple[int, int]:
    """Evaluate `candidates` rows in chunks; give the number evaluated and the size of the (cost, loss) front."""
    model = PaperCost.roofline(problem.deployment)
    rungs = ladder(problem.architecture, np.geomspace(1e8, 1e12, 460), problem.vocab_size)
    shapes = rungs.shapes(*problem.experts)
    axes = (len(rungs.d_model) * len(problem.experts), 128, len(problem.deployment.gpus), 10)
    axes = (axes[0], -(-candidates // (axes[0] * axes[2] * axes[3])), *axes[2:])
    tokens = np.geomspace(1e10, 1e13, axes[1])
    batches = np.geomspace(1, 512, axes[3])
    gpus = np.asarray(problem.deployment.gpus)

    def chunk(start: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.arange(start, min(start + CHUNK, candidates))
        which, token, gpu, batch = np.unravel_index(rows, axes)
        shape = map_dimensions(shapes, lambda values: values[which])
        loss = np.asarray(problem.law.loss(shape, tokens[token]))
        train_flops = problem.flops_per_token(shape) * tokens[token]
        served = model.at_batch(shape, gpus[gpu], batches[batch])
        usd = np.where(train_flops <= problem.train_flops, served.usd_per_token_output, np.inf)
        front = pareto(usd, loss)
        return usd[front], loss[front]

    with ThreadPoolExecutor(CORES) as pool:
        fronts = list(pool.map(chunk, range(0, candidates, CHUNK)))
    usd, loss = (np.concatenate(part) for part in zip(*fronts, strict=True))
    return candidates, pareto(usd, loss).size


def cold_start_s() -> float:
    """Median seconds of `moeconomics plan` in a new process."""
    program = Path(sys.executable).parent / "moeconomics"
    command = [str(program), "plan", "--train-flops", "5.15e21", "--json"]
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    problem, _ = resolve(PlanInputs(train_flops=5.15e21))
    search(problem, 200_000)  # warm up
    start = time.perf_counter()
    count, front = search(problem, CANDIDATES)
    elapsed = time.perf_counter() - start
    print(f"{count:,} candidates in {elapsed:.1f} s, {front} on the front")
    answer = {
        "candidates_per_s": round(count / elapsed),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
        "plan_cold_start_s": round(cold_start_s(), 2),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
