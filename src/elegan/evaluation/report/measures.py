"""The table of figures: every number beside real data's, a dumb baseline's and a second extractor's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from elegan.evaluation.labels import READING, label
from elegan.evaluation.report.gauges import standing
from elegan.evaluation.report.markup import (
    Report,
    estimate,
    html,
    is_figure,
    null_of,
    number,
    section,
    section_of,
    table,
)

GROUPS = {
    "Can they be told apart?": ("accuracy", "total_variation", "evidence"),
    "How far are they from the data?": ("kernel_distance", "frechet_distance", "sliced_wasserstein"),
    "Do they look like data?": ("precision", "density", "outside", "blends", "high_quality"),
    "Is everything there?": ("coverage", "recall", "spread", "diversity", "repeated", "found", "divergence"),
    "Are they what was asked for?": ("agreement", "agreement_independent"),
    "Are they copies?": ("both", "pixels", "features"),
    "Are they sound?": ("not_finite", "out_of_range"),
}  # fmt: skip
OTHERS = "Others"
INCEPTION = 2048
"""Dimensions of the features of which FID speaks (Heusel et al., 2017, arXiv:1706.08500)."""
SECTIONS = ("fidelity", "support", "modes", "classes", "memorisation", "health")
HOW = (
    "Each figure has its 95&nbsp;% interval in brackets.  “Real against real” is the same measure between random parts "
    "of held-out data, and in brackets what 95&nbsp;% of them give: a perfect generator would be there."
)
BASELINE = (
    "  “PCA + Gaussian” are samples of a normal distribution fitted to the training images: a generator should beat it."
)
SECOND = "  “Second features” share nothing with the first; where the two disagree, trust neither."


@dataclass(frozen=True)
class Row:
    """A measure with its figure, and the same of the baseline and of the second extractor where there are any."""

    measure: str
    of: str
    figure: Report
    baseline: Report | None
    second: Report | None


def measures(report: Report) -> Iterator[str]:
    rows = list(rows_in(report))
    if not rows:
        return
    extra = {
        "PCA + Gaussian": [row.baseline for row in rows],
        "second features": [row.second for row in rows],
    }
    columns = [name for name, figures in extra.items() if any(figures)]
    heads = ("measure", "samples", "real against real", *columns, "n", "features")
    how = HOW + (BASELINE if "PCA + Gaussian" in columns else "") + (SECOND if "second features" in columns else "")
    yield from section("Figures", [table(heads, list(_lines(rows, columns, report)), range(1, len(heads) - 1))], how)


def rows_in(report: Report) -> Iterator[Row]:
    """Every figure of the report's sections."""
    baseline, second = section_of(report, "baseline"), section_of(report, "fidelity_second")
    for name in SECTIONS:
        for measure, figure in section_of(report, name).items():
            if isinstance(figure, Mapping) and is_figure(figure):
                others = (_figure(baseline, measure), _figure(second, measure) if name == "fidelity" else None)
                yield Row(measure, "", figure, *others)
    two_sample = section_of(report, "two_sample")
    for where in ("features", "pixels"):
        for measure, figure in section_of(two_sample, where).items():
            if isinstance(figure, Mapping) and is_figure(figure):
                yield Row(measure, where, figure, _figure(section_of(baseline, where), measure), None)
    if (evidence := _figure(two_sample, "evidence")) is not None:
        yield Row("evidence", "", evidence, _figure(baseline, "evidence"), None)


def _figure(section: Report, measure: str) -> Report | None:
    figure = section.get(measure)
    return figure if isinstance(figure, Mapping) and is_figure(figure) else None


def _lines(rows: list[Row], columns: list[str], report: Report) -> Iterator[tuple[str, ...]]:
    """Group after group, each under its question."""
    grouped = {measure for group in GROUPS.values() for measure in group}
    others = tuple(dict.fromkeys(row.measure for row in rows if row.measure not in grouped))
    for question, names in {**GROUPS, OTHERS: others}.items():
        found = [row for name in names for row in rows if row.measure == name]
        if found:
            yield (html(question),)
            yield from (_line(row, columns, report) for row in found)


def _line(row: Row, columns: list[str], report: Report) -> tuple[str, ...]:
    said = html(name_of(row.measure, report)) + (f", {row.of}" if row.of else "")
    reading = READING.get(row.measure, "") if row.of != "pixels" else ""
    kind = standing(row.measure, row.figure)
    baseline = number(row.baseline["value"], row.measure) if row.baseline else "–"
    second = (
        f"{number(row.second['value'], row.measure)} <small>real {number(row.second['null'], row.measure)}</small>"
        if row.second
        else "–"
    )
    extra = {"PCA + Gaussian": baseline, "second features": second}
    return (
        f'<span class="mark {kind}"></span>{said}<br><small>{html(reading)}</small>',
        estimate(row.figure, row.measure), null_of(row.figure, row.measure), *(extra[name] for name in columns),
        html(row.figure.get("n", "")), f"<code>{html(row.figure.get('features') or '–')}</code>",
    )  # fmt: skip


def name_of(measure: str, report: Report) -> str:
    """Its label; the Fréchet distance is named after its features, and "FID" where they are Inception's pool."""
    if measure != "frechet_distance":
        return label(measure)
    features = section_of(report, "features")
    name = str(features.get("name", ""))
    return "FID" if name.startswith("inception") and features.get("dimension") == INCEPTION else f"FD-{name}"
