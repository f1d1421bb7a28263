"""How it was made and judged: every fact by its dotted name."""

from collections.abc import Iterator, Mapping

from elegan.evaluation.report.markup import Report, html, section, table

SHOWN = ("run", "judged", "ending", "n", "seed", "features", "extractors", "sizes")


def facts(report: Report) -> Iterator[str]:
    rows = [
        (f"<code>{html(name)}</code>", html(value))
        for fact in SHOWN if fact in report for name, value in _flat(report[fact], fact)
    ]  # fmt: skip
    if rows:
        body = f"<details><summary>{len(rows)} facts</summary>{table(('fact', 'value'), rows)}</details>"
        yield from section("How it was made and judged", [body])


def _flat(value: object, name: str) -> Iterator[tuple[str, object]]:
    """Nested facts as dotted names and plain values."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _flat(entry, f"{name}.{key}")
    elif isinstance(value, list | tuple) and any(isinstance(entry, Mapping) for entry in value):
        for index, entry in enumerate(value):
            yield from _flat(entry, f"{name}.{index}")
    elif isinstance(value, list | tuple):
        yield name, ", ".join(str(entry) for entry in value)
    else:
        yield name, value
