"""What a user asks of a plan, checked once at the door, and its resolution into a `Problem`."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from moeconomics.boundary import within
from moeconomics.errors import BadInput, unknown_name
from moeconomics.hardware import get_chip
from moeconomics.laws import DEFAULT_LAW, get_law
from moeconomics.planning.problem import Problem, answerable, default_base
from moeconomics.serving import ServingInputs
from moeconomics.shapes import FLOP_COUNTS, get_architecture
from moeconomics.units import SECONDS_PER_HOUR

ALL_LAWS = "all"  # plan with the default law, then ask every other one


LEAST_FLOPS, MOST_FLOPS = 1e12, 1e30  # below, no rung of the ladder is worth training; above, nobody can

Experts = Annotated[int, within(1, 4096, "experts")]


class PlanInputs(ServingInputs):
    """A planning question. Exactly one of `train_flops`, `train_gpu_hours` and `train_usd` is the budget.

    `base_experts`: whose loss-optimal quality a recommendation must keep (default: the fewest experts above 1).
    `lifetime_tokens`: output tokens served over the model's life; with it the lowest lifetime cost is advised.
    """

    train_flops: Annotated[float, within(LEAST_FLOPS, MOST_FLOPS, "FLOPs")] | None = None
    train_gpu_hours: Annotated[float, within(0.1, 1e12, "GPU-hours")] | None = None
    train_usd: Annotated[float, within(0.1, 1e13, "USD")] | None = None
    train_gpu: str | None = None
    mfu: Annotated[float, within(0.01, 1, "(a share of the peak)")] = 0.4

    experts: Annotated[
        tuple[Experts, ...], Field(min_length=1, max_length=32), AfterValidator(lambda given: tuple(sorted(set(given))))
    ] = (1, 4, 8, 16, 32)
    base_experts: Experts | None = None
    architecture: str = "yun2024"
    vocab_size: Annotated[int, within(256, 2_000_000, "tokens")] = 50_304
    seq_len: Annotated[int, within(1, 10_000_000, "tokens")] = 2048
    law: str = DEFAULT_LAW
    unique_tokens: Annotated[float, within(1e6, 1e16, "tokens")] | None = None
    flop_count: str = "6nd-active"
    lifetime_tokens: Annotated[float, within(1, 1e20, "tokens")] | None = None

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        given = [name for name in ("train_flops", "train_gpu_hours", "train_usd") if getattr(self, name) is not None]
        if len(given) != 1:
            raise BadInput(
                f"give exactly one training budget of train_flops, train_gpu_hours and train_usd "
                f"(given: {', '.join(given) or 'none'})"
            )
        if self.base_experts is not None and self.base_experts not in self.experts:
            raise BadInput(
                f"base_experts {self.base_experts} is not one of experts {', '.join(map(str, self.experts))}"
            )
        return self


def resolve(inputs: PlanInputs) -> tuple[Problem, list[str]]:
    """The problem, and warnings of what was left out because the law has no answer to it.

    Errors: `BadInput` for unknown names, and when the law can answer for none of the experts.
    """
    if inputs.flop_count not in FLOP_COUNTS:
        raise unknown_name("FLOP convention", inputs.flop_count, FLOP_COUNTS)
    deployment = inputs.deployment()
    trainer = deployment.chip if inputs.train_gpu is None else get_chip(inputs.train_gpu)
    train_price = (
        deployment.usd_per_gpu_hour if inputs.train_gpu is None else trainer.price(inputs.price).usd_per_gpu_hour
    )
    flops_per_hour = trainer.flops("bf16") * inputs.mfu * SECONDS_PER_HOUR
    architecture = get_architecture(inputs.architecture)
    _check_experts(inputs.experts, architecture.top_k, architecture.name)
    law = get_law(DEFAULT_LAW if inputs.law == ALL_LAWS else inputs.law)
    answered, reasons = answerable(law, architecture, inputs.vocab_size, inputs.experts)
    if not answered:
        raise BadInput(reasons[0])
    left_out = [number for number in inputs.experts if number not in answered]
    warnings = [f"experts = {number} left out: {why}" for number, why in zip(left_out, reasons, strict=True)]
    base = inputs.base_experts or default_base(answered)
    if base not in answered:
        raise BadInput(f"base_experts {base}: {law.name} has no answer for it; choose from {answered}")
    return (
        Problem(
            published_law=law,
            unique_tokens=inputs.unique_tokens,
            architecture=architecture,
            vocab_size=inputs.vocab_size,
            seq_len=inputs.seq_len,
            flop_count=inputs.flop_count,
            train_flops=_train_flops(inputs, flops_per_hour, train_price),
            usd_per_train_flop=train_price / flops_per_hour,
            experts=answered,
            base_experts=base,
            deployment=deployment,
            cost_model=inputs.cost_model,
            lifetime_tokens=inputs.lifetime_tokens,
        ),
        warnings,
    )


def _train_flops(inputs: PlanInputs, flops_per_hour: float, train_price: float) -> float:
    if inputs.train_flops is not None:
        return inputs.train_flops
    hours = inputs.train_gpu_hours if inputs.train_gpu_hours is not None else (inputs.train_usd or 0) / train_price
    flops = hours * flops_per_hour
    if not LEAST_FLOPS <= flops <= MOST_FLOPS:
        raise BadInput(
            f"the budget comes to {flops:.2g} training FLOPs; it must be from {LEAST_FLOPS:g} to {MOST_FLOPS:g}"
        )
    return flops


def _check_experts(experts: tuple[int, ...], top_k: int, name: str) -> None:
    few = [number for number in experts if 1 < number < top_k]
    if few:
        raise BadInput(
            f"experts {', '.join(map(str, few))}: architecture {name} routes each token to {top_k} experts, "
            f"so experts is 1 (dense) or at least {top_k}"
        )
