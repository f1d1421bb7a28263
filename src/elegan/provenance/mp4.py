"""An XMP packet inside an MP4 film (ISO/IEC 14496-12), in a box of its own after all others.

The box is of type ``uuid`` with XMP's identifier (Adobe, XMP Specification part 3); players pass over it.
"""

import io
import struct
from collections.abc import Sequence
from importlib import import_module
from typing import Any
from uuid import UUID

import numpy as np
from PIL import Image

from elegan.errors import UserError
from elegan.provenance.label import Label
from elegan.provenance.xmp import aigc

XMP_BOX = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes


def codec() -> Any:
    """The package av.  Raises UserError where it is missing."""
    try:
        return import_module("av")
    except ImportError as error:
        raise UserError("An .mp4 needs the package av; pip install 'elegan[video]', or end --out in .gif.") from error


def encoded(frames: Sequence[Image.Image], label: Label, fps: int) -> bytes:
    """Frames of one size as H.264, of even sides, as players want it."""
    av, buffer = codec(), io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["comment"] = label.sentence()
        if label.profile == "cn":
            container.metadata["AIGC"] = aigc(label)
        stream = container.add_stream("h264", rate=fps, options={"crf": "16"})
        stream.width, stream.height = (side - side % 2 for side in frames[0].size)
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            pixels = np.asarray(frame.convert("RGB"))[: stream.height, : stream.width]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


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
