"""Pieces of the page: text made safe, numbers, tables, sections."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from elegan.evaluation.labels import SHARES
from elegan.evaluation.wording import short

Report = Mapping[str, object]


def html(value: object) -> str:
    return escape(str(value))


def section_of(report: Report, name: str) -> Report:
    """A section of the report; empty where it is absent."""
    section = report.get(name)
    return section if isinstance(section, Mapping) else {}


def rows_of(section: Report, name: str) -> list[Report]:
    """A list of mappings in a section, such as its table."""
    rows = section.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def names_of(section: Report, name: str) -> list[str]:
    names = section.get(name)
    return [str(entry) for entry in names] if isinstance(names, list) else []


def is_figure(value: object) -> bool:
    return isinstance(value, Mapping) and "value" in value and "null" in value


def section(title: str, parts: Iterable[str], how: str = "") -> Iterator[str]:
    """A heading, how to read what follows, and the parts; nothing where there are none."""
    found = [part for part in parts if part]
    if found:
        yield f'<section id="{anchor(title)}"><h2>{html(title)}</h2>'
        yield how and f'<p class="how"><b>How to read</b> {how}</p>'
        yield from found
        yield "</section>"


def anchor(title: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in title.lower()).split())


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Cells are HTML already; the columns in ``numbers`` are set to the right; a row of one cell heads a group."""

    def cells(tag: str, row: Sequence[str]) -> str:
        if len(row) == 1:
            return f'<th class="group" colspan="{len(heads)}">{row[0]}</th>'
        kinds = (' class="number"' if index in numbers else "" for index in range(len(row)))
        return "".join(f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{cells("th", heads)}</tr></thead><tbody>{body}</tbody></table></div>'


def number(value: object, measure: str = "") -> str:
    """A number for people: in per cent where the measure is a share, with a true minus sign."""
    if isinstance(value, int | float) and measure in SHARES:
        return f"{short(100 * value)}&nbsp;%".replace("-", "−")
    return "–" if value == "NaN" or value is None else html(short(value)).replace("-", "−")


def interval(ends: object, measure: str = "") -> str:
    """Both ends in brackets; empty where there are none."""
    if not isinstance(ends, list) or "NaN" in ends:
        return ""
    low, high = (number(end, measure).removesuffix("&nbsp;%") for end in ends)
    return f"[{low}, {high}]"


def estimate(figure: Report, measure: str = "") -> str:
    """A figure's value, its interval in small print."""
    return f"{number(figure['value'], measure)} <small>{interval(figure.get('interval'), measure)}</small>"


def null_of(figure: Report, measure: str = "") -> str:
    return f"{number(figure['null'], measure)} <small>{interval(figure.get('null_interval'), measure)}</small>"
