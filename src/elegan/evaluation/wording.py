"""The referee's sentences, in English and in Korean."""

from collections.abc import Mapping, Sequence

from elegan.evaluation.advice import ADVICE, ADVICE_KO, BUDGET_ADVICE
from elegan.evaluation.labels import LABELS, SHARES, label

OPENINGS = {
    "INDISTINGUISHABLE": (
        "Indistinguishable from real data, as far as {n} samples can tell",
        "표본 {n}개로 알 수 있는 한 실제 데이터와 구별되지 않습니다",
    ),
    "PLATEAU": (
        "Plateau: it has stopped improving, and is still distinguishable from real data",
        "정체되었습니다. 더 나아지지 않지만 아직 실제 데이터와 구별됩니다",
    ),
    "NOT_YET": (
        "Not yet: still distinguishable from real data, and not known to have stopped improving",
        "아직입니다. 실제 데이터와 구별되며, 더 나아질 여지가 있습니다",
    ),
    "BUDGET": (
        "The budget ended training; still distinguishable from real data",
        "예산이 다해 학습이 끝났습니다. 아직 실제 데이터와 구별됩니다",
    ),
    "COLLAPSED": (
        "Collapsed: the samples repeat a small part of the data",
        "붕괴했습니다. 표본이 데이터의 일부만 되풀이합니다",
    ),
    "MISSING_MODE": (
        "A part of the data is missing among the samples",
        "데이터의 일부가 표본에 빠져 있습니다",
    ),
    "SCARCE_MODE": (
        "A part of the data is too rare among the samples",
        "데이터의 일부가 표본에 너무 드물게 나타납니다",
    ),
    "OVERFIT": (
        "Overfit: too many samples are copies of training items, or close to it",
        "과적합입니다. 학습 데이터를 베낀 것과 다름없는 표본이 너무 많습니다",
    ),
    "OVER_GENERALISED": (
        "Over-generalised: too many samples lie where no data do, such as blends of two images",
        "지나치게 일반화했습니다. 두 이미지를 섞은 것처럼 데이터에 없는 표본이 너무 많습니다",
    ),
    "LOW_QUALITY": (
        "Low quality: the samples do not look like the data",
        "품질이 낮습니다. 표본이 실제 데이터와 닮지 않았습니다",
    ),
    "WRONG_CLASS": (
        "Low quality: the samples are not of the classes that were asked for",
        "품질이 낮습니다. 표본이 요청한 클래스와 맞지 않습니다",
    ),
    "DISTINGUISHABLE": (
        "Close, but still distinguishable from real data",
        "비슷하지만 아직 실제 데이터와 구별됩니다",
    ),
    "DIVERGED": (
        "Diverged: training produced numbers that are not finite",
        "발산했습니다. 학습 중에 유한하지 않은 값이 나왔습니다",
    ),
    "CANNOT_TELL": (
        "Cannot tell",
        "판단할 수 없습니다",
    ),
}
HEADINGS = {
    "INDISTINGUISHABLE": "Indistinguishable from real data",
    "PLATEAU": "It stopped improving",
    "NOT_YET": "Not there yet",
    "BUDGET": "The budget ran out first",
    "COLLAPSED": "Collapsed",
    "MISSING_MODE": "A part of the data is missing",
    "SCARCE_MODE": "A part of the data is too rare",
    "OVERFIT": "Overfit: it copies its training data",
    "OVER_GENERALISED": "It invents what the data don't hold",
    "LOW_QUALITY": "Low quality",
    "WRONG_CLASS": "The samples are not what was asked for",
    "DISTINGUISHABLE": "Close, but distinguishable",
    "DIVERGED": "Training diverged",
    "CANNOT_TELL": "Too little to tell",
}
"""The openings in a few words, as a heading."""

MORE_WORDS = {
    "real": ("real against real", "실제끼리는"),
    "fair": ("fair would be", "공평한 값은"),
}


CLASS_MEASURES = {"agreement", "agreement_independent"}
MILD_MEASURES = {
    "kernel_distance", "frechet_distance", "sliced_wasserstein", "coverage", "recall", "spread", "found", "accuracy",
    "total_variation", "evidence",
}  # fmt: skip
"""What tells samples from reals without saying that they look bad."""


def sentence(verdict: str, findings: list[dict[str, object]], n: int) -> dict[str, str]:
    """One sentence in each language, with the two or three figures that decided."""
    opening = opening_of(verdict, findings)
    findings = [finding for finding in findings if finding["figure"] is not None]
    texts = {}
    for index, language in enumerate(("en", "ko")):
        figures = [_clause(finding, index) for finding in findings[:3]]
        joined = "; ".join(figures)
        ending = "" if not figures else f": {joined}" if index == 0 else f" ({joined})"
        texts[language] = f"{OPENINGS[opening][index].format(n=n)}{ending}."
    return texts


def opening_of(verdict: str, findings: Sequence[Mapping[str, object]]) -> str:
    """The key into OPENINGS and HEADINGS: the verdict, or what kind of low quality the deciding figures show."""
    measures = {str(finding.get("measure")) for finding in findings if finding.get("code") == verdict}
    if verdict != "LOW_QUALITY" or not measures or any(_most_are_unlike(finding) for finding in findings):
        return verdict
    return "WRONG_CLASS" if measures <= CLASS_MEASURES else "DISTINGUISHABLE" if measures <= MILD_MEASURES else verdict


def _most_are_unlike(finding: Mapping[str, object]) -> bool:
    figure = finding.get("figure")
    return finding.get("measure") == "total_variation" and isinstance(figure, float) and figure > 0.5


def _clause(finding: Mapping[str, object], index: int) -> str:
    """Such as: coverage 0.12 [0.08, 0.16], real against real 0.97 [0.95, 0.98]."""
    if finding["code"] == "CANNOT_TELL":
        return str(finding["reason"] if index == 0 else finding["reason_ko"])
    names = finding["names"]
    named = _listed(names, index) if isinstance(names, list) and names else ""
    measure = str(finding["measure"])
    text = f"{named}{label(measure, index)}{_where(finding, index)} {shown(finding['figure'], measure)}"
    text += _ends(finding["interval"], measure)
    null = MORE_WORDS["fair" if measure in ("share", "found") else "real"][index]
    band = _ends(finding["null_interval"], measure)
    return text if finding["null"] == "NaN" else f"{text}, {null} {shown(finding['null'], measure)}{band}"


def _where(finding: Mapping[str, object], index: int) -> str:
    """What a critic saw, or that the second features say so."""
    words = {
        "two_sample/pixels": (" on pixels", "(픽셀)"),
        "two_sample/features": (" on features", "(특징)"),
        "fidelity_second": (" in second features", "(두 번째 특징)"),
    }
    return words.get(str(finding.get("section")), ("", ""))[index]


def _listed(names: list[str], index: int) -> str:
    """The first six names and how many more."""
    rest = len(names) - 6
    more = f" and {rest} more" if index == 0 else f" 외 {rest}개"
    return ", ".join(names[:6]) + (more if rest > 0 else "") + ": "


def _ends(interval: object, measure: str) -> str:
    if not isinstance(interval, list) or "NaN" in interval:
        return ""
    return f" [{', '.join(shown(end, measure).removesuffix(' %') for end in interval)}]"


def shown(value: object, measure: str) -> str:
    """A number in three significant digits, in per cent where its measure is a share."""
    return f"{short(100 * value)} %" if isinstance(value, int | float) and measure in SHARES else short(value)


def short(value: object) -> str:
    """A number in three significant digits, from a million on in powers of ten; anything else as it is."""
    if not isinstance(value, float | int):
        return str(value)
    text = f"{value:.3g}"
    if "e+" not in text:
        return text
    return f"{value:.0f}" if abs(value) < 1e6 else f"{value:.2g}".replace("e+", "e")


def went_back(returns: Sequence[Mapping[str, object]], index: int = 0) -> list[str]:
    """A sentence in English (0) or Korean (1) for each time that training went back, oldest first.

    Each has "images", where it was, "to", where it went, "why" ("collapsed" or "diverged"), and "config", the settings
    that it went on with.
    """
    return [_return(entry, index) for entry in returns]


def _return(entry: Mapping[str, object], index: int) -> str:
    config, why = entry.get("config"), str(entry.get("why"))
    changed = config.items() if isinstance(config, Mapping) else ()
    settings = ", ".join(f"{name} {short(value)}" for name, value in changed)
    images, to = (_counted(entry.get(name)) for name in ("images", "to"))
    if index == 0:
        onwards = f", and on from there with {settings}" if settings else ""
        return f"At {images} images training {why} and went back to {to}{onwards}."
    word = {"collapsed": "붕괴하여", "diverged": "발산하여"}.get(why, f"{why}:")
    onwards = f" 이후 설정: {settings}." if settings else ""
    return f"이미지 {images}장에서 학습이 {word} {to}장으로 되돌아갔습니다.{onwards}"


def _counted(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


__all__ = [
    "ADVICE", "ADVICE_KO", "BUDGET_ADVICE", "HEADINGS", "LABELS", "OPENINGS", "opening_of", "sentence", "short",
    "shown", "went_back",
]  # fmt: skip
