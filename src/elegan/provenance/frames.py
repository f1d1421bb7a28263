"""The pictures in a file, to be searched for a watermark and looked up."""

import zipfile
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from elegan.errors import UserError
from elegan.provenance import mp4
from elegan.provenance.encode import pixels_of
from elegan.provenance.read import FORMATS
from elegan.provenance.seal import Picture

MOST = 16
"""Frames of a film; they say the same thing again and again."""
MOST_PIXELS, MOST_BYTES = 2**27, 2**30


def frames_of(path: Path) -> list[Picture]:
    """Up to 16 pictures uint8 [H, W, C]: one of a still, more of a film or arrays, none of other files.

    No more than 2^27 pixels in all.  Raises UserError for a damaged file, one too large, and a film without the
    package av.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".npz":
            return _of_arrays(path)
        if suffix == ".mp4":
            return _of_film(path)
        with Image.open(path, formats=FORMATS) as image:
            size = image.width * image.height
            if size > MOST_PIXELS:
                raise UserError(f'"{path}" has {image.width}x{image.height} pixels, more than are looked at.')
            frames = islice(ImageSequence.Iterator(image), min(MOST, MOST_PIXELS // size))
            return [pixels_of(frame.copy()) for frame in frames]
    except UnidentifiedImageError:
        return []
    except UserError:
        raise
    except Exception as error:  # parsers of strangers' files raise whatever they like
        raise UserError(f'"{path}" is damaged, or not what its name says.') from error


def _of_arrays(path: Path) -> list[Picture]:
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
            raise UserError(f'"{path}" holds more than {MOST_BYTES // 2**20:,} MB when it is unpacked.')
    with np.load(path, allow_pickle=False) as arrays:
        images = arrays.get("images")
    if images is None or images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3, 4):
        return []
    return list(images[:MOST])


def _of_film(path: Path) -> list[Picture]:
    with mp4.codec().open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.width * stream.height * MOST > MOST_PIXELS:
            raise UserError(f'"{path}" has {stream.width}x{stream.height} pixels, more than are looked at.')
        return [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(stream), MOST)]


__all__ = ["frames_of"]
