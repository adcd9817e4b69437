"""All laws by name: the published ones, a user's own (entry points) and fitted files."""

from pathlib import Path

from moeconomics.errors import unknown_name
from moeconomics.laws.abnar2025 import ABNAR2025
from moeconomics.laws.clark2022 import CLARK2022_HASH, CLARK2022_RL_R, CLARK2022_S_BASE
from moeconomics.laws.cpu_study import NAME as CPU_STUDY
from moeconomics.laws.cpu_study import cpu_study
from moeconomics.laws.fitted import load_fitted
from moeconomics.laws.frantar2023 import FRANTAR2023
from moeconomics.laws.gadre2024 import GADRE2024_C4, GADRE2024_REDPAJAMA, GADRE2024_REFINEDWEB
from moeconomics.laws.hoffmann2022 import BESIROGLU2024, CHINCHILLA2022, CHINCHILLA2022_UNROUNDED
from moeconomics.laws.joint2025 import JOINT2025
from moeconomics.laws.kaplan2020 import KAPLAN2020
from moeconomics.laws.krajewski2024 import KRAJEWSKI2024_E16, KRAJEWSKI2024_E64
from moeconomics.laws.law import Law
from moeconomics.laws.ling2025 import LING2025
from moeconomics.laws.muennighoff2023 import MUENNIGHOFF2023
from moeconomics.laws.yun2024 import YUN2024
from moeconomics.laws.yun2024_reconstructed import NAME as YUN2024_RECONSTRUCTED
from moeconomics.laws.yun2024_reconstructed import yun2024_reconstructed
from moeconomics.laws.zhao2025 import ZHAO2025
from moeconomics.plugins import installed

DEFAULT_LAW = "joint2025"

_PUBLISHED = (
    JOINT2025,
    YUN2024,
    KAPLAN2020,
    CHINCHILLA2022,
    CHINCHILLA2022_UNROUNDED,
    BESIROGLU2024,
    CLARK2022_S_BASE,
    CLARK2022_RL_R,
    CLARK2022_HASH,
    FRANTAR2023,
    MUENNIGHOFF2023,
    KRAJEWSKI2024_E64,
    KRAJEWSKI2024_E16,
    GADRE2024_C4,
    GADRE2024_REDPAJAMA,
    GADRE2024_REFINEDWEB,
    ABNAR2025,
    LING2025,
    ZHAO2025,
)
# This project's own, read from files when they are asked for.
_OWN = {CPU_STUDY: cpu_study, YUN2024_RECONSTRUCTED: yun2024_reconstructed}


def published_laws() -> dict[str, Law]:
    """Every law that was published, then those of entry points in `moeconomics.laws`, by name."""
    own = {law.name: law for law in _PUBLISHED}
    return own | installed("moeconomics.laws", Law, taken=[*own, *_OWN])


def known_laws() -> dict[str, Law]:
    """The published laws, and this project's own: of tiny models and reconstructed. No plan asks them unnamed."""
    return published_laws() | {name: read() for name, read in _OWN.items()}


def get_law(name: str) -> Law:
    """Find a law by name, or read a fitted-law file when `name` ends in .json.

    Errors: `BadInput` with the nearest known name.
    """
    # One's own package may build its law from one of ours while it is being loaded, so ours come first.
    for law in _PUBLISHED:
        if law.name == name:
            return law
    if name in _OWN:
        return _OWN[name]()
    laws = published_laws()
    if name.endswith(".json"):
        return load_fitted(Path(name), laws)
    if name not in laws:
        raise unknown_name("law", name, [*laws, *_OWN])
    return laws[name]
