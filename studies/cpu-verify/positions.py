"""Write positions.json, the validation loss along a window: python studies/cpu-verify/positions.py.

Of each model that `verify` left in runs/ (they are not in the repository), from the first tokens of a window, which
have little text before them, to the last. Nats/token.
"""

import json
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from moeconomics.training import RunSpec
from moeconomics.training.data import prepare, validation_windows

HERE = Path(__file__).parent
PART, ROWS = 16, 64  # positions of a mean; windows at once


def main() -> None:
    """Evaluate what is there."""
    found = []
    for folder in sorted((HERE / "runs").glob("*/models/*")):
        spec = RunSpec.model_validate_json((folder.parents[1] / "spec.json").read_text(encoding="utf-8"))
        windows = validation_windows(
            prepare(spec.data, HERE / "runs" / "corpora"), spec.sequence_length, spec.evaluation_tokens
        )
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        parts = []
        for rows in torch.from_numpy(windows.tokens).split(ROWS):
            with torch.no_grad():
                logits = model(rows[:, :-1]).logits
            parts.append(torch.nn.functional.cross_entropy(logits.mT, rows[:, 1:], reduction="none").numpy())
        losses = np.where(windows.document >= 0, np.concatenate(parts), np.nan)
        along = np.nanmean(losses.reshape(len(losses), -1, PART), axis=(0, 2))
        found.append(
            {"experts": spec.experts, "seed": spec.seed, "loss": float(np.nanmean(losses)), "along": along.tolist()}
        )
    (HERE / "positions.json").write_text(
        json.dumps({"positions": PART, "models": found}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
