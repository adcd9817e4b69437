"""The saturating expert count Ê of Clark et al. 2022, shared by three laws."""

from moeconomics.laws.law import Parameter
from moeconomics.units import Array


def saturating_experts(experts: Array, e_start: Array, e_max: Array) -> Array:
    """1/Ê = 1/(E − 1 + (1/E_start − 1/E_max)⁻¹) + 1/E_max, so Ê(1) = E_start and Ê(∞) = E_max.

    Source: Clark et al. 2022 (arXiv 2202.01169), as used in Yun 2024 Eq. 4 and Ludziejewski 2025 Eq. 4.

    >>> round(saturating_experts(8.0, 2.0732, 290.4521), 4)
    8.8124
    """
    return 1 / (1 / (experts - 1 + 1 / (1 / e_start - 1 / e_max)) + 1 / e_max)


# Ê must rise with E, so E_max stays above any E_start.
SATURATION = {
    "e_start": Parameter(low=1.0, high=10.0, starts=(2.0,)),
    "e_max": Parameter(low=11.0, high=5000.0, starts=(50.0, 300.0), log=True),
}
