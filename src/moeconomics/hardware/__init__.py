"""Facts about the world a model is served in: chips with prices, and traffic profiles.

In: the catalogues of this folder, or a user's own small YAML files. Out: `Chip`, `Price` and `Traffic`, each
figure with its source and date; a figure that could not be confirmed is marked. Nothing here is computed.
"""

from moeconomics.hardware.chips import Chip, Price, Source, get_chip, load_chips
from moeconomics.hardware.traffic import Request, Traffic, get_traffic, load_traffic

__all__ = [
    "Chip",
    "Price",
    "Request",
    "Source",
    "Traffic",
    "get_chip",
    "get_traffic",
    "load_chips",
    "load_traffic",
]
