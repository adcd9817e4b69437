"""The saturating expert count Ê of Clark et al. 2022, shared by three laws."""

from moeconomics.units import Array


def saturating_experts(experts: Array, e_start: Array, e_max: Array) -> Array:
    """1/Ê = 1/(E − 1 + (1/E_start − 1/E_max)⁻¹) + 1/E_max, so Ê(1) = E_start and Ê(∞) = E_max.

    Source: Clark et al. 2022 (arXiv 2202.01169), as used in Yun 2024 Eq. 4 and Ludziejewski 2025 Eq. 4.

    >>> round(saturating_experts(8.0, 2.0732, 290.4521), 4)
    8.8124
    """
    return 1 / (1 / (experts - 1 + 1 / (1 / e_start - 1 / e_max)) + 1 / e_max)
