"""Reading CBOR (RFC 8949), as far as manifests use it."""

import struct
from typing import Any

DEEPEST = 32
"""Values within values."""
SIMPLE = {20: False, 21: True, 22: None, 23: None}
FLOATS = {25: ">e", 26: ">f", 27: ">d"}


def decode(content: bytes) -> Any:
    """The one value in the content; a tag's value stands for it.

    Raises ValueError for what is cut short, goes on after its end, nests too deeply, or has no length of its own.
    """
    value, end = _value(content, 0, 0)
    if end != len(content):
        raise ValueError("CBOR goes on after its end")
    return value


def head(kind: int, number: int) -> bytes:
    """The shortest head of a value of a major type, with its number or length."""
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 24:
            return bytes([kind << 5 | number])
        if number < 1 << 8 * size:
            return bytes([kind << 5 | code]) + number.to_bytes(size)
    raise ValueError("the number is too long for CBOR")


def string(value: bytes) -> bytes:
    """A byte string."""
    return head(2, len(value)) + value


def _value(content: bytes, place: int, depth: int) -> tuple[Any, int]:
    """The value at a place, and where it ends."""
    if depth > DEEPEST:
        raise ValueError("CBOR nests too deeply")
    kind, code, number, place = _head(content, place)
    if kind in (2, 3):
        found, place = _part(content, place, number)
        return found if kind == 2 else found.decode("utf-8", errors="replace"), place
    if kind in (4, 5):
        values = []
        for _ in range(number * (kind - 3)):
            value, place = _value(content, place, depth + 1)
            values.append(value)
        return values if kind == 4 else dict(zip(map(_key, values[::2]), values[1::2], strict=True)), place
    if kind == 6:
        return _value(content, place, depth + 1)
    if kind == 7:
        return _simple(code, number), place
    return number if kind == 0 else -1 - number, place


def _head(content: bytes, place: int) -> tuple[int, int, int, int]:
    """Major type, the code beside it, the number that it stands for, and where the head ends."""
    first, place = _part(content, place, 1)
    kind, code = divmod(first[0], 32)
    if code > 27:
        raise ValueError("CBOR tells no length")
    size = 0 if code < 24 else 1 << code - 24
    number, place = _part(content, place, size)
    return kind, code, int.from_bytes(number) if size else code, place


def _part(content: bytes, place: int, length: int) -> tuple[bytes, int]:
    if place + length > len(content):
        raise ValueError("CBOR is cut short")
    return content[place : place + length], place + length


def _key(found: Any) -> Any:
    return found if isinstance(found, (str, bytes, int)) else repr(found)


def _simple(code: int, number: int) -> Any:
    if code in FLOATS:
        return struct.unpack(FLOATS[code], number.to_bytes(1 << code - 24))[0]
    return SIMPLE.get(number)
