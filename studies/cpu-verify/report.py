"""Write README.md and the figures from what `verify` left in this folder: python studies/cpu-verify/report.py."""

import json
import os
from pathlib import Path

import numpy as np
import yaml

from moeconomics.laws import get_law
from moeconomics.reports import drawn
from moeconomics.reports.verification_page import verification_figures
from moeconomics.units import count_text
from moeconomics.verification import BASE, Outcome, Plan, name_of, read_plan, verify
from moeconomics.verification.verify import REPEATS, VISITS

HERE = Path(__file__).parent
SEEDS = 2  # as many as were trained
VLLM = Path(".venv-vllm/bin/python")  # asked only where served.json is missing
INTRODUCTION = """# A plan put to the test on a CPU

Written by `report.py` from what `moeconomics verify` left here. A plan for {budget:.3g} training FLOPs, {times:.2f}
times the largest run that its law was fitted to; its predictions were written ({predicted_at}) and
committed before its models were trained and served ({served_at}). Models of a million parameters,
{seeds} seeds each: this tests the chain from law to price, not the paper's scale.

- law: `{law}` of [the CPU study](../cpu-python-stdlib/README.md), with the penalty of Muennighoff et al. 2023 for
  repeated tokens; there are {unique:.4g} different ones
- cost: the operator model, fitted to `profile.parquet` (16 models of dummy weights, `shapes.yaml`), the machine at
  {usd_per_hour:g} USD per hour (assumed; it scales every price alike); prompts of {input_len:g} tokens from validation
  text, answers of {output_len:g}
- text: {text}
- trained with {trained_with}; served by vllm {engine_version} on {hardware}, up to {batch}
  requests at once, three times as many at the start
- again, with vLLM (`make vllm-env`), about three hours, the last five minutes on a machine that does nothing else:

```text
moeconomics profile studies/cpu-verify/shapes.yaml --engine vllm -o studies/cpu-verify/profile.parquet
moeconomics calibrate studies/cpu-verify/profile.parquet --gpu studies/cpu-vllm-profile/cpu.yaml \\
    -o studies/cpu-verify/calibration.yaml
moeconomics plan --train-flops 1.5e14 --law cpu-study --vocab-size 2048 --seq-len 128 --flop-count matmul \\
    --unique-tokens 9955200 --experts 1,4,8,16 --input-len 128 --output-len 32 --usd-per-gpu-hour 0.1 --max-gpus 1 \\
    --gpu studies/cpu-vllm-profile/cpu.yaml --cost-model operator --calibration studies/cpu-verify/calibration.yaml \\
    -o plan && cp plan/plan.json studies/cpu-verify/
moeconomics verify studies/cpu-verify/plan.json --training studies/cpu-verify/train.yaml --seeds {seeds} \\
    -o studies/cpu-verify
python studies/cpu-verify/report.py
```

"""


PREDICTED = """## Predicted and measured

Parameters with embeddings; loss in nats/token, as measured the mean of {seeds} seeds with a 90 % interval by Student's
t; USD per million output tokens; in brackets 90 % intervals of the law, the band of the cost model, and the extremes
of {measurements} measurements.

{models}![Loss predicted and measured of the three models](loss.svg)

![Serving cost predicted and measured of the three models](cost.svg)

"""
CLAIM = """## Does the paper's claim hold here?

Equal quality at about half of the cost: **{verdict}**. The over-trained {experts}-expert model's loss is
{difference:.3f} nats/token {side} that of the loss-optimal {base}-expert model of the same training budget, and it
costs {cost:.0%} of it to serve; the paper has 47 to 52 %. Seeds of one model differ with a standard deviation of
{seed_sd:.4f} nats/token here.

{claims}"""
COST = """## Where the cost is from

By the law the active parameters come down to {active:.0%}: a cost in proportion to them would save no more. And a part
of each token's time is the engine's own, whatever the model:

{times}"""
LOSSES = """## Where the losses part

The penalty of repeated tokens was fitted to models a thousand times larger. Without it the law is nearer, but the most
repeated model is still the one that it errs on most:

{repeats}"""
ALONG = """## Where seeds part

Seeds differ far more than in the CPU study, whose law takes {noise:.2%} of the loss for noise and whose runs saw no
token twice. It is no fault of the training: the dense model of seed 0, trained a second time without a stop, came to
the same loss to the last digit. Seeds part along the window (`positions.json`, by `positions.py`, of the models at
hand; of seed 0 only that dense model was kept):

{along}The first tokens, which have little text before them, are predicted alike by both dense models; the last are not.
So they differ in how much they use the text before a token. That two layers learn this at a step that depends on the
seed, later than the law's runs ended, would explain why all measured losses lie below the law's; it was not tested.
"""


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines) + "\n"


def models(outcome: Outcome) -> str:
    rows = []
    for one in outcome.models:
        plan = one.candidate
        rows.append(
            [
                name_of(one),
                count_text(plan.n_active),
                count_text(plan.n_total),
                count_text(one.tokens),
                f"{one.tokens / one.unique_tokens:.2f}",
                f"{plan.loss:.4f} ({plan.loss_low:.4f} to {plan.loss_high:.4f})",
                f"{one.loss:.4f} ± {outcome.loss_half_width:.4f}",
                f"{plan.usd_per_mtok_output:.3g} ({plan.usd_per_mtok_output_low:.3g} to "
                f"{plan.usd_per_mtok_output_high:.3g})",
                f"{one.usd:.3g}",
                f"{one.tok_s:.0f} ({one.tok_s_low:.0f} to {one.tok_s_high:.0f})",
            ]
        )
    columns = ["model", "active", "total", "tokens", "epochs", "loss predicted", "loss", "USD/Mtok predicted"]
    return markdown([*columns, "USD/Mtok", "output tokens/s"], rows)


def claims(outcome: Outcome) -> str:
    rows = []
    for one in outcome.claims():
        ratio = one.claim.startswith(("cost", "the paper"))
        predicted, shown = (f"{value:.1%}" if ratio else f"{value:+.4f}" for value in (one.predicted, one.measured))
        rows.append([one.claim, one.claimed, predicted, shown, one.verdict, one.why])
    return markdown(["claim", "claimed", "predicted", "measured", "verdict", "why"], rows)


def repeats(plan: Plan, outcome: Outcome) -> str:
    """What the law says of each model without the penalty of repeated tokens."""
    law = get_law(plan.file.inputs.law)
    rows = []
    for planned, one in zip(plan.models, outcome.models, strict=True):
        alone = float(np.asarray(law.loss(planned.spec.shape(plan.file.inputs.vocab_size), one.tokens)))
        rows.append(
            [name_of(one), f"{alone:.4f}", f"{one.candidate.loss:.4f}", f"{one.loss:.4f}", f"{one.loss - alone:+.4f}"]
        )
    return markdown(["model", "law alone", "with the penalty", "measured", "measured - law alone"], rows)


def along() -> str:
    """Loss at the first and at the last tokens of a window, by model and seed."""
    found = json.loads((HERE / "positions.json").read_text(encoding="utf-8"))
    part = found["positions"]
    rows = [
        [
            "dense" if one["experts"] == 1 else f"{one['experts']}-expert",
            str(one["seed"]),
            *(f"{loss:.3f}" for loss in (one["loss"], one["along"][0], one["along"][1], one["along"][-1])),
        ]
        for one in found["models"]
    ]
    return markdown(["model", "seed", "loss", f"first {part} tokens", f"next {part}", f"last {part}"], rows)


def times(outcome: Outcome) -> str:
    """Microseconds of an output token, and what of it the fit gives to each request whatever the model."""
    calibration = yaml.safe_load((HERE / "calibration.yaml").read_text(encoding="utf-8"))
    host_us = calibration["engines"][0]["host_us_per_sequence"]
    chosen, base = outcome.pair(BASE)
    rows = [
        [
            name_of(one),
            f"{1e6 / one.tok_s:.1f}",
            f"{host_us:.1f}",
            f"{1e6 / one.tok_s - host_us:.1f}",
            f"{one.candidate.n_active / base.candidate.n_active:.1%}",
        ]
        for one in outcome.models
    ]
    rest = (1e6 / chosen.tok_s - host_us) / (1e6 / base.tok_s - host_us)
    table = markdown(
        ["model", "µs per output token, measured", "of it for the request (fitted)", "rest", "active, of the base's"],
        rows,
    )
    return table + f"The recommended model's rest is {rest:.1%} of the base's.\n\n"


def page(plan: Plan, outcome: Outcome) -> str:
    inputs = plan.file.inputs
    largest = 4.757e13  # train_flops of the largest run in studies/cpu-python-stdlib/runs/runs.csv
    quality, _, both, *_ = outcome.claims()
    chosen, base = outcome.pair(BASE)
    parts = [
        INTRODUCTION.format(
            budget=inputs.train_flops,
            times=inputs.train_flops / largest,
            law=inputs.law,
            unique=inputs.unique_tokens,
            usd_per_hour=inputs.usd_per_gpu_hour,
            input_len=inputs.input_len,
            output_len=inputs.output_len,
            batch=chosen.candidate.batch,
            seeds=outcome.seeds,
            **outcome.facts,
        ),
        PREDICTED.format(models=models(outcome), measurements=REPEATS * VISITS, seeds=outcome.seeds),
        CLAIM.format(
            verdict=both.verdict,
            experts=chosen.candidate.experts,
            base=base.candidate.experts,
            difference=abs(quality.measured),
            seed_sd=outcome.seed_sd,
            side="below" if quality.measured < 0 else "above",
            cost=chosen.usd / base.usd,
            claims=claims(outcome),
        ),
        COST.format(active=chosen.candidate.n_active / base.candidate.n_active, times=times(outcome)),
        LOSSES.format(repeats=repeats(plan, outcome)),
        ALONG.format(noise=outcome.noise, along=along()),
    ]
    return "".join(parts).rstrip("\n") + "\n"


def main() -> None:
    """Rewrite the page and the figures."""
    plan = read_plan(HERE / "plan.json", HERE / "train.yaml")
    outcome = verify(plan, HERE, python=Path(os.environ.get("MOECONOMICS_VLLM", VLLM)), seeds=SEEDS)
    (HERE / "README.md").write_text(page(plan, outcome), encoding="utf-8")
    for what, figure in verification_figures(outcome).items():
        (HERE / f"{what}.svg").write_bytes(drawn(figure, Path(f"{what}.svg")))


if __name__ == "__main__":
    main()
