"""At which scale a claim is asked: training budgets and numbers of experts. The paper's, and those of the CPU study."""

from dataclasses import dataclass

import numpy as np

from moeconomics.laws import Law

EXPERTS = (1, 4, 8, 16, 32)
BUDGETS = (2.12e21, 5.15e21, 5.96e21, 8.18e21)  # training FLOPs of Fig. 5 and 6


@dataclass(frozen=True, kw_only=True)
class Scale:
    """`budgets` in training FLOPs, rising; `dense_totals`: parameters of the dense models whose cost is compared.

    `most_tokens`: laws whose data reach more training tokens are of another scale, and are not asked.
    """

    name: str
    title: str
    budgets: tuple[float, ...]
    experts: tuple[int, ...] = EXPERTS
    dense_totals: tuple[float, float] = (1e9, 20e9)
    most_tokens: float = np.inf

    @property
    def is_paper(self) -> bool:
        """Whether the claims' own budgets and absolute sizes are of this scale."""
        return self == PAPER

    def columns(self, budgets: tuple[float, ...]) -> list[int]:
        """Which of the scale's budgets a claim is asked at that the paper states for `budgets`: elsewhere all."""
        return [BUDGETS.index(one) for one in budgets] if self.is_paper else list(range(len(self.budgets)))

    def has(self, law: Law) -> bool:
        """Whether the law's data are of this scale. A law that states no range of tokens is of the paper's alone."""
        return self.is_paper or law.domain.get("tokens", (0.0, np.inf))[1] <= self.most_tokens


PAPER = Scale(name="paper", title="At the paper's scale", budgets=BUDGETS)
# The study's largest run: 0.926M parameters with embeddings, 9.9M tokens: 5.5e13 FLOPs; no more than 16 experts.
CPU = Scale(
    name="cpu-study",
    title="At the CPU study's own scale",
    budgets=(1e13, 2e13, 5e13, 1.5e14),
    experts=(1, 4, 8, 16),
    dense_totals=(1e5, 1e8),
    most_tokens=1e9,
)
SCALES = (PAPER, CPU)
