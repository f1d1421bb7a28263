"""Signs of a training in trouble, read from its log at every tick: no features and no samples are needed."""

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from statistics import median

from elegan.json_values import as_json

Line = Mapping[str, object]
Alarm = dict[str, object]
EXPLODED = 20.0
"""A gradient's norm over its running median."""
RATIO = 10.0
"""R2 over R1: the slope at fakes grows first when training diverges (Huang et al., 2024, arXiv:2501.05441)."""
FAR = 128.0
"""The logits' midpoint over their margin: bf16 has 8 significant bits, and so far from 0 it has none left for them."""
ALIKE = 0.05
"""Diversity of samples over that of reals."""
BEFORE = 3
"""A running median is one from so many ticks on."""


def alarms(log: Sequence[Line]) -> list[Alarm]:
    """What is wrong at the last of the log's lines, oldest first, as plain JSON; empty when nothing is.

    A line has "terms", means since the line before ("discriminator/gradient", "discriminator/r1" …), and perhaps
    "look" with a "belief" (:func:`elegan.evaluation.belief.belief`; its "diversity" is that of samples over that of
    reals).  An alarm is {"code", "name", "value", "limit"}, its code NOT_FINITE, GRADIENT, PENALTY_RATIO, LOGIT_DRIFT
    or ALIKE.  Numbers may be the strings that JSON has for NaN and the infinities.
    """
    if not log:
        return []
    terms = _numbers(log[-1].get("terms"))
    found = [_alarm("NOT_FINITE", name, value, inf) for name, value in terms.items() if not isfinite(value)]
    found += _gradients(log, terms) + _penalties(terms)
    look = log[-1].get("look")
    belief = look.get("belief") if isinstance(look, Mapping) else None
    return [as_json(alarm) for alarm in found + _beliefs(_numbers(belief))]  # type: ignore[misc]


def _gradients(log: Sequence[Line], terms: Mapping[str, float]) -> list[Alarm]:
    """Norms above EXPLODED times the median of the ticks before."""
    found = []
    for name, value in terms.items():
        before = [_numbers(line.get("terms")).get(name, inf) for line in log[:-1]] if name.endswith("/gradient") else []
        before = [norm for norm in before if isfinite(norm)]
        if len(before) >= BEFORE and isfinite(value) and value > EXPLODED * median(before) > 0:
            found.append(_alarm("GRADIENT", name, value, EXPLODED * median(before)))
    return found


def _penalties(terms: Mapping[str, float]) -> list[Alarm]:
    """R2 above RATIO times R1, of a side that has both."""
    found = []
    for name, value in terms.items():
        side = name.removesuffix("/r2")
        real = terms.get(f"{side}/r1")
        if name.endswith("/r2") and real is not None and isfinite(value) and value > RATIO * real > 0:
            found.append(_alarm("PENALTY_RATIO", name, value / real, RATIO))
    return found


def _beliefs(belief: Mapping[str, float]) -> list[Alarm]:
    """Logits far from 0 for the little they differ by, and samples that are all alike."""
    found = []
    if {"midpoint", "margin"} <= belief.keys():
        drift = abs(belief["midpoint"]) / max(1.0, abs(belief["margin"]))
        found += [_alarm("LOGIT_DRIFT", "midpoint", drift, FAR)] if drift > FAR else []
    diversity = belief.get("diversity", 1.0)
    return found + ([_alarm("ALIKE", "diversity", diversity, ALIKE)] if diversity < ALIKE else [])


def _alarm(code: str, name: str, value: float, limit: float) -> Alarm:
    return {"code": code, "name": name, "value": value, "limit": limit}


def _numbers(entries: object) -> dict[str, float]:
    """The entries that are numbers, or the strings that stand for numbers that are not finite."""
    numbers = {}
    for name, value in entries.items() if isinstance(entries, Mapping) else ():
        if isinstance(value, int | float) or value in ("NaN", "Infinity", "-Infinity"):
            numbers[str(name)] = float(value)
    return numbers
