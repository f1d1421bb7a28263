"""Two runs that were judged beside the same data: which figure is the better, and surely so."""

from collections.abc import Mapping
from math import hypot, isnan

import numpy as np
from jaxtyping import Float

from elegan.evaluation.estimate import NORMAL_95, Estimate, half_sample_deviation
from elegan.evaluation.fidelity import frechet_distance, kernel_distance, neighbour_measures
from elegan.evaluation.labels import HIGHER, LOWER
from elegan.evaluation.report.gauges import ends, finite
from elegan.evaluation.report.measures import Row, rows_in
from elegan.evaluation.wording import short

Report = Mapping[str, object]
PAIRED = ("kernel_distance", "frechet_distance", "precision", "recall", "density", "coverage")
NEVER_BETTER = ("DIVERGED", "COLLAPSED", "OVERFIT")
"""A run with such a verdict is not the better one, however near it is: a replay of the training data is nearest."""


def paired_differences(
    a: Float[np.ndarray, "m d"], b: Float[np.ndarray, "m d"], reals: Float[np.ndarray, "r d"], *, seed: int = 0
) -> dict[str, Estimate]:
    """A's figure less B's for the measures of fidelity, from feature vectors; null 0.

    Both are measured on the same halves of the same reals, so that what the reals' luck does to both is left out
    of the interval.
    """

    def measure(samples: np.ndarray, part: np.ndarray) -> np.ndarray:
        return np.array([
            kernel_distance(samples, part), frechet_distance(samples, part), *neighbour_measures(samples, part),
        ])  # fmt: skip

    def difference(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        return measure(a[rows], reals[part]) - measure(b[rows], reals[part])

    values = measure(a, reals) - measure(b, reals)
    halves = NORMAL_95 * half_sample_deviation(difference, (len(a), len(reals)), seed=seed)
    return {
        name: Estimate(float(value), float(value - half), float(value + half), len(a), 0.0)
        for name, value, half in zip(PAIRED, values, halves, strict=True)
    }


def compare_reports(a: Report, b: Report, paired: Mapping[str, Estimate]) -> dict[str, object]:
    """The figures that both reports have, side by side, as JSON: "rows", "better" ("a", "b" or None), "sentence".

    A row has "measure", "of" (features, pixels or empty), "a", "b", "difference" (with "value" and "interval"),
    "paired" and "better".  ``paired`` holds differences from :func:`paired_differences`.
    """
    theirs = {(row.measure, row.of): row for row in rows_in(b)}
    rows = [_row(row, theirs[row.measure, row.of], paired) for row in rows_in(a) if (row.measure, row.of) in theirs]
    verdicts = str(a.get("verdict")), str(b.get("verdict"))
    better = _better_run(verdicts, rows)
    return {"rows": rows, "better": better, "sentence": _sentence(verdicts, rows, better)}


def _row(a: Row, b: Row, paired: Mapping[str, Estimate]) -> dict[str, object]:
    of_fidelity = a.measure in paired and not a.of
    found = paired[a.measure] if of_fidelity else _unpaired(a.figure, b.figure)
    return {
        "measure": a.measure, "of": a.of, "a": a.figure, "b": b.figure, "difference": found.figure(),
        "paired": of_fidelity, "better": _better(a, b, found),
    }  # fmt: skip


def _unpaired(a: Report, b: Report) -> Estimate:
    """The difference of two figures from independent samples: their variances add up."""
    value = finite(a.get("value")) - finite(b.get("value"))
    (a_low, a_high), (b_low, b_high) = ends(a.get("interval")), ends(b.get("interval"))
    half = hypot(a_high - a_low, b_high - b_low) / 2
    return Estimate(value, value - half, value + half, null=0.0)


def _better(a: Row, b: Row, difference: Estimate) -> str | None:
    """The side that is surely better; None where the interval holds 0 or is not known."""
    if isnan(difference.value) or isnan(difference.low) or difference.low <= 0 <= difference.high:
        return None
    if a.measure in LOWER:
        return "a" if difference.value < 0 else "b"
    if a.measure in HIGHER:
        return "a" if difference.value > 0 else "b"
    null = finite(a.figure.get("null"))
    gaps = [abs(finite(row.figure.get("value")) - null) for row in (a, b)]
    return None if isnan(sum(gaps)) else "a" if gaps[0] < gaps[1] else "b"


def _better_run(verdicts: tuple[str, str], rows: list[dict[str, object]]) -> str | None:
    """By a verdict that rules one of them out, else by KID."""
    out = [verdict in NEVER_BETTER for verdict in verdicts]
    if any(out):
        return None if all(out) else "b" if out[0] else "a"
    better = [row["better"] for row in rows if row["measure"] == "kernel_distance"]
    return str(better[0]) if better and better[0] else None


def _sentence(verdicts: tuple[str, str], rows: list[dict[str, object]], better: str | None) -> dict[str, str]:
    a, b = verdicts
    if any(verdict in NEVER_BETTER for verdict in verdicts):
        return {
            "en": f"A is {a} and B is {b}: a run that is one of {', '.join(NEVER_BETTER)} is never the better one.",
            "ko": f"A는 {a}, B는 {b}입니다. {', '.join(NEVER_BETTER)} 판정을 받은 쪽은 더 낫다고 보지 않습니다.",
        }
    distance = next((row["difference"] for row in rows if row["measure"] == "kernel_distance"), None)
    if not isinstance(distance, Mapping):
        return {"en": "They share no figure to compare.", "ko": "비교할 수 있는 공통 수치가 없습니다."}
    low, high = ends(distance.get("interval"))
    figures = f"{short(distance.get('value'))} [{short(low)}, {short(high)}]"
    if better is None:
        return {
            "en": f"These samples can't tell which is nearer to real data: A's KID less B's is {figures}.",
            "ko": f"이 표본으로는 어느 쪽이 실제 데이터에 더 가까운지 알 수 없습니다(A와 B의 KID 차이 {figures}).",
        }
    return {
        "en": f"{better.upper()} is nearer to real data: A's KID less B's is {figures}.",
        "ko": f"{better.upper()}가 실제 데이터에 더 가깝습니다(A와 B의 KID 차이 {figures}).",
    }
