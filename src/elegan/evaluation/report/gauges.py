"""A figure as a small gauge: where it lies, and where real data lie."""

from collections.abc import Mapping
from math import isfinite, nan

from elegan.evaluation.labels import HIGHER, LOWER, PLAIN, SHARES, label
from elegan.evaluation.report.markup import html, interval, number

WIDTH, HEIGHT, MARGIN = 240.0, 34.0, 8.0


def standing(measure: str, figure: Mapping[str, object]) -> str:
    """ "good" where the figure is as real data's, "ill" where it is surely worse, else "open"."""
    value, null = finite(figure.get("value")), finite(figure.get("null"))
    low, high = ends(figure.get("interval"))
    null_low, null_high = ends(figure.get("null_interval"))
    null_low, null_high = (null if end != end else end for end in (null_low, null_high))
    above, below = value > null_high, value < null_low
    worse = (above and measure not in HIGHER) or (below and measure not in LOWER)
    if not worse:
        return "good" if isfinite(value) and isfinite(null) else "open"
    surely = low > null_high or high < null_low
    return "ill" if surely else "open"


def gauge(
    measure: str, figure: Mapping[str, object], *, name: str = "", title: str = "", kind: str = "", beside: str = ""
) -> str:
    """The figure's number, its interval on a scale over the band of real data, and what is better.

    ``name`` says what it is of, where that is a part of the data; ``kind`` overrides its standing; ``beside`` says
    what the null is, where it isn't real data.
    """
    fair = beside or ("fair share" if measure in ("share", "found") else "real data")
    band = interval(figure.get("null_interval"), measure)
    null = f"{number(figure.get('null'), measure)} {band}".strip()
    better = "lower is better" if measure in LOWER else "higher is better" if measure in HIGHER else "best near it"
    asks = html(title or (f"{name}: share of the samples" if measure == "share" else PLAIN.get(measure, "")))
    said = f"{name}: {label(measure)}" if name else label(measure)
    return (
        f'<div class="gauge {kind or standing(measure, figure)}"><p class="asks">{asks}</p>'
        f'<p class="number">{number(figure.get("value"), measure)}</p>{scale(measure, figure)}'
        f'<p class="said"><b>{html(said)}</b> {interval(figure.get("interval"), measure)}<br>'
        f"{fair}: {null} · {better}</p></div>"
    )


def scale(measure: str, figure: Mapping[str, object]) -> str:
    """The SVG alone: a line, real data's band and value, the figure's interval and value."""
    value, null = finite(figure.get("value")), finite(figure.get("null"))
    (low, high), (null_low, null_high) = ends(figure.get("interval")), ends(figure.get("null_interval"))
    known = [x for x in (value, null, low, high, null_low, null_high) if isfinite(x)]
    if not isfinite(value):
        return ""
    start, stop = _domain(measure, known)

    def at(x: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * (min(max(x, start), stop) - start) / (stop - start)

    middle = HEIGHT / 2
    parts = [f'<line class="axis" x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{middle}" y2="{middle}"/>']
    if isfinite(null_low) and isfinite(null_high):
        wide = max(at(null_high) - at(null_low), 2.0)
        parts.append(
            f'<rect class="band" x="{at(null_low):.1f}" y="5" width="{wide:.1f}" height="{HEIGHT - 10}" rx="3"/>'
        )
    if isfinite(null):
        parts.append(f'<line class="null" x1="{at(null):.1f}" x2="{at(null):.1f}" y1="5" y2="{HEIGHT - 5}"/>')
    if isfinite(low) and isfinite(high):
        parts.append(f'<line class="reach" x1="{at(low):.1f}" x2="{at(high):.1f}" y1="{middle}" y2="{middle}"/>')
    parts.append(f'<circle class="dot" cx="{at(value):.1f}" cy="{middle}" r="5.5"/>')
    return f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-hidden="true">{"".join(parts)}</svg>'


def _domain(measure: str, known: list[float]) -> tuple[float, float]:
    """What the scale spans: from 0 to 1 for shares that are mostly high, else as far as the numbers reach."""
    if measure in SHARES and measure not in LOWER and measure != "share":
        return 0.0, 1.0
    start, stop = min(0.0, *known), max(known)
    room = 0.08 * (stop - start) or 1.0
    return (start - room if start < 0 else 0.0), stop + room


def finite(value: object) -> float:
    number = float(value) if isinstance(value, int | float | str) else nan
    return number if isfinite(number) else nan


def ends(interval: object) -> tuple[float, float]:
    if not isinstance(interval, list) or len(interval) != 2:
        return nan, nan
    return finite(interval[0]), finite(interval[1])
