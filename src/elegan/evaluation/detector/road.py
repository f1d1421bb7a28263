"""The same road for both sides: a detector must not tell them apart by how their files were made.

Reals that were drawn with 17 grey levels, say, are told from samples with 256 by anything that counts levels, and
reals from JPEG files by anything that sees blocks of eight pixels.
"""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from elegan.pictures import to_image

Images = UInt8[np.ndarray, "n h w c"]
WORST, BEST = 60, 95
"""JPEG qualities that a detector is fitted on besides the images as they are."""


class Road:
    """Every pixel value goes to the nearest of the levels that real images have."""

    def __init__(self, levels: UInt8[np.ndarray, " k"]) -> None:
        self.levels = levels
        values = np.arange(256)
        nearest = np.abs(values[:, None] - levels.astype(int)).argmin(axis=1)
        self.table = levels[nearest]

    @classmethod
    def of(cls, reals: Images) -> "Road":
        """The levels that occur in real images."""
        return cls(np.unique(reals))

    def __call__(self, items: Images) -> Images:
        return self.table[items]


def as_jpeg(items: Images, quality: int | None = None, *, seed: int = 0) -> Images:
    """Each image saved as JPEG and opened again; each with its own quality from 60 to 95 where none is given.

    Opacity, which JPEG has no place for, stays.
    """
    drawn = np.random.default_rng(seed).integers(WORST, BEST + 1, len(items))
    qualities = drawn if quality is None else np.full(len(items), quality)
    found = items.copy()
    for item, chosen in zip(found, qualities.tolist(), strict=True):
        colours = item[..., :3]
        colours[...] = _through(colours, chosen)
    return found


def _through(pixels: UInt8[np.ndarray, "h w c"], quality: int) -> UInt8[np.ndarray, "h w c"]:
    file = io.BytesIO()
    to_image(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(pixels.shape)
