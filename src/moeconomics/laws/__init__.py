"""Loss as a function of shape and tokens: every published law with coefficients, and fitted ones.

In: a `ModelShape` and training tokens. Out: loss in nats/token (each law's own data set), its interval or the
reason there is none, the distance from the law's data and the departures from its architecture.
Theory: one module a law, each with its paper and equation. Losses of different laws can not be compared with
each other: they are of different texts and tokenizers.
"""

from moeconomics.laws.fitted import FittedLaw, load_fitted
from moeconomics.laws.information import Informative, most_informative
from moeconomics.laws.joint2025 import JOINT2025
from moeconomics.laws.law import INTERVAL_PERCENTILES, Law, Parameter, Prediction
from moeconomics.laws.muennighoff2023 import repeated
from moeconomics.laws.registry import DEFAULT_LAW, get_law, known_laws, published_laws

__all__ = [
    "DEFAULT_LAW",
    "INTERVAL_PERCENTILES",
    "JOINT2025",
    "FittedLaw",
    "Informative",
    "Law",
    "Parameter",
    "Prediction",
    "get_law",
    "known_laws",
    "load_fitted",
    "most_informative",
    "published_laws",
    "repeated",
]
