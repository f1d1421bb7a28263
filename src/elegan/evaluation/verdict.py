"""From figures to a word: what the evaluation says of a run, or of samples from elsewhere.

Precedence, first come first told; every finding is listed all the same:

1. DIVERGED: training or a sample holds numbers that are not finite (in a sample: or beyond 1e15).
2. CANNOT_TELL: fewer than 100 samples, validation reals or test reals.
3. COLLAPSED: samples hardly differ, or most have a near twin (more than halfway from the share of reals
   that have one to all), or coverage is below half its null while precision is 75 % of its own and
   most samples aren't outside the data's support (noise covers nothing either, and has not collapsed).
4. LOW_QUALITY: precision or density below half its null, or most samples outside the data's support or like blends
   of two (as blurred ones are), or agreement below 80 % of the accuracy on reals by every classifier asked, or less
   than half the samples within 3 sigma of a mode.  Before MISSING_MODE, since the class of something that looks like
   nothing says nothing.
5. MISSING_MODE: a class, mode or bin that is surely rarer than among reals, and was seen with less than a quarter of
   its fair share.
6. OVERFIT: more than 3 % of the samples are near copies of training items, in pixels and in features, and
   2 % more than of reals, which may repeat each other.
7. OVER_GENERALISED: more than 5 % of the samples lie outside the data's support, or look like blends of two training
   items, and surely more than of held-out reals.
8. SCARCE_MODE: a class or mode that is surely rarer than among reals, at less than three quarters of its fair share;
   or a bin at less than half.  Bins count here and in 5 where there are neither classes nor known modes, and
   precision is 90 % of its null.
9. INDISTINGUISHABLE: none of these, and nothing tells samples from reals.  KID (in both extractors) and a fresh
   critic's accuracy (on features and on pixels) tell them apart when they are above their nulls' intervals and their
   own intervals are above their nulls (the critics by half as much again); the odds against equality do from 20 on;
   coverage (in both extractors) does below 95 % of its null, where it is also below its null's interval and its own
   interval below its null; agreement when it can't be 95 % of its null, recall and the spread within a class when
   they fall short of their nulls' intervals, and modes when fewer are held than by reals.
10. What tells them apart is listed under one code, which depends on how training ended.  PLATEAU: the referee ended
    it.  NOT_YET: it was interrupted, or the last look was still better.  BUDGET: the budget ended it.  LOW_QUALITY:
    nothing is known of a training.  Such LOW_QUALITY is listed beside a sickness too where a critic proves that half of
    the samples are unlike the data (total variation), and is told before it.

"Below" and "above" mean that the whole 95 % interval is, but in 9.  "Surely" means that anything is so named by chance
in one report of 100, where nothing is so (:func:`elegan.evaluation.bins.balance`).
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isnan, nan

from elegan.evaluation.estimate import share
from elegan.evaluation.wording import ADVICE, BUDGET_ADVICE, sentence

Finding = dict[str, object]
Report = Mapping[str, object]
FEWEST = 100
COPIED = 0.03
BEYOND = 0.05
MORE_THAN_REALS = 0.02
FAITHFUL = 0.9
"""Precision over its null from which an empty bin says that something is left out."""
UNLIKE = 0.5
"""The certified total variation from which samples are of low quality before all else."""
UNCOVERED = 0.95
"""Coverage over its null from which nothing is missed."""
WIDER = 1.5
"""Times half the interval of guessing: a critic is right so often by chance in one of 500 reports."""
ORDER = (
    "DIVERGED", "CANNOT_TELL", "COLLAPSED", "LOW_QUALITY", "MISSING_MODE", "OVERFIT", "OVER_GENERALISED",
    "SCARCE_MODE", "INDISTINGUISHABLE", "PLATEAU", "NOT_YET", "BUDGET",
)  # fmt: skip


def decide(
    report: Report, *, diverged: bool = False, looks: Sequence[Report] = (), ending: str | None = None
) -> dict[str, object]:
    """The verdict of a report by :func:`elegan.evaluation.judge.judge`: its code, findings and sentence.

    ``diverged`` says that training met a number that is not finite; ``looks`` are those of
    :func:`elegan.evaluation.judge.quick_look`, oldest first; ``ending`` says what ended training: the referee
    ("plateau"), the "budget", or something else ("interrupted"); None for samples of which no training is known.
    """
    figures = _Figures(report)
    findings = [*_diverged(figures, diverged), *_too_few(figures)]
    if not findings:
        for sickness in (_collapsed, _low_quality, _missing_mode, _overfit, _over_generalised, _scarce_mode):
            findings += sickness(figures)
        findings += _told_apart(figures, looks, ending, sick=bool(findings))
        findings = findings or list(_equal(figures))
    findings.sort(key=lambda finding: ORDER.index(str(finding["code"])))
    verdict = str(findings[0]["code"])
    decisive = [finding for finding in findings if finding["code"] == verdict]
    said = sentence(verdict, decisive, figures.size("samples"))
    return {"verdict": verdict, "findings": findings, "sentence": said}


class _Figure:
    """A figure read back from JSON."""

    def __init__(self, json: object, section: str = "") -> None:
        self.json = json if isinstance(json, Mapping) else {}
        self.section = section
        self.value, self.null = _float(self.json.get("value")), _float(self.json.get("null"))
        self.low, self.high = self._ends("interval")
        self.null_low, self.null_high = self._ends("null_interval")
        n = self.json.get("n")
        self.n = n if isinstance(n, int) else 0

    def _ends(self, name: str) -> tuple[float, float]:
        interval = self.json.get(name)
        return (_float(interval[0]), _float(interval[1])) if isinstance(interval, list) else (nan, nan)

    @property
    def count(self) -> int:
        """Of a share: how many of the n."""
        return 0 if isnan(self.value) else round(self.value * self.n)

    @property
    def surely_above_null(self) -> bool:
        """Above what reals give, and its interval above what they mostly give."""
        return self.value > self.null_high and self.low > self.null

    @property
    def surely_below_null(self) -> bool:
        """Below what reals give, and its interval below what they mostly give."""
        return self.value < self.null_low and self.high < self.null

    def finding(self, code: str, measure: str, names: list[str] | None = None) -> Finding:
        return {
            "code": code, "measure": measure, "section": self.section, "figure": self.json.get("value"),
            "null": self.json.get("null"), "interval": self.json.get("interval"),
            "null_interval": self.json.get("null_interval"), "n": self.json.get("n"), "names": names or [],
            "advice": ADVICE[code],
        }  # fmt: skip


class _Figures:
    """A report's figures by place; one that is absent is NaN, which is neither above nor below anything."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def section(self, name: str) -> Mapping[str, object]:
        """A section by its name, or a part of one: "two_sample/pixels"."""
        section: object = self.report
        for part in name.split("/"):
            section = section.get(part) if isinstance(section, Mapping) else None
        return section if isinstance(section, Mapping) else {}

    def get(self, section: str, measure: str) -> _Figure:
        return _Figure(self.section(section).get(measure), section)

    def size(self, part: str) -> int:
        size = self.section("sizes").get(part, 0)
        return size if isinstance(size, int) else 0

    def parts(self, balance: str, *sections: str) -> dict[str, _Figure]:
        """The classes, modes or bins of one balance by name, with the share that each has of the samples."""
        return {
            str(row["name"]): _Figure(row["share"], section)
            for section in sections
            for row in self._rows(section)
            if row.get("balance") == balance
        }

    def _rows(self, section: str) -> list[Mapping[str, object]]:
        table = self.section(section).get("table")
        return table if isinstance(table, list) else []


def _diverged(figures: _Figures, diverged: bool) -> Iterator[Finding]:
    share_of_samples = figures.get("health", "not_finite")
    if diverged or share_of_samples.value > 0:
        shown = share_of_samples if share_of_samples.value > 0 else _Figure(None)
        yield shown.finding("DIVERGED", "not_finite")


def _too_few(figures: _Figures) -> Iterator[Finding]:
    sizes = {part: figures.size(part) for part in ("samples", "validation", "test")}
    if min(sizes.values()) < FEWEST:
        fewest = min(sizes.values())
        finding = _Figure({"value": fewest, "null": FEWEST, "n": fewest}, "sizes").finding("CANNOT_TELL", "n")
        finding["reason"] = (
            f"there are {sizes['samples']} samples, {sizes['validation']} validation reals and "
            f"{sizes['test']} test reals, and at least {FEWEST} of each are needed"
        )
        finding["reason_ko"] = (
            f"표본 {sizes['samples']}개, 검증용 실제 데이터 {sizes['validation']}개, 시험용 실제 데이터 "
            f"{sizes['test']}개가 있으며 각각 {FEWEST}개 이상이 필요합니다"
        )
        yield finding


def _collapsed(figures: _Figures) -> Iterator[Finding]:
    diversity, twins = figures.get("health", "diversity"), figures.get("health", "repeated")
    coverage, precision = figures.get("fidelity", "coverage"), figures.get("fidelity", "precision")
    twinned = twins.low > (1 + twins.null) / 2
    alike = diversity.high < 0.1 or twinned
    narrow = coverage.high < 0.5 * coverage.null
    among_data = precision.value >= 0.75 * precision.null and not figures.get("support", "outside").low > 0.5
    if alike or (narrow and among_data):
        if narrow:
            yield coverage.finding("COLLAPSED", "coverage")
        if diversity.high < 0.1:
            yield diversity.finding("COLLAPSED", "diversity")
        if twinned:
            yield twins.finding("COLLAPSED", "repeated")


def _low_quality(figures: _Figures) -> Iterator[Finding]:
    sharp = figures.get("modes", "high_quality")
    for measure in ("precision", "density"):
        like = figures.get("fidelity", measure)
        if like.high < 0.5 * like.null:
            yield like.finding("LOW_QUALITY", measure)
    for measure in ("outside", "blends"):
        beyond = figures.get("support", measure)
        if beyond.low > 0.5:
            yield beyond.finding("LOW_QUALITY", measure)
    if sharp.high < 0.5:
        yield sharp.finding("LOW_QUALITY", "high_quality")
    agreements = [figures.get("classes", name) for name in ("agreement", "agreement_independent")]
    asked = [agreement for agreement in agreements if not isnan(agreement.value)]
    if asked and all(agreement.high < 0.8 * agreement.null for agreement in asked):
        yield asked[0].finding("LOW_QUALITY", "agreement")


def _missing_mode(figures: _Figures) -> Iterator[Finding]:
    yield from _rare(figures, "MISSING_MODE", "missing")


def _scarce_mode(figures: _Figures) -> Iterator[Finding]:
    yield from _rare(figures, "SCARCE_MODE", "scarce")


def _rare(figures: _Figures, code: str, balance: str) -> Iterator[Finding]:
    """One finding for all parts together: the share they have, and the share that would be fair.

    Bins speak where there are neither classes nor known modes, and only of samples that look like the data: what is
    noisy or blurred empties bins too, and leaves nothing out.
    """
    precision = figures.get("fidelity", "precision")
    known = figures.section("classes") or figures.section("modes")
    in_bins = not known and precision.value >= FAITHFUL * precision.null
    parts = figures.parts(balance, *(("bins",) if in_bins else ("classes", "modes")))
    if len(parts) == 1:
        ((name, part),) = parts.items()
        yield part.finding(code, "share", [name])
    elif parts:
        some = next(iter(parts.values()))
        total = share(sum(part.count for part in parts.values()), some.n, sum(part.null for part in parts.values()))
        yield _Figure(total.figure(), some.section).finding(code, "share", list(parts))


def _overfit(figures: _Figures) -> Iterator[Finding]:
    copied = figures.get("memorisation", "both")
    if copied.low > max(COPIED, copied.null + MORE_THAN_REALS):
        yield copied.finding("OVERFIT", "both")


def _over_generalised(figures: _Figures) -> Iterator[Finding]:
    for measure in ("blends", "outside"):
        beyond = figures.get("support", measure)
        if max(BEYOND, beyond.null_high) < beyond.low <= 0.5:
            yield beyond.finding("OVER_GENERALISED", measure)


def _told_apart(figures: _Figures, looks: Sequence[Report], ending: str | None, *, sick: bool) -> Iterator[Finding]:
    """What tells samples from reals, where no sickness does, or proves that half of them are unlike the data."""
    trend = str(looks[-1].get("trend")) if looks else ""
    code = _code_of(ending, trend)
    for measure, figure in _different(figures):
        unlike = ending is None and measure == "total_variation" and figure.value > UNLIKE
        if unlike or not sick:
            finding = figure.finding(code, measure)
            told = BUDGET_ADVICE.get(trend) if code in ("BUDGET", "NOT_YET") else None
            yield {**finding, "advice": told or finding["advice"]}


def _code_of(ending: str | None, trend: str) -> str:
    if ending is None:
        return "LOW_QUALITY"
    if ending == "plateau":
        return "PLATEAU"
    return "NOT_YET" if ending == "interrupted" or trend == "improving" else "BUDGET"


def _equal(figures: _Figures) -> Iterator[Finding]:
    shown = (
        ("fidelity", "kernel_distance"), ("fidelity", "coverage"), ("two_sample/features", "accuracy"),
        ("two_sample/pixels", "accuracy"),
    )  # fmt: skip
    for section, measure in shown:
        figure = figures.get(section, measure)
        if not isnan(figure.value) or section == "fidelity":
            yield figure.finding("INDISTINGUISHABLE", measure)


def _different(figures: _Figures) -> Iterator[tuple[str, _Figure]]:
    """The figures that tell samples from reals, by measure; none where nothing does."""
    for section in ("fidelity", "fidelity_second"):
        distance, coverage = figures.get(section, "kernel_distance"), figures.get(section, "coverage")
        if distance.surely_above_null:
            yield "kernel_distance", distance
        if coverage.surely_below_null and coverage.value < UNCOVERED * coverage.null:
            yield "coverage", coverage
    recall, spread = figures.get("fidelity", "recall"), figures.get("classes", "spread")
    agreement, modes = figures.get("classes", "agreement"), figures.get("modes", "found")
    short = {
        "recall": (recall, recall.high < recall.null_low),
        "spread": (spread, spread.high < spread.null_low),
        "agreement": (agreement, agreement.high < 0.95 * agreement.null),
        "found": (modes, modes.value < modes.null),
    }
    yield from ((measure, figure) for measure, (figure, told) in short.items() if told)
    yield from _critics(figures)


def _critics(figures: _Figures) -> Iterator[tuple[str, _Figure]]:
    """What fresh critics can prove, on features and on pixels, and the odds against equality."""
    for view in ("features", "pixels"):
        accuracy = figures.get(f"two_sample/{view}", "accuracy")
        if accuracy.surely_above_null and accuracy.value > 0.5 + WIDER * (accuracy.null_high - 0.5):
            for measure in ("accuracy", "total_variation"):
                yield measure, figures.get(f"two_sample/{view}", measure)
    evidence = figures.get("two_sample", "evidence")
    if evidence.value >= evidence.null_high:  # by chance in one of 20 reports at the most
        yield "evidence", evidence


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float | str) else nan
