"""The referee's sentences, in English and in Korean."""

from collections.abc import Mapping

LABELS = {
    "kernel_distance": ("KID", "KID"),
    "frechet_distance": ("FD", "FD"),
    "precision": ("precision", "정밀도"),
    "recall": ("recall", "재현율"),
    "density": ("density", "밀도"),
    "coverage": ("coverage", "커버리지"),
    "both": ("share of near copies", "복사본에 가까운 표본의 비율"),
    "diversity": ("diversity", "다양성"),
    "repeated": ("share of near twins", "서로 거의 같은 표본의 비율"),
    "agreement": ("agreement with the label asked for", "요청한 레이블과의 일치율"),
    "high_quality": ("share within 3 sigma of a mode", "모드의 3시그마 안에 있는 표본의 비율"),
    "found": ("modes held", "찾은 모드 수"),
    "share": ("share", "비율"),
    "not_finite": ("share of samples with NaN or infinity", "NaN이나 무한대가 있는 표본의 비율"),
    "out_of_range": ("values out of range", "범위를 벗어난 값의 비율"),
    "divergence": ("KL of the modes to uniform", "모드 분포와 균등 분포의 KL"),
    "spread": ("spread within a class", "클래스 내 다양성"),
    "pixels": ("near a training item in pixels", "픽셀에서 학습 데이터에 가까운 비율"),
    "features": ("near a training item in features", "특징에서 학습 데이터에 가까운 비율"),
    "agreement_independent": ("agreement, by a second classifier", "일치율(두 번째 분류기)"),
}  # fmt: skip
"""Measure → its name in English and in Korean."""

OPENINGS = {
    "DIVERGED": (
        "Diverged: training produced numbers that are not finite",
        "발산했습니다. 학습 중에 유한하지 않은 값이 나왔습니다",
    ),
    "CANNOT_TELL": (
        "Cannot tell",
        "판단할 수 없습니다",
    ),
    "COLLAPSED": (
        "Collapsed: the samples repeat a small part of the data",
        "붕괴했습니다. 표본이 데이터의 일부만 되풀이합니다",
    ),
    "LOW_QUALITY": (
        "Low quality: the samples do not look like the data",
        "품질이 낮습니다. 표본이 실제 데이터와 닮지 않았습니다",
    ),
    "WRONG_CLASS": (
        "Low quality: the samples are not of the classes that were asked for",
        "품질이 낮습니다. 표본이 요청한 클래스와 맞지 않습니다",
    ),
    "MISSING_MODE": (
        "A part of the data is missing",
        "데이터의 일부가 빠져 있습니다",
    ),
    "OVERFIT": (
        "Overfit: too many samples are copies of training items, or close to it",
        "과적합입니다. 학습 데이터를 베낀 것과 다름없는 표본이 너무 많습니다",
    ),
    "SCARCE_MODE": (
        "A part of the data is too rare among the samples",
        "데이터의 일부가 표본에 너무 드물게 나타납니다",
    ),
    "INDISTINGUISHABLE": (
        "Indistinguishable from real data, as far as {n} samples can tell",
        "표본 {n}개로 알 수 있는 한 실제 데이터와 구별되지 않습니다",
    ),
    "BUDGET": (
        "The budget ended training; still distinguishable from real data",
        "예산이 다해 학습이 끝났습니다. 아직 실제 데이터와 구별됩니다",
    ),
}

ADVICE = {
    "DIVERGED": "Train into a new run folder with a lower learning rate, or with a higher gradient penalty (gamma).",
    "CANNOT_TELL": "Judge at least 100 samples against at least 100 real items of each part.",
    "COLLAPSED": "Train into a new run folder with a higher gradient penalty (gamma), or with a lower learning rate.",
    "LOW_QUALITY": "Train a new run with a larger budget, or a larger network; check the data with elegan data check.",
    "MISSING_MODE": "Check that the training data hold it; train a new run with a higher gamma, or a larger budget.",
    "OVERFIT": "Train into a new run folder with more data or more augmentation, or with a smaller budget.",
    "SCARCE_MODE": "Train a new run with a larger budget; if it stays, with a higher gamma, or balanced data.",
    "INDISTINGUISHABLE": "More samples and more held-out data would make the test sharper.",
    "BUDGET": "Give it a larger budget, in a new run folder.",
}

BUDGET_ADVICE = {
    "improving": "It was still improving at the last look: give it a larger budget, in a new run folder.",
    "level": "It had stopped improving: try another gradient penalty, a larger network or more data.",
    "worse": "It had grown worse: train into a new run folder with a lower learning rate, or with a higher gamma.",
}
"""By the trend of the last look."""

MORE_WORDS = {
    "real": ("real against real", "실제끼리는"),
    "fair": ("fair would be", "공평한 값은"),
}


def sentence(verdict: str, findings: list[dict[str, object]], n: int) -> dict[str, str]:
    """One sentence in each language, with the two or three figures that decided."""
    wrong_class = verdict == "LOW_QUALITY" and all(finding["measure"] == "agreement" for finding in findings)
    findings = [finding for finding in findings if finding["figure"] is not None]
    texts = {}
    for index, language in enumerate(("en", "ko")):
        figures = [_clause(finding, index) for finding in findings[:3]]
        opening = OPENINGS["WRONG_CLASS" if wrong_class else verdict][index].format(n=n)
        joined = "; ".join(figures)
        ending = "" if not figures else f": {joined}" if index == 0 else f" ({joined})"
        texts[language] = f"{opening}{ending}."
    return texts


def _clause(finding: Mapping[str, object], index: int) -> str:
    """Such as: coverage 0.12 [0.08, 0.16], real against real 0.97 [0.95, 0.98]."""
    if finding["code"] == "CANNOT_TELL":
        return str(finding["reason"] if index == 0 else finding["reason_ko"])
    names = finding["names"]
    named = _listed(names, index) if isinstance(names, list) and names else ""
    label = LABELS[str(finding["measure"])][index]
    text = f"{named}{label} {short(finding['figure'])}{_ends(finding['interval'])}"
    null = MORE_WORDS["fair" if finding["measure"] in ("share", "found") else "real"][index]
    band = _ends(finding["null_interval"])
    return text if finding["null"] == "NaN" else f"{text}, {null} {short(finding['null'])}{band}"


def _listed(names: list[str], index: int) -> str:
    """The first six names and how many more."""
    rest = len(names) - 6
    more = f" and {rest} more" if index == 0 else f" 외 {rest}개"
    return ", ".join(names[:6]) + (more if rest > 0 else "") + ": "


def _ends(interval: object) -> str:
    if not isinstance(interval, list) or "NaN" in interval:
        return ""
    return f" [{', '.join(short(end) for end in interval)}]"


def short(value: object) -> str:
    """A number in three significant digits; anything else as it is."""
    if not isinstance(value, float | int):
        return str(value)
    text = f"{value:.3g}"
    return f"{value:.0f}" if "e+" in text else text
