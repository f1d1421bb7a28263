"""Values as JSON can hold them."""

from collections.abc import Mapping
from math import isfinite, isnan
from typing import Protocol, runtime_checkable


@runtime_checkable
class Scalar(Protocol):
    """A number of another library, such as NumPy, that can become Python's."""

    def item(self) -> object: ...


def as_json(value: object) -> object:
    """Mappings as dicts with keys of text, lists and tuples as lists, NumPy's scalars as Python's.

    JSON has no NaN and no infinities: they become the strings "NaN", "Infinity" and "-Infinity".
    """
    if isinstance(value, Mapping):
        return {str(key): as_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(entry) for entry in value]
    if isinstance(value, Scalar):
        return as_json(value.item())
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
