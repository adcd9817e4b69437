"""Greedy continuations by vLLM: JSON in, JSON out. It runs in vLLM's own environment and imports nothing of ours."""

import json
import sys


def main() -> None:
    """Read {model, prompts, new_tokens} and print {tokens, logprobs}, each a list for each prompt."""
    from vllm import LLM, SamplingParams  # type: ignore[import-not-found]

    asked = json.load(sys.stdin)
    engine = LLM(
        model=asked["model"],
        dtype="float32",
        # Compiling would take longer than these few tokens. Eager alone would turn on vLLM's own CPU kernels, of which
        # the interleaved rotary embedding (DeepSeek's) is wrong: compare github.com/vllm-project/vllm/pull/31643.
        enforce_eager=True,
        compilation_config={"custom_ops": ["none"]},
        max_model_len=max(map(len, asked["prompts"])) + asked["new_tokens"],
    )
    greedy = SamplingParams(temperature=0, max_tokens=asked["new_tokens"], ignore_eos=True, logprobs=0)
    prompts = [{"prompt_token_ids": prompt} for prompt in asked["prompts"]]
    found = [answer.outputs[0] for answer in engine.generate(prompts, greedy, use_tqdm=False)]
    logprobs = [[step[token].logprob for step, token in zip(one.logprobs, one.token_ids, strict=True)] for one in found]
    print(json.dumps({"tokens": [list(one.token_ids) for one in found], "logprobs": logprobs}))


if __name__ == "__main__":
    main()
