"""A figure: the median of its rounds, with its unit and its spread."""

import statistics
from collections.abc import Sequence
from typing import Any

DIGITS = 4

Figure = dict[str, Any]
"""{"value": median, "unit", "rounds": n, "min", "max"}."""


def figure(values: Sequence[float], unit: str) -> Figure:
    """The median of one or more rounds, to four digits."""
    middle, least, most = (_short(value) for value in (statistics.median(values), min(values), max(values)))
    return {"value": middle, "unit": unit, "rounds": len(values), "min": least, "max": most}


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
