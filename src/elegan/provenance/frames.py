"""The pictures in a file, to be searched for a watermark and looked up."""

import zipfile
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from elegan.errors import UserError
from elegan.provenance import mp4
from elegan.provenance.encode import pixels_of
from elegan.provenance.seal import Picture

MOST = 16
"""Frames of a film; they say the same thing again and again."""
MOST_PIXELS = 2**27


def frames_of(path: Path) -> list[Picture]:
    """Up to 16 pictures uint8 [H, W, C] of one size: one of a still, more of a film or arrays, none of other files.

    Raises UserError for a damaged file, one too large to be opened, and a film without the package av.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".npz":
            return _of_arrays(path)
        if suffix == ".mp4":
            return _of_film(path)
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise UserError(f'"{path}" has {image.width}x{image.height} pixels, more than are looked at.')
            return [pixels_of(frame.copy()) for frame in islice(ImageSequence.Iterator(image), MOST)]
    except UnidentifiedImageError:
        return []
    except (OSError, ValueError, SyntaxError, EOFError, zipfile.BadZipFile, Image.DecompressionBombError) as error:
        raise UserError(f'"{path}" is damaged: {error}.') from error


def _of_arrays(path: Path) -> list[Picture]:
    with np.load(path, allow_pickle=False) as arrays:
        images = arrays.get("images")
    if images is None or images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3, 4):
        return []
    return list(images[:MOST])


def _of_film(path: Path) -> list[Picture]:
    av = mp4.codec()
    try:
        with av.open(str(path)) as container:
            return [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), MOST)]
    except av.FFmpegError as error:
        raise ValueError(str(error)) from error


__all__ = ["frames_of"]
