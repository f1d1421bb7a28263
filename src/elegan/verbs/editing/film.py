"""Pictures one after another: a GIF, or an MP4 with the package av."""

import io
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from elegan.errors import UserError
from elegan.files import write_atomically
from elegan.provenance import Label, mp4, write_gif, xmp

FORMATS = (".gif", ".mp4")


def check_film(path: Path) -> None:
    """Raise UserError for a file name that is no film's, before anything is drawn for it."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f'"{path}" is to be a film; end it in {" or ".join(FORMATS)}.')
    if path.suffix.lower() == ".mp4":
        _av()


def write_film(frames: Sequence[Image.Image], path: Path, label: Label, fps: int) -> None:
    """Write frames of one size as .gif or .mp4 with their label.  Raises UserError where it can't be written."""
    if path.suffix.lower() == ".gif":
        write_gif(frames, path, label, round(1000 / fps))
        return
    content = mp4.insert(_encoded(frames, label, fps), xmp.packet(label))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise UserError(f'"{path}" can\'t be written: {(error.strerror or str(error)).lower()}.') from error


def _encoded(frames: Sequence[Image.Image], label: Label, fps: int) -> bytes:
    """H.264, of even sides, as players want it."""
    av, buffer = _av(), io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        container.metadata["comment"] = label.sentence()
        stream = container.add_stream("h264", rate=fps, options={"crf": "16"})
        stream.width, stream.height = (side - side % 2 for side in frames[0].size)
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            pixels = np.asarray(frame.convert("RGB"))[: stream.height, : stream.width]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def _av() -> Any:
    try:
        return import_module("av")
    except ImportError as error:
        raise UserError("An .mp4 needs the package av; pip install 'elegan[video]', or end --out in .gif.") from error
