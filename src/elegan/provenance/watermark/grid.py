"""An image of any size as one square of SIDE x SIDE, and the square with all its parts equally busy.

The square has the luminance's lowest frequencies, counted in half periods a side: a resized image has the same ones.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

SIDE = 128
BLUR = 4.0
"""Standard deviation of what counts as a place's neighbourhood, in cells of the square."""
QUIET = 4.0
"""Grey levels: an area less busy than this counts as about this busy."""
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Of red, green and blue: Recommendation ITU-R BT.601, as in JPEG."""


def luminance(pixels: NDArray[np.uint8]) -> Array:
    """[..., H, W, C] in [0, 255], with or without opacity, as float32 [..., H, W]."""
    colours = colours_of(pixels)
    return colours.astype(np.float32) @ LUMINANCE if colours.shape[-1] == 3 else colours[..., 0].astype(np.float32)


def colours_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The channels that have colour, a view: all but the opacity, which is the last of two or four."""
    return pixels[..., :-1] if pixels.shape[-1] in (2, 4) else pixels


@lru_cache(maxsize=64)
def cosines(modes: int, samples: int) -> Array:
    """The first rows of the orthonormal discrete cosine transform (DCT-II), [modes, samples]."""
    rows, places = np.arange(modes)[:, None], (np.arange(samples) + 0.5) / samples
    waves = np.sqrt(2 / samples) * np.cos(np.pi * rows * places)
    waves[0] /= np.sqrt(2)
    return waves.astype(np.float32)


def to_square(image: Array) -> Array:
    """[..., H, W] as [..., SIDE, SIDE]; frequencies that the image hasn't are zero in the square."""
    height, width = image.shape[-2:]
    rows, columns = min(SIDE, height), min(SIDE, width)
    modes = cosines(rows, height) @ image @ cosines(columns, width).T
    square = cosines(SIDE, SIDE)[:rows].T @ modes @ cosines(SIDE, SIDE)[:columns]
    return square * np.float32(SIDE / np.sqrt(height * width))


def from_square(square: Array, height: int, width: int) -> Array:
    """The transpose of to_square, scaled to be its inverse where all frequencies exist: [SIDE, SIDE] as [H, W]."""
    rows, columns = min(SIDE, height), min(SIDE, width)
    modes = cosines(SIDE, SIDE)[:rows] @ square @ cosines(SIDE, SIDE)[:columns].T
    image = cosines(rows, height).T @ modes @ cosines(columns, width)
    return image * np.float32(np.sqrt(height * width) / SIDE)


@lru_cache(maxsize=1)
def _blur() -> Array:
    """A Gaussian mean of each place's neighbours, mirrored at the edges, [SIDE, SIDE]."""
    reach = np.arange(-4 * int(BLUR), 4 * int(BLUR) + 1)
    weights = np.exp(-0.5 * (reach / BLUR) ** 2)
    neighbours = np.arange(SIDE)[:, None] + reach
    neighbours = np.where(neighbours < 0, -1 - neighbours, neighbours)
    neighbours = np.where(neighbours >= SIDE, 2 * SIDE - 1 - neighbours, neighbours)
    matrix = np.zeros((SIDE, SIDE))
    np.add.at(matrix, (np.arange(SIDE)[:, None], neighbours), weights / weights.sum())
    return matrix.astype(np.float32)


def evened(square: Array) -> tuple[Array, Array]:
    """A square [..., SIDE, SIDE] without its coarse shapes and equally busy everywhere, and by what it was divided:
    each place's standard deviation among its neighbours, plus QUIET.

    What is busy would otherwise drown the mark of all that is quiet.
    """
    blur = _blur()
    fine = square - blur @ square @ blur.T
    busy = np.sqrt(np.maximum(blur @ (fine * fine) @ blur.T, 0)) + np.float32(QUIET)
    return fine / busy, busy


__all__ = ["SIDE", "Array", "colours_of", "cosines", "evened", "from_square", "luminance", "to_square"]
