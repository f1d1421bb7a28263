"""What a semi-supervised run's classifier is worth, beside others who had the same labels."""

from collections.abc import Iterator

from elegan.evaluation.report.markup import Report, estimate, html, is_figure, rows_of, section, section_of, table

HOW = (
    "The share of held-out items that each takes for the right class, with its 95&nbsp;% interval, and by how much "
    "this run is better than the others, item by item.  All had the same labels; label spreading saw the items without "
    "labels too.  A difference whose interval holds 0 is none.  Another draw of the labels would give other figures."
)


def classifier(report: Report) -> Iterator[str]:
    """A row for the run and one for each of the others."""
    found = section_of(report, "classifier")
    accuracy = section_of(found, "accuracy")
    if not is_figure(accuracy):
        return
    labels, training = found.get("labels"), found.get("training")
    rows = [("<b>this run</b>", estimate(accuracy, "accuracy"), "–", html(accuracy["n"]))]
    rows += [_row(rival) for rival in rows_of(found, "rivals")]
    heads = ("classifier", "right", "this run is better by", "n")
    said = f"<p>{html(labels)} of {html(training)} training items have a label.</p>"
    yield from section("The classifier", [said, table(heads, rows, (1, 2, 3))], HOW)


def _row(rival: Report) -> tuple[str, str, str, str]:
    accuracy, behind = section_of(rival, "accuracy"), section_of(rival, "behind")
    return html(rival["name"]), estimate(accuracy, "accuracy"), estimate(behind, "accuracy"), html(accuracy["n"])
