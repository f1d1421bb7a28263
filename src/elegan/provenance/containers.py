"""Where a manifest lies in a file, how it is wrapped there, and what C2PA's own hash leaves out (C2PA 2.4, appendix A).

Only the formats that elegan signs are known here.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

TAIL = b"\x00\x11\x00\x10\x80\x00\x00\xaa\x008\x9bq"
"""The end of all of JUMBF's identifiers here (ISO/IEC 19566-5); four letters before it name the kind."""
STORE = b"c2pa" + TAIL
"""The identifier in the head of every manifest store (C2PA 2.4, "Use of JUMBF")."""
NAME = b"\x03c2pa\x00"
"""What follows it."""
HEAD = 16
"""Bytes before it: two lengths, two types."""
BOX = UUID("d8fec3d6-1b0e-483c-9297-5828877ec481").bytes
PURPOSE = b"\x00\x00\x00\x00manifest\x00"
EXTENSION = b"\x21\xff\x0bC2PA_GIF"
ENTRY = b"META-INF/content_credential.c2pa"
LOCAL = "<4s5H3I2H"
FOLDER = struct.pack(LOCAL, b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 0, 0, 9, 0) + b"META-INF/"
UNHASHED = (b"ftyp", b"free", b"skip", b"mfra")
"""Boxes of a film that C2PA's hash passes over, so that films can be packed anew."""
JPEG_PART, GIF_PART = 64_000, 255
MOST_PARTS = 100_000
"""A manifest behind more parts of a file than this isn't looked for."""


@dataclass(frozen=True)
class Slot:
    """A manifest's place in a file: content[start:end], its wrapping included."""

    start: int
    end: int
    manifest: bytes


Part = tuple[int, int, bytes]
"""Where a part of a file begins and ends, and its type."""


def slot(content: bytes, kind: str) -> Slot | None:
    """The first place that is a manifest's alone; None where there is none.  What lies in it may be anything."""
    try:
        return FINDERS[kind](content) if kind in FINDERS else None
    except (struct.error, IndexError):
        return None


def traces(content: bytes, kind: str) -> bool:
    """Whether anything in the file speaks of a manifest: an identifier, a name, a place made for one alone."""
    return STORE in content or NAME in content or slot(content, kind) is not None


def displaced(content: bytes, kind: str) -> bool:
    """Whether a manifest that can't be found is the file's own, and not that of a picture in a film, say."""
    if kind.startswith("image/") or slot(content, kind):
        return True
    marks = re.finditer(re.escape(STORE) + b"|" + re.escape(NAME), content)
    starts = (mark.start() - HEAD - (len(STORE) if mark[0] == NAME else 0) for mark in marks)
    directory = _directory(content)
    return any(start >= 0 and _wrapped_at(content, start, kind, directory) for start in starts)


def wrapped(manifest: bytes, kind: str) -> bytes:
    """A manifest as it lies in a file of its kind, with all that surrounds it."""
    if kind == "image/png":
        body = b"caBX" + manifest
        return struct.pack(">I", len(manifest)) + body + struct.pack(">I", zlib.crc32(body))
    if kind == "image/jpeg":
        return b"".join(_segments(manifest))
    if kind == "image/gif":
        blocks = (bytes([len(block)]) + block for block in _cut(manifest, GIF_PART))
        return EXTENSION + b"\x01\x00\x00" + b"".join(blocks) + b"\x00"
    if kind == "video/mp4":
        body = BOX + PURPOSE + bytes(8) + manifest
        return struct.pack(">I4s", 8 + len(body), b"uuid") + body
    if kind == "application/zip":
        facts = (zlib.crc32(manifest), len(manifest), len(manifest), len(ENTRY), 0)
        return FOLDER + struct.pack(LOCAL, b"PK\x03\x04", 10, 0, 0, 0, 33, *facts) + ENTRY + manifest
    return b"C2PA" + struct.pack("<I", len(manifest)) + manifest


def unhashed(content: bytes, kind: str) -> bytes | None:
    """What C2PA's hash leaves out of a film or an archive, the manifest aside; None for other kinds.

    Of a film, the boxes that are passed over, and the types and lengths of all others.  Of an archive, all that
    precedes the manifest, which is all but the end of one that isn't signed yet.  The same before and after signing.
    """
    if kind == "video/mp4":
        return b"".join(_outline(content))
    if kind == "application/zip":
        found = _in_zip(content)
        return content[: found.start if found else _end_of_directory(content)]
    return None


def _wrapped_at(content: bytes, start: int, kind: str, directory: int) -> bool:
    """Whether the manifest that begins here is wrapped as files of this kind wrap their own, if only in part."""
    before, length = content[max(start - 64, 0) : start], content[start : start + 4]
    if kind == "video/mp4":
        return before[-37:-21] == BOX or before[-21:-8] == PURPOSE
    if kind == "audio/wav":
        return before[-8:-4] == b"C2PA" or before[-4:] == length[::-1]
    last = directory == start + int.from_bytes(length)
    return kind == "application/zip" and last and before.endswith(ENTRY)


def _in_png(content: bytes) -> Slot | None:
    def parts() -> Iterator[Part]:
        place = 8
        while place + 12 <= len(content):
            length, name = struct.unpack_from(">I4s", content, place)
            yield place, place + 12 + length, name
            place += 12 + length

    return _first(content, parts(), b"caBX", 8, 4)


def _in_riff(content: bytes) -> Slot | None:
    def parts() -> Iterator[Part]:
        place = 12
        while place + 8 <= len(content):
            name, length = struct.unpack_from("<4sI", content, place)
            yield place, place + 8 + length, name
            place += 8 + length + length % 2

    return _first(content, parts(), b"C2PA", 8)


def _first(content: bytes, parts: Iterator[Part], wanted: bytes, head: int, tail: int = 0) -> Slot | None:
    found = ((start, end) for start, end, name in _some(parts) if name == wanted)
    return next((Slot(start, end, content[start + head : end - tail]) for start, end in found), None)


def _some(parts: Iterator[Part]) -> Iterator[Part]:
    return (part for part, _ in zip(parts, range(MOST_PARTS), strict=False))


def _in_mp4(content: bytes) -> Slot | None:
    head = 8 + len(BOX) + len(PURPOSE) + 8
    own = (part for part in _boxes(content) if _is_manifest(content, part))
    return next((Slot(start, end, content[start + head : end]) for start, end, _ in own), None)


def _is_manifest(content: bytes, part: Part) -> bool:
    start, _, name = part
    return name == b"uuid" and content[start + 8 : start + 24] == BOX


def _boxes(content: bytes) -> Iterator[Part]:
    """A film's outermost boxes; the last may be cut short."""

    def parts() -> Iterator[Part]:
        place = 0
        while place + 8 <= len(content):
            length, name = struct.unpack_from(">I4s", content, place)
            if length == 1 and place + 16 <= len(content):
                (length,) = struct.unpack_from(">Q", content, place + 8)
            end = place + length if length >= 8 else len(content)
            yield place, end, name
            place = end
        if place < len(content):
            yield place, len(content), b"free"  # a rest that is too short for a box

    return _some(parts())


def _outline(content: bytes) -> Iterator[bytes]:
    own = _in_mp4(content)
    for start, end, name in _boxes(content):
        if own is None or start != own.start:
            whole = name in UNHASHED or _is_manifest(content, (start, end, name))
            yield content[start : end if whole else min(start + 16, end)]


def _in_gif(content: bytes) -> Slot | None:
    start = content.find(EXTENSION)
    if start < 0:
        return None
    place, found = start + len(EXTENSION) + 3, []
    while length := content[place]:
        found.append(content[place + 1 : place + 1 + length])
        place += 1 + length
    return Slot(start, place + 1, b"".join(found))


def _in_jpeg(content: bytes) -> Slot | None:
    """The first run of APP11 segments that holds C2PA's boxes, and not others of JPEG Systems."""
    found: list[Part] = []
    for start, end, name in _some(_markers(content)):
        head = content[start + 12 : start + 60]
        if name == b"\xff\xeb" and content[start + 4 : start + 6] == b"JP" and (found or STORE in head or NAME in head):
            found.append((start, end, name))
        elif found:
            break
    if not found:
        return None
    first, *rest = (content[start + 12 : end] for start, end, _ in found)
    return Slot(found[0][0], found[-1][1], first + b"".join(body[8:] for body in rest))


def _markers(content: bytes) -> Iterator[Part]:
    place = 2
    while content[place] == 0xFF and content[place + 1] not in (0xD9, 0xDA):
        (length,) = struct.unpack_from(">H", content, place + 2)
        yield place, place + 2 + length, content[place : place + 2]
        place += 2 + length


def _segments(manifest: bytes) -> Iterator[bytes]:
    for number, part in enumerate(_cut(manifest, JPEG_PART)):
        body = b"JP" + struct.pack(">HI", 0x211, number + 1) + (manifest[:8] if number else b"") + part
        yield b"\xff\xeb" + struct.pack(">H", 2 + len(body)) + body


def _cut(content: bytes, length: int) -> Iterator[bytes]:
    return (content[place : place + length] for place in range(0, len(content), length))


def _in_zip(content: bytes) -> Slot | None:
    """The manifest's entry, the last before the directory, which names it again."""
    named = content.rfind(ENTRY, 0, max(content.rfind(ENTRY), 0))
    start = named + len(ENTRY)
    if named < 0 or content[start : start + 4] == b"":
        return None
    end = start + int.from_bytes(content[start : start + 4])
    head = struct.calcsize(LOCAL) + len(ENTRY) + len(FOLDER)
    return Slot(start - head, end, content[start:end]) if end == _directory(content) else None


def _directory(content: bytes) -> int:
    """Where an archive says that its directory begins; -1 for one without an end."""
    end = content.rfind(b"PK\x05\x06")
    return int.from_bytes(content[end + 16 : end + 20], "little") if end >= 0 else -1


def _end_of_directory(content: bytes) -> int:
    """Where the archive's end record begins, the larger one where there are both."""
    end = content.rfind(b"PK\x05\x06")
    return end - 76 if content[end - 20 : end - 16] == b"PK\x06\x07" else end


FINDERS: dict[str, Callable[[bytes], Slot | None]] = {
    "image/png": _in_png, "image/jpeg": _in_jpeg, "image/gif": _in_gif, "image/webp": _in_riff, "audio/wav": _in_riff,
    "video/mp4": _in_mp4, "application/zip": _in_zip,
}  # fmt: skip
