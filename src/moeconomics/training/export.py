"""`export_model`: a trained run to a folder that transformers and vLLM serve. `verify_export`: that they serve it.

The export holds what its own check needs: token ids and the logits that the trained model gives for them.
"""

import json
import math
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from moeconomics.errors import BadInput
from moeconomics.training.data.tokenizer import end_of_document
from moeconomics.training.state import disk_errors, no_bar

PROMPTS, PROMPT_TOKENS, NEW_TOKENS = 8, 16, 32
# Float32 logits of order 10 are sums with errors of about 1e-6 each, which differ between kernels and machines; the
# largest difference seen between transformers and vLLM was 3e-6.
NOISE = 1e-4
_RECORD = "verification.npz"  # not safetensors: vLLM loads every file of that kind as weights


@dataclass(frozen=True, kw_only=True)
class Check:
    """One comparison: it holds where the `largest` difference, in logits or nats, is at most `allowed`."""

    name: str
    largest: float
    allowed: float
    words: str

    @property
    def holds(self) -> bool:
        """Whether it holds; NaN does not."""
        return self.largest <= self.allowed

    def as_json(self) -> dict[str, Any]:
        """Plain values; a difference that is no number is None."""
        largest = self.largest if math.isfinite(self.largest) else None
        return {
            "check": self.name,
            "holds": self.holds,
            "largest": largest,
            "allowed": self.allowed,
            "words": self.words,
        }


def export_model(run: Path, target: Path) -> Path:
    """Write the model of `run` (a run's folder: that with most steps; or one of its models/<steps>) to `target`.

    `target` gets config.json, safetensors in float32, tokenizer and generation config with the end-of-document token,
    and the logits that `verify_export` compares with. It appears whole or not at all; an earlier export is replaced.
    Returns the checkpoint that was exported. Errors: `BadInput` for a run without a model or a target that is in use;
    `DiskFull`.
    """
    checkpoint = _checkpoint(run)
    target = target.resolve()
    _refuse_other_content(target)
    model, tokenizer = _open(checkpoint), Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    end = end_of_document(tokenizer, str(checkpoint))
    model.config.bos_token_id = model.config.eos_token_id = end
    model.generation_config = GenerationConfig(bos_token_id=end, eos_token_id=end)  # type: ignore[no-untyped-call]
    word = tokenizer.id_to_token(end)
    # Training begins every document after an end of document, so that token is also the one to begin with.
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=word,
        eos_token=word,
        clean_up_tokenization_spaces=False,
        model_max_length=model.config.max_position_embeddings,
    )
    tokens = torch.randint(
        model.config.vocab_size, (PROMPTS, PROMPT_TOKENS), generator=torch.Generator().manual_seed(0)
    )
    logits = _logits(model, tokens)
    half = target.with_name(f".{target.name}.half")
    with disk_errors(target), no_bar():
        shutil.rmtree(half, ignore_errors=True)
        model.save_pretrained(half)
        fast.save_pretrained(half)
        np.savez(half / _RECORD, tokens=tokens.numpy(), logits=logits.numpy())
        shutil.rmtree(target, ignore_errors=True)
        half.rename(target)
    return checkpoint


def verify_export(folder: Path, vllm: Path | None) -> list[Check]:
    """Compare an export with the model that was trained, and vLLM's greedy tokens with those of transformers.

    `vllm`: the Python of an environment that has vLLM; None leaves vLLM out. All in float32. vLLM continues
    `PROMPTS` prompts by `NEW_TOKENS` tokens; transformers then reads each continuation. Where every token has the
    largest of transformers' logits, transformers too would have generated it. Where one is below the largest by no
    more than `NOISE` it is a tie, and the reading goes on after it.
    Errors: `BadInput` for a folder that is no export, or that vLLM can not serve.
    """
    try:
        with np.load(folder / _RECORD) as record:
            tokens, wanted = torch.from_numpy(record["tokens"]), torch.from_numpy(record["logits"])
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder / _RECORD}: {error}; `moeconomics export` writes the folder to verify") from error
    model = _open(folder)
    if wanted.shape[-1] != model.config.vocab_size:
        raise BadInput(f"{folder}: config.json has {model.config.vocab_size} tokens, {_RECORD} {wanted.shape[-1]}")
    checks = [
        Check(
            name="logits, transformers - training",
            largest=float((_logits(model, tokens) - wanted).abs().max()),
            allowed=NOISE,
            words=f"{tokens.numel()} positions",
        )
    ]
    if vllm is not None:
        said = _ask_vllm(vllm, folder, tokens)
        checks += compare_greedy(model, tokens, torch.tensor(said["tokens"]), torch.tensor(said["logprobs"]))
    return checks


def compare_greedy(model: PreTrainedModel, prompts: Tensor, tokens: Tensor, logprobs: Tensor) -> list[Check]:
    """Judge greedy `tokens` (prompts, new) and their `logprobs`, nats, by what `model` gives after the same text."""
    text = torch.cat([prompts, tokens], dim=1)
    logits = _logits(model, text)[:, prompts.shape[1] - 1 : -1]
    own = logits.log_softmax(-1).gather(2, tokens[..., None])[..., 0]
    best = logits.max(-1)
    gaps = best.values - logits.gather(2, tokens[..., None])[..., 0]
    differ = best.indices != tokens
    words = f"{int((~differ).sum())} of {tokens.numel()} tokens the same"
    if differ.any():
        prompt, place = divmod(int((gaps + differ).argmax()), tokens.shape[1])
        kind = "a tie" if gaps.max() <= NOISE else "no tie"
        words += (
            f"; the worst, {kind}: prompt {prompt}, new token {place}: vLLM {int(tokens[prompt, place])}, transformers "
            f"{int(best.indices[prompt, place])}, logits {float(gaps[prompt, place]):.2g} apart"
        )
    return [
        Check(name="greedy tokens, vLLM - transformers", largest=float(gaps.max()), allowed=NOISE, words=words),
        Check(
            name="log-probabilities, vLLM - transformers",
            largest=float((own - logprobs).abs().max()),
            allowed=NOISE,
            words="of these tokens, nats",
        ),
    ]


def _checkpoint(run: Path) -> Path:
    if (run / "config.json").exists():
        return run
    found = [path.parent for path in run.glob("models/*/config.json") if path.parent.name.isdigit()]
    if not found:
        raise BadInput(
            f"{run} holds no trained model: a run's folder holds models/<steps>/config.json once `moeconomics train` "
            f"has reached a token count. Give such a folder, <runs>/<run id>, or one of its models/<steps>"
        )
    return max(found, key=lambda path: int(path.name))


def _refuse_other_content(target: Path) -> None:
    if target.is_dir() and (not any(target.iterdir()) or (target / _RECORD).exists()):
        return
    if target.exists():
        raise BadInput(f"{target} exists and is no earlier export: give a new or empty folder")


def _open(folder: Path) -> PreTrainedModel:
    try:
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BadInput(f"transformers can not open {folder}: {error}") from error


@torch.no_grad()
def _logits(model: PreTrainedModel, tokens: Tensor) -> Tensor:
    logits: Tensor = model(input_ids=tokens, use_cache=False).logits
    return logits


def _ask_vllm(python: Path, folder: Path, prompts: Tensor) -> dict[str, Any]:
    """Greedy tokens and log-probabilities, each (prompts, new tokens)."""
    question = {"model": str(folder), "prompts": prompts.tolist(), "new_tokens": NEW_TOKENS}
    try:
        done = subprocess.run(
            # Isolated: beside the script lie our modules, whose names (data, model) others may import.
            [python, "-I", Path(__file__).with_name("greedy_vllm.py")],
            input=json.dumps(question),
            # Out of vLLM's own second process an error comes without its reason.
            env={**os.environ, "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_LOGGING_STREAM": "ext://sys.stderr"}
            | {"VLLM_CPU_KVCACHE_SPACE": "1"},  # GiB; without it half of the machine's memory
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise BadInput(
            f"{python} does not run: {error.strerror}; `make vllm-env` makes .venv-vllm/bin/python"
        ) from error
    if done.returncode:
        reasons = re.findall(r"\w+Error: .*", done.stderr) or [f"it ended with code {done.returncode}"]
        raise BadInput(f"vLLM of {python} does not serve {folder}: {reasons[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
