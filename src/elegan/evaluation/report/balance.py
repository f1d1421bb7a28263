"""Classes, modes and bins as bars against their fair share, and what is missing as pictures."""

from collections.abc import Iterator, Mapping, Sequence

from elegan.evaluation.report.gauges import ends, finite
from elegan.evaluation.report.markup import (
    Report,
    estimate,
    html,
    interval,
    names_of,
    number,
    rows_of,
    section,
    section_of,
    table,
)
from elegan.evaluation.report.sheets import Album, album

HOW = (
    "A bar is the share of the samples, the thin line its 95&nbsp;% interval, the upright mark the fair share, which "
    "real data have.  "
)
HOW_CLASSES = HOW + "A classifier trained on real data says which class a sample is of."
HOW_MODES = HOW + "Counted are samples within 3 sigma of a mode."
HOW_BINS = (
    "The training data were cut into bins of like items, and both samples and reals sorted into them.  " + HOW +
    "A missing bin is a kind of item that the generator doesn’t make.  Named is only what chance can’t explain."
)  # fmt: skip
STATES = ("missing", "scarce", "overdone")


def balance(report: Report, albums: Mapping[str, Album]) -> Iterator[str]:
    """The sections of classes, modes and bins that the report has."""
    classes, modes, bins = (section_of(report, name) for name in ("classes", "modes", "bins"))
    yield from section("Classes", [bars(classes), _class_table(classes)], HOW_CLASSES)
    yield from section("Modes", [bars(modes)], HOW_MODES)
    parts = [_named(bins), _side_by_side(_examples(albums)), bars(bins, ordered=True)]
    yield from section("Bins of like items", parts, HOW_BINS)


def bars(part: Report, *, ordered: bool = False) -> str:
    """A bar for each row of the section's table; the scarcest first where ``ordered``."""
    rows = [row for row in rows_of(part, "table") if isinstance(row.get("share"), Mapping)]
    if not rows:
        return ""
    if ordered:
        rows.sort(key=lambda row: _ratio(section_of(row, "share")))
    largest = max(max(_known(section_of(row, "share"))) for row in rows) or 1.0
    states = {name: state for state in STATES for name in names_of(part, state)}
    columns = " many" if len(rows) > 12 else ""
    lines = "".join(_bar(row, states, 1.04 * largest) for row in rows)
    return f'<div class="bars{columns}">{lines}</div>'


def _bar(row: Report, states: Mapping[str, str], largest: float) -> str:
    share, name = section_of(row, "share"), str(row.get("name"))
    (low, high), fair = ends(share.get("interval")), finite(share.get("null"))
    state = str(row.get("balance", states.get(name, "")))
    if not state:
        state = "scarce" if high < fair else "overdone" if low > fair else "fair"

    def per_cent(x: float) -> str:
        return f"{100 * max(0.0, x) / largest:.1f}%"

    marks = [f'<i class="fill" style="width:{per_cent(finite(share.get("value")))}"></i>']
    if low == low:
        marks.append(f'<i class="reach" style="left:{per_cent(low)};width:{per_cent(high - low)}"></i>')
    if fair == fair:
        marks.append(f'<i class="fair" style="left:{per_cent(fair)}"></i>')
    small = f"{interval(share.get('interval'), 'share')} fair {number(share.get('null'), 'share')}"
    return (
        f'<div class="bar {state}"><span class="name" title="{html(name)}">{html(name)}</span>'
        f'<span class="track">{"".join(marks)}</span>'
        f'<span class="number">{number(share.get("value"), "share")} <small>{small}</small></span></div>'
    )


def _known(share: Report) -> list[float]:
    found = [finite(share.get("value")), finite(share.get("null")), ends(share.get("interval"))[1]]
    return [x for x in found if x == x] or [0.0]


def _ratio(share: Report) -> float:
    fair = finite(share.get("null"))
    return finite(share.get("value")) / fair if fair > 0 else 1.0


def _named(bins: Report) -> str:
    """What is missing, scarce and overdone, in a line each."""
    lines = [
        f"<li><b>{state}</b>: {html(', '.join(names))}</li>" for state in STATES if (names := names_of(bins, state))
    ]
    if not bins or lines:
        return f'<ul class="findings">{"".join(lines)}</ul>' if lines else ""
    return '<p class="faint">No bin is surely missing, scarce or overdone.</p>'


def _examples(albums: Mapping[str, Album]) -> Iterator[str]:
    for state in STATES:
        if albums.get(state):
            yield f"<div><h3>Real examples of what is {state}</h3>{album(albums[state])}</div>"


def _side_by_side(parts: Iterator[str]) -> str:
    found = "".join(parts)
    return found and f'<div class="albums">{found}</div>'


def _class_table(classes: Report) -> str:
    rows = rows_of(classes, "table")
    heads = ("class", "asked for", "recognised", "agreement", "agreement of reals", "spread")
    return table(heads, [_class_row(row) for row in rows], range(1, 6)) if rows else ""


def _class_row(row: Report) -> Sequence[str]:
    spread, agreement = section_of(row, "spread"), section_of(row, "agreement")
    asked = row.get("requested")
    return (
        html(row.get("name")), "–" if asked is None else html(asked), html(row.get("recognised")),
        estimate(agreement, "agreement") if agreement else "–",
        number(agreement["null"], "agreement") if agreement else "–",
        estimate(spread) if spread else "–",
    )  # fmt: skip
