"""The stated numbers of Yun et al. 2024 (arXiv 2404.02852) asked of every law, cost model and count of training FLOPs.

In: nothing but the package's laws, chips and cost models. Out: a `Finding` for each claim and combination (the paper's
figure, ours, a verdict with its reason), and sentences that say which conclusions hold under all of them.
Theory: the paper's §5 and App. E, by `planning.continuous`.
"""

from moeconomics.reproduction.claims import CLAIMS, TOLERANCE, Claim
from moeconomics.reproduction.question import BUDGETS, Question
from moeconomics.reproduction.reproduce import AGREES, DIFFERS, UNDECIDED, Finding, reproduce, verdict_of
from moeconomics.reproduction.setting import EXPERTS, SETTINGS, Abstract, Setting, Shaped
from moeconomics.reproduction.summary import Summary, markdown, summarise

__all__ = [
    "AGREES",
    "BUDGETS",
    "CLAIMS",
    "DIFFERS",
    "EXPERTS",
    "SETTINGS",
    "TOLERANCE",
    "UNDECIDED",
    "Abstract",
    "Claim",
    "Finding",
    "Question",
    "Setting",
    "Shaped",
    "Summary",
    "markdown",
    "reproduce",
    "summarise",
    "verdict_of",
]
