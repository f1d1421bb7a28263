"""comparison.json and comparison.html: two runs side by side."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from elegan.evaluation.report.markup import (
    Report,
    estimate,
    html,
    interval,
    null_of,
    number,
    rows_of,
    section,
    section_of,
    table,
)
from elegan.evaluation.report.measures import name_of
from elegan.evaluation.report.page import write_pages
from elegan.evaluation.report.sheets import Pictures, inlined

SIDES = (("a", "A"), ("b", "B"), ("real", "real"))
HOW = (
    "A difference is A’s figure less B’s, with its 95&nbsp;% interval.  Where it says “paired” both were measured on "
    "the same halves of the same real items, which takes their luck out of it.  Only a difference whose interval "
    "leaves out 0 makes one the better; a star marks it.  n is how many samples of each side a figure is of."
)


def write_comparison(
    folder: Path, comparison: Report, pictures: Mapping[str, Pictures], *, name: str = "comparison"
) -> None:
    """Write NAME.json and NAME.html into ``folder``.

    ``comparison`` is :func:`elegan.evaluation.comparison.compare_reports`' with "a" and "b" (each "name", "verdict",
    "sentence" and perhaps "note"); ``pictures`` may hold an "a" and a "b" with a "strip" each, and a "real".

    Raises UserError when the folder can't be written.
    """
    a, b = (section_of(comparison, side) for side in ("a", "b"))
    title = f"{a.get('name')} beside {b.get('name')}"
    body = [*_first(comparison, a, b, pictures), *_figures(comparison)]
    write_pages(folder, name, comparison, title, body)


def _first(comparison: Report, a: Report, b: Report, pictures: Mapping[str, Pictures]) -> Iterator[str]:
    said, better = section_of(comparison, "sentence"), comparison.get("better")
    heading = {"a": f"A is better: {a.get('name')}", "b": f"B is better: {b.get('name')}"}
    yield f'<section class="verdict {"good" if better in heading else "open"}">'
    about = f"A: {a.get('name')} · B: {b.get('name')} · {comparison.get('n')} samples each"
    yield f'<p class="eyebrow">{html(about)}</p>'
    yield f"<h1>{html(heading.get(str(better), 'No difference that these samples can show'))}</h1>"
    yield f'<p class="lead">{html(said.get("en", ""))}</p><p class="lead" lang="ko">{html(said.get("ko", ""))}</p>'
    sides = [(label, pictures[side]["strip"]) for side, label in SIDES if "strip" in pictures.get(side, {})]
    strips = "".join(f'<div class="strip"><span>{label}</span>{inlined(strip, label)}</div>' for label, strip in sides)
    yield f'<div class="strips">{strips}</div>'
    verdicts = "".join(
        f"<li><b>{letter}</b> <code>{html(side.get('verdict'))}</code> {html(side.get('sentence', ''))} "
        f"<b>{html(side.get('note', ''))}</b></li>"
        for letter, side in (("A", a), ("B", b))
    )
    yield f'<ul class="findings">{verdicts}</ul></section>'


def _figures(comparison: Report) -> Iterator[str]:
    rows = [_row(row, comparison) for row in rows_of(comparison, "rows")]
    heads = ("measure", "A", "B", "A less B", "real against real", "n", "better")
    yield from section("Figures side by side", [table(heads, rows, range(1, 6))] if rows else [], HOW)


def _row(row: Report, comparison: Report) -> Sequence[str]:
    measure, better = str(row.get("measure")), row.get("better")
    a, b, difference = (section_of(row, name) for name in ("a", "b", "difference"))
    where = f", {html(row['of'])}" if row.get("of") else ""
    paired = "paired" if row.get("paired") else ""
    winner = f"★ {str(better).upper()}" if better else "–"
    ends = interval(difference.get("interval"), measure)
    return (
        html(name_of(measure, comparison)) + where, estimate(a, measure), estimate(b, measure),
        f"{number(difference.get('value'), measure)} <small>{ends} {paired}</small>",
        null_of(a, measure), html(counted(row)), winner,
    )  # fmt: skip


def counted(row: Report) -> str:
    """How many samples of each side a row's figures are of."""
    counts = [str(section_of(row, side).get("n", "–")) for side in ("a", "b", "difference")]
    return " / ".join(dict.fromkeys(counts))
