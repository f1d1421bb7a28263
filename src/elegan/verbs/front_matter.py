"""The YAML at the head of a model card, which the hub reads; JSON's scalars are YAML's, so nothing else is needed."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON leaves as it is and YAML wants escaped (YAML 1.2.2, section 5.1)."""
KEY = re.compile(r"[a-z][a-z0-9_-]*")


def front_matter(fields: Mapping[str, object]) -> str:
    """The fields between two lines of dashes; what is None or empty is left out.

    Values are texts, numbers, mappings and sequences; keys are lower-case words.
    """
    return "\n".join(["---", *_mapping(fields), "---", ""])


def _mapping(fields: Mapping[str, object]) -> Iterator[str]:
    for key, value in fields.items():
        assert KEY.fullmatch(key), key
        if value is None or value == () or value == []:
            continue
        if isinstance(value, str | int | float):
            yield f"{key}: {scalar(value)}"
        else:
            yield f"{key}:"
            yield from (f"  {line}" for line in _block(value))


def _block(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _mapping(value)
        return
    assert isinstance(value, Sequence), value
    for entry in value:
        lines = [scalar(entry)] if isinstance(entry, str | int | float) else list(_block(entry))
        yield from (f"{'  ' if number else '- '}{line}" for number, line in enumerate(lines))


def scalar(value: str | int | float) -> str:
    """A text in quotes, or a number as every reader of YAML takes it for one."""
    if isinstance(value, str):
        whole = value.encode("utf-8", "replace").decode()  # a file name may hold half a character
        return NOT_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(whole, ensure_ascii=False))
    text = json.dumps(value, allow_nan=False)
    return re.sub(r"^(-?\d+)e", r"\1.0e", text)


__all__ = ["front_matter", "scalar"]
