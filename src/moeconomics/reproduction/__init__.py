"""The stated numbers of Yun et al. 2024 (arXiv 2404.02852) asked of every law, cost model and count of training FLOPs.

In: the package's laws, chips and cost models, and measured profiles of tiny models. Out: a `Finding` for each claim and
combination (the paper's figure, ours, a verdict with its reason, and whether it survives the cost model's error band),
at the paper's scale and at the CPU study's; sentences that say which conclusions hold under all of them; and how the
headline ratios move over chips, formats and architectures.
Theory: the paper's §5 and App. E, by `planning.continuous`.
"""

from moeconomics.reproduction.claims import CLAIMS, TOLERANCE, Claim
from moeconomics.reproduction.measured import Profiled
from moeconomics.reproduction.moves import Grain, Move, granularity_alone, how_they_move
from moeconomics.reproduction.page import markdown
from moeconomics.reproduction.question import Question
from moeconomics.reproduction.reproduce import (
    AGREES,
    DIFFERS,
    UNDECIDED,
    Finding,
    asked_laws,
    cpu_joint2025,
    reproduce,
    verdict_of,
)
from moeconomics.reproduction.scale import BUDGETS, CPU, EXPERTS, PAPER, SCALES, Scale
from moeconomics.reproduction.setting import SETTINGS, Abstract, Setting, Shaped
from moeconomics.reproduction.summary import PARTS, Summary, summarise, tables_by_factor

__all__ = [
    "AGREES",
    "BUDGETS",
    "CLAIMS",
    "CPU",
    "DIFFERS",
    "EXPERTS",
    "PAPER",
    "PARTS",
    "SCALES",
    "SETTINGS",
    "TOLERANCE",
    "UNDECIDED",
    "Abstract",
    "Claim",
    "Finding",
    "Grain",
    "Move",
    "Profiled",
    "Question",
    "Scale",
    "Setting",
    "Shaped",
    "Summary",
    "asked_laws",
    "cpu_joint2025",
    "granularity_alone",
    "how_they_move",
    "markdown",
    "reproduce",
    "summarise",
    "tables_by_factor",
    "verdict_of",
]
