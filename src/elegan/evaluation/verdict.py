"""From figures to a word: what the evaluation says of a run.

Precedence, first come first told; every finding is listed all the same:

1. DIVERGED: training or a sample holds numbers that are not finite.
2. CANNOT_TELL: fewer than 100 samples, validation reals or test reals.
3. COLLAPSED: samples hardly differ, or most have a near twin (more than halfway from the share of reals
   that have one to all), or coverage is below half its null while precision is 75 % of its own (noise
   covers nothing either, and has not collapsed).
4. LOW_QUALITY: precision or density below half its null, or agreement below 80 % of the accuracy on reals by every
   classifier asked, or less than half the samples within 3 sigma of a mode.  Before MISSING_MODE, since
   the class of something that looks like nothing says nothing.
5. MISSING_MODE: a class or mode that surely has less than half its fair share, and was seen with less
   than a quarter.
6. OVERFIT: more than 3 % of the samples are near copies of training items, in pixels and in features, and
   2 % more than of reals, which may repeat each other.
7. SCARCE_MODE: a class or mode that surely has less than half its fair share.
8. INDISTINGUISHABLE: none of these; KID is not above its null's interval, and its own interval reaches
   down to its null; coverage is at least 95 % of its null, agreement can be 95 % of its null, recall and the spread
   within a class reach their nulls' intervals, and as many modes are held as by reals.
9. BUDGET: anything else.

"Below" and "above" mean that the whole 95 % interval is, but in 8.  "Surely" means that so few would be seen
by chance less than once in 20 reports (exact binomial test, Bonferroni over the classes or modes).
"""

from collections.abc import Iterator, Mapping, Sequence
from math import exp, isnan, lgamma, log, log1p, nan

from elegan.evaluation.estimate import share
from elegan.evaluation.wording import ADVICE, BUDGET_ADVICE, sentence

Finding = dict[str, object]
Report = Mapping[str, object]
FEWEST = 100
COPIED = 0.03
MORE_THAN_REALS = 0.02
ORDER = (
    "DIVERGED", "CANNOT_TELL", "COLLAPSED", "LOW_QUALITY", "MISSING_MODE", "OVERFIT", "SCARCE_MODE",
    "INDISTINGUISHABLE", "BUDGET",
)  # fmt: skip


def decide(report: Report, *, diverged: bool = False, looks: Sequence[Report] = ()) -> dict[str, object]:
    """The verdict of a report by :func:`elegan.evaluation.judge.judge`: its code, findings and sentence.

    ``diverged`` says that training met a number that is not finite; ``looks`` are those of
    :func:`elegan.evaluation.judge.quick_look`, oldest first, and change the advice alone.
    """
    figures = _Figures(report)
    findings = [*_diverged(figures, diverged), *_too_few(figures)]
    if not findings:
        for sickness in (_collapsed, _low_quality, _missing_mode, _overfit, _scarce_mode):
            findings += sickness(figures)
    if not findings:
        findings = list(_different(figures, looks)) or list(_equal(figures))
    findings.sort(key=lambda finding: ORDER.index(str(finding["code"])))
    verdict = str(findings[0]["code"])
    decisive = [finding for finding in findings if finding["code"] == verdict]
    said = sentence(verdict, decisive, figures.size("samples"))
    return {"verdict": verdict, "findings": findings, "sentence": said}


class _Figure:
    """A figure read back from JSON."""

    def __init__(self, json: object) -> None:
        self.json = json if isinstance(json, Mapping) else {}
        self.value, self.null = _float(self.json.get("value")), _float(self.json.get("null"))
        interval = self.json.get("interval")
        self.low, self.high = (_float(x) for x in interval) if isinstance(interval, list) else (nan, nan)
        n = self.json.get("n")
        self.n = n if isinstance(n, int) else 0
        limits = self.json.get("null_interval")
        self.null_low, self.null_high = (_float(x) for x in limits) if isinstance(limits, list) else (nan, nan)

    @property
    def count(self) -> int:
        """Of a share: how many of the n."""
        return 0 if isnan(self.value) else round(self.value * self.n)

    def finding(self, code: str, measure: str, names: list[str] | None = None) -> Finding:
        return {
            "code": code, "measure": measure, "figure": self.json.get("value"), "null": self.json.get("null"),
            "interval": self.json.get("interval"),
            "null_interval": self.json.get("null_interval"), "n": self.json.get("n"), "names": names or [],
            "advice": ADVICE[code],
        }  # fmt: skip


class _Figures:
    """A report's figures by place; one that is absent is NaN, which is neither above nor below anything."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def section(self, name: str) -> Mapping[str, object]:
        section = self.report.get(name)
        return section if isinstance(section, Mapping) else {}

    def get(self, section: str, measure: str) -> _Figure:
        return _Figure(self.section(section).get(measure))

    def size(self, part: str) -> int:
        size = self.section("sizes").get(part, 0)
        return size if isinstance(size, int) else 0

    def parts(self) -> Iterator[tuple[str, _Figure]]:
        """Classes and modes by name, with the share that each has of the samples."""
        for section in ("classes", "modes"):
            table = self.section(section).get("table")
            for row in table if isinstance(table, list) else []:
                yield str(row["name"]), _Figure(row["share"])


def _diverged(figures: _Figures, diverged: bool) -> Iterator[Finding]:
    share_of_samples = figures.get("health", "not_finite")
    if diverged or share_of_samples.value > 0:
        shown = share_of_samples if share_of_samples.value > 0 else _Figure(None)
        yield shown.finding("DIVERGED", "not_finite")


def _too_few(figures: _Figures) -> Iterator[Finding]:
    sizes = {part: figures.size(part) for part in ("samples", "validation", "test")}
    if min(sizes.values()) < FEWEST:
        fewest = min(sizes.values())
        finding = _Figure({"value": fewest, "null": FEWEST, "n": fewest}).finding("CANNOT_TELL", "n")
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
    if alike or (narrow and precision.value >= 0.75 * precision.null):
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
    if sharp.high < 0.5:
        yield sharp.finding("LOW_QUALITY", "high_quality")
    agreements = [figures.get("classes", name) for name in ("agreement", "agreement_independent")]
    asked = [agreement for agreement in agreements if not isnan(agreement.value)]
    if asked and all(agreement.high < 0.8 * agreement.null for agreement in asked):
        yield asked[0].finding("LOW_QUALITY", "agreement")


def _missing_mode(figures: _Figures) -> Iterator[Finding]:
    yield from _rare("MISSING_MODE", {n: p for n, p in _scarce(figures).items() if p.value < 0.25 * p.null})


def _scarce_mode(figures: _Figures) -> Iterator[Finding]:
    yield from _rare("SCARCE_MODE", {n: p for n, p in _scarce(figures).items() if p.value >= 0.25 * p.null})


def _scarce(figures: _Figures) -> dict[str, _Figure]:
    """The classes and modes that surely have less than half their fair share."""
    parts = dict(figures.parts())
    return {
        name: part for name, part in parts.items() if at_most(part.count, part.n, part.null / 2) < 0.05 / len(parts)
    }


def at_most(count: int, n: int, p: float) -> float:
    """P(X ≤ count) for X binomial with n and p: the chance of so few."""
    if not 0 < p < 1:
        return 0.0 if p >= 1 and count < n else 1.0
    logs = (
        lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p) for k in range(count + 1)
    )
    return sum(exp(term) for term in logs)


def _rare(code: str, parts: dict[str, _Figure]) -> Iterator[Finding]:
    """One finding for all of them together: the share they have, and the share that would be fair."""
    if parts:
        n, count = next(iter(parts.values())).n, sum(part.count for part in parts.values())
        together = share(count, n, sum(part.null for part in parts.values()))
        yield _Figure(together.figure()).finding(code, "share", list(parts))


def _overfit(figures: _Figures) -> Iterator[Finding]:
    copied = figures.get("memorisation", "both")
    if copied.low > max(COPIED, copied.null + MORE_THAN_REALS):
        yield copied.finding("OVERFIT", "both")


def _equal(figures: _Figures) -> Iterator[Finding]:
    for measure in ("kernel_distance", "coverage"):
        yield figures.get("fidelity", measure).finding("INDISTINGUISHABLE", measure)


def _different(figures: _Figures, looks: Sequence[Report]) -> Iterator[Finding]:
    """The figures that tell samples from reals; none where nothing does."""
    distance, coverage = figures.get("fidelity", "kernel_distance"), figures.get("fidelity", "coverage")
    recall, spread = figures.get("fidelity", "recall"), figures.get("classes", "spread")
    agreement, modes = figures.get("classes", "agreement"), figures.get("modes", "found")
    tests = {
        "kernel_distance": (distance, distance.value <= distance.null_high and distance.low <= distance.null),
        "coverage": (coverage, coverage.value >= 0.95 * coverage.null),
        "recall": (recall, not recall.high < recall.null_low),
        "spread": (spread, not spread.high < spread.null_low),
        "agreement": (agreement, not agreement.high < 0.95 * agreement.null),
        "found": (modes, not modes.value < modes.null),
    }
    for measure, (figure, passed) in tests.items():
        if not passed:
            finding = figure.finding("BUDGET", measure)
            trend = str(looks[-1].get("trend")) if looks else ""
            yield {**finding, "advice": BUDGET_ADVICE.get(trend, ADVICE["BUDGET"])}


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float | str) else nan
