"""The stretches of a run: a trunk at constant rate, left by a branch that anneals at each token count."""

from collections.abc import Iterator
from dataclasses import dataclass

from moeconomics.training.spec import RunSpec


@dataclass(frozen=True)
class Stretch:
    """Steps `first` to `last` of the trunk, or of the branch that ends at `tokens`."""

    first: int
    last: int
    tokens: float | None

    @property
    def is_branch(self) -> bool:
        """Whether it anneals, and ends in a row."""
        return self.tokens is not None


def stretches(spec: RunSpec) -> tuple[Stretch, ...]:
    """Trunk and branches in the order they run: every branch starts where the trunk stands."""

    def found() -> Iterator[Stretch]:
        at = 0
        for steps, tokens in zip(spec.steps, spec.tokens, strict=True):
            leaves = spec.plan.branch_at(steps)
            if leaves > at:
                yield Stretch(at, leaves, None)
            yield Stretch(leaves, steps, tokens)
            at = max(at, leaves)

    return tuple(found())


def total_steps(spec: RunSpec) -> int:
    """Optimiser steps of the trunk and all branches."""
    return sum(stretch.last - stretch.first for stretch in stretches(spec))


def learning_rate(spec: RunSpec, peak: float, stretch: Stretch, step: int) -> float:
    """Learning rate of one step."""
    warmup = max(1, round(spec.plan.warmup_share * spec.steps[-1]))
    return peak * spec.plan.factor(step, stretch.last if stretch.is_branch else None, warmup)
