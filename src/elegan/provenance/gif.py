"""An XMP packet inside a GIF (Adobe, XMP Specification part 3, section 1.1.2), which Pillow doesn't write.

The packet stands in an application extension as plain bytes, not cut into sub-blocks.  A reader that doesn't
know XMP takes each of its bytes for the length of a sub-block and jumps ahead; the 258 bytes after the packet
are made so that every such jump, wherever it lands among them, leads to the end of the extension.
"""

HEADER = b"\x21\xff\x0bXMP DataXMP"
TRAILER = bytes([0x01, *range(0xFF, -1, -1), 0x00])


def insert(content: bytes, packet: str) -> bytes:
    """A GIF file with the packet before its first extension or frame."""
    flags = content[10]
    place = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    block = HEADER + packet.encode() + TRAILER
    return b"GIF89a" + content[6:place] + block + content[place:]


def extract(content: bytes) -> str | None:
    """The packet in a GIF file, if there is one."""
    start = content.find(HEADER)
    end = content.find(TRAILER, start)
    if start < 0 or end < 0:
        return None
    return content[start + len(HEADER) : end].decode("utf-8", errors="replace")
