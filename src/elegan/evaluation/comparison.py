"""Two runs that were judged beside the same data: which figure is the better, and surely so."""

from collections.abc import Mapping
from math import hypot, isnan, nan

import numpy as np
from jaxtyping import Float

from elegan.evaluation.estimate import NORMAL_95, Estimate, half_sample_deviation
from elegan.evaluation.fidelity import frechet_distance, kernel_distance, neighbour_measures
from elegan.evaluation.labels import HIGHER, LOWER, label
from elegan.evaluation.report.gauges import ends, finite
from elegan.evaluation.report.measures import Row, rows_in
from elegan.evaluation.wording import short

Report = Mapping[str, object]
PAIRED = ("kernel_distance", "frechet_distance", "precision", "recall", "density", "coverage")
NEVER_BETTER = ("DIVERGED", "COLLAPSED", "OVERFIT")
"""A run with such a verdict is not the better one, however near it is: a replay of the training data is nearest."""
LISTED = 6


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


def compare_reports(
    a: Report, b: Report, paired: Mapping[str, Estimate], names: tuple[str, str] | None = None
) -> dict[str, object]:
    """The figures that both reports have, side by side, as JSON: "rows", "better" ("a", "b" or None), "sentence".

    A row has "measure", "of" (features, pixels or empty), "a", "b", "difference" (with "value" and "interval"),
    "paired" and "better".  ``paired`` holds differences from :func:`paired_differences`, of the samples and reals that
    the reports' fidelity is of.  Figures over other features on either side have no difference.  The sentence calls the
    sides A and B and, where given, by their ``names``.
    """
    theirs = {(row.measure, row.of): row for row in rows_in(b)}
    alike = features_of(a) == features_of(b)
    both = [(row, theirs[row.measure, row.of]) for row in rows_in(a) if (row.measure, row.of) in theirs]
    rows = [_row(*each, paired, alike) for each in both]
    verdicts = str(a.get("verdict")), str(b.get("verdict"))
    better = _better_run(verdicts, rows)
    titles = ("A", "B") if names is None else (f"A ({names[0]})", f"B ({names[1]})")
    return {"rows": rows, "better": better, "sentence": _sentence(verdicts, rows, better, titles)}


def features_of(report: Report) -> object:
    """The name of the features that a report's figures are over."""
    features = report.get("features")
    return features.get("name") if isinstance(features, Mapping) else None


def _row(a: Row, b: Row, paired: Mapping[str, Estimate], alike: bool) -> dict[str, object]:
    of_fidelity = a.measure in paired and not a.of
    found = paired[a.measure] if of_fidelity else _unpaired(a.figure, b.figure)
    if not (of_fidelity or alike or a.of == "pixels"):
        found = Estimate(nan, nan, nan, found.n, 0.0)
    return {
        "measure": a.measure, "of": a.of, "a": a.figure, "b": b.figure, "difference": found.figure(),
        "paired": of_fidelity, "better": _better(a, b, found),
    }  # fmt: skip


def _unpaired(a: Report, b: Report) -> Estimate:
    """The difference of two figures from independent samples: their variances add up."""
    value = finite(a.get("value")) - finite(b.get("value"))
    (a_low, a_high), (b_low, b_high) = ends(a.get("interval")), ends(b.get("interval"))
    half = hypot(a_high - a_low, b_high - b_low) / 2
    counts = [n for n in (a.get("n"), b.get("n")) if isinstance(n, int)]
    return Estimate(value, value - half, value + half, min(counts, default=0), 0.0)


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


def _sentence(
    verdicts: tuple[str, str], rows: list[dict[str, object]], better: str | None, titles: tuple[str, str]
) -> dict[str, str]:
    """Which run is the better one, by what, and where the intervals of the differences leave out 0."""
    side = None if better is None else titles["ab".index(better)]
    if any(verdict in NEVER_BETTER for verdict in verdicts):
        return _ruled_out(verdicts, side, titles)
    distance = next((row["difference"] for row in rows if row["measure"] == "kernel_distance"), None)
    if not isinstance(distance, Mapping):
        return {"en": "They share no figure to compare.", "ko": "비교할 수 있는 공통 수치가 없습니다."}
    low, high = ends(distance.get("interval"))
    figures = f"{short(distance.get('value'))} [{short(low)}, {short(high)}]"
    order = "ba" if better == "b" else "ab"
    (en, ko), (also, also_ko) = _kid(side, figures), (_beyond_noise(rows, order, index) for index in (0, 1))
    return {"en": f"{en}; {also}.", "ko": f"{ko} {also_ko}."}


def _ruled_out(verdicts: tuple[str, str], side: str | None, titles: tuple[str, str]) -> dict[str, str]:
    listed = ", ".join(NEVER_BETTER)
    are = f"{titles[0]} is {verdicts[0]} and {titles[1]} is {verdicts[1]}"
    are_ko = f"{titles[0]}는 {verdicts[0]}, {titles[1]}는 {verdicts[1]}입니다."
    if side is None:
        return {
            "en": f"Neither is better: {are}, and a run that is one of {listed} never is.",
            "ko": f"어느 쪽도 더 낫지 않습니다. {are_ko} {listed} 판정을 받은 쪽은 더 낫다고 보지 않습니다.",
        }
    return {
        "en": f"{side} is better: {are}, and a run that is one of {listed} never is the better one.",
        "ko": f"{side}가 더 낫습니다. {are_ko} {listed} 판정을 받은 쪽은 더 낫다고 보지 않습니다.",
    }


def _kid(side: str | None, figures: str) -> tuple[str, str]:
    """What the primary figure says."""
    if side is None:
        return (
            f"The difference is within the noise: A's KID less B's is {figures}, which holds 0",
            f"차이가 오차 범위 안에 있습니다. A와 B의 KID 차이는 {figures}로 0을 포함합니다.",
        )
    return (
        f"{side} is better, nearer to real data: A's KID less B's is {figures}",
        f"{side}가 더 낫습니다. 실제 데이터에 더 가까우며, A와 B의 KID 차이는 {figures}입니다.",
    )


def _beyond_noise(rows: list[dict[str, object]], order: str, index: int) -> str:
    """For which side, in this order, differences speak whose intervals leave out 0; in English (0) or Korean (1)."""
    named = {side: [_named(row, index) for row in rows if row["better"] == side] for side in order}
    shown = {side.upper(): _listed(names, index) for side, names in named.items() if names}
    if index == 0:
        parts = " and ".join(f"for {side} in {names}" for side, names in shown.items())
        return f"intervals without 0 speak {parts}" if parts else "no measure's interval leaves out 0"
    parts = ", ".join(f"{side} 우세: {names}" for side, names in shown.items())
    return f"구간이 0을 포함하지 않는 지표는 다음과 같습니다({parts})" if parts else "모든 지표의 구간이 0을 포함합니다"


def _named(row: Mapping[str, object], index: int) -> str:
    where = {"pixels": (" on pixels", "(픽셀)"), "features": (" on features", "(특징)")}
    return label(str(row["measure"]), index) + where.get(str(row["of"]), ("", ""))[index]


def _listed(names: list[str], index: int) -> str:
    """The first LISTED names, and how many more there are."""
    rest = len(names) - LISTED
    more = f" and {rest} more" if index == 0 else f" 외 {rest}개"
    return ", ".join(names[:LISTED]) + (more if rest > 0 else "")
