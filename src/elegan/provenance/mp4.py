"""An XMP packet inside an MP4 film (ISO/IEC 14496-12), in a box of its own after all others.

The box is of type ``uuid`` with XMP's identifier (Adobe, XMP Specification part 3); players pass over it.
"""

import struct
from uuid import UUID

XMP_BOX = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes


def insert(content: bytes, packet: str) -> bytes:
    """An MP4 file with the packet at its end."""
    body = XMP_BOX + packet.encode()
    return content + struct.pack(">I4s", 8 + len(body), b"uuid") + body


def extract(content: bytes) -> str | None:
    """The packet in an MP4 file, if there is one; raises ValueError where its boxes don't fit into each other."""
    place = 0
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        start = place + 8
        if length == 1 and start + 8 <= len(content):
            (length,) = struct.unpack_from(">Q", content, start)
            start += 8
        length = length or len(content) - place
        if length < start - place or place + length > len(content):
            raise ValueError("its boxes are cut short")
        body = content[start : place + length]
        if kind == b"uuid" and body.startswith(XMP_BOX):
            return body[len(XMP_BOX) :].decode("utf-8", errors="replace")
        place += length
    return None
