"""The game's probes: how far from an equilibrium the two players were left."""

from collections.abc import Iterator, Mapping

from elegan.evaluation.labels import READING, label
from elegan.evaluation.report.gauges import gauge, standing
from elegan.evaluation.report.markup import Report, html, is_figure, section, section_of

HOW = (
    "At an equilibrium neither player gains by changing alone.  Each probe lets one of them try, for a while and on "
    "data that the other side of the test never saw.  What it gains is a lower bound: a probe can prove that the game "
    "is not at rest, never that it is."
)


def equilibrium(report: Report) -> Iterator[str]:
    """A gauge a probe, with a sentence each."""
    probes = section_of(report, "equilibrium")
    cards = "".join(_card(name, entry) for name, entry in probes.items() if isinstance(entry, Mapping))
    yield from section("The game’s equilibrium", [f'<div class="gauges probes">{cards}</div>' if cards else ""], HOW)


def _card(name: str, entry: Mapping[str, object]) -> str:
    """``entry`` is a figure, perhaps with "label" and "reading"; or a mapping that holds one as "figure"."""
    figure = entry if is_figure(entry) else entry.get("figure")
    if not isinstance(figure, Mapping) or not is_figure(figure):
        return ""
    title = str(entry.get("label") or label(name))
    reading = str(entry.get("reading") or entry.get("how") or READING.get(name, ""))
    kind = "" if standing(name, figure) == "ill" else "plain"  # a probe proves what is wrong alone
    shown = gauge(name, figure, title=title, kind=kind, beside="by chance")
    return f'<div class="probe">{shown}<p class="faint">{html(reading)}</p></div>'
