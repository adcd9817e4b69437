"""Write the chip file of this machine's CPU: .venv-vllm/bin/python studies/cpu-vllm-profile/measure_chip.py cpu.yaml

Peak FLOP/s are those of the largest matrix products and bytes/s those of reading a block much larger than the caches,
each the best of several, in vLLM's own PyTorch and with the threads that it uses.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch

SIDES = (1024, 2048, 4096)
BLOCK_BYTES = 2**30
REPEATS = 5


def best_s(work: Callable[[], object]) -> float:
    """Seconds of the fastest of several, after a warm-up."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def flops_per_s(dtype: torch.dtype) -> float:
    rates = []
    for side in SIDES:
        a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
        rates.append(2 * side**3 / best_s(lambda a=a, b=b: a @ b))
    return max(rates)


def main() -> None:
    block = torch.ones(BLOCK_BYTES // 4)
    target = torch.empty_like(block)
    read = BLOCK_BYTES / best_s(block.sum)
    copied = 2 * BLOCK_BYTES / best_s(lambda: target.copy_(block))
    bf16, fp32 = flops_per_s(torch.bfloat16), flops_per_s(torch.float32)
    cpu = next(
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    )
    name = f"{cpu}, {torch.get_num_threads()} threads"
    text = (
        f"measure_chip.py with torch {torch.__version__}: bf16 products; read by a sum of 1 GiB. "
        f"For comparison: fp32 {fp32:.3g} FLOP/s, copy {copied:.3g} bytes/s read and written"
    )
    chip = {
        "name": name,
        "flops_per_s": {"bf16": float(f"{bf16:.4g}")},
        "bytes_memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "bytes_per_s_memory": float(f"{read:.4g}"),
        # There is one such chip, so nothing crosses a link; the field is required.
        "bytes_per_s_link": float(f"{read:.4g}"),
        "link": "none",
        "link_domain": 1,
        "source_spec": {"text": text, "date": datetime.now(UTC).date().isoformat()},
    }
    Path(sys.argv[1]).write_text(json.dumps(chip, indent=2) + "\n", encoding="utf-8")  # JSON is YAML
    print(f"{name}: bf16 {bf16:.3g} FLOP/s, memory {read:.3g} bytes/s")


if __name__ == "__main__":
    main()
