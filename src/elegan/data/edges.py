"""Line drawings of images, as different hands would draw them: dark lines on white paper.

A network that learns from one kind of line fails on another.  So every drawing has its own pressure (which edges are
drawn), thickness, tremor and gaps, each drawn at random within what a ``Hand`` allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, zoom

UNIT = 64
"""Lines are measured in 64ths of the image's shorter side, and in whole pixels below that."""
BLUR = 0.7
GAPS = 6
"""The most gaps of a drawing."""
TREMOR = 4
"""Points a side between which a drawing is bent."""
NUMBERS = 4 + 2 * TREMOR**2 + 3 * GAPS
FAR = 1e4
"""The distance between two images of a batch, by which none is nearer than a line of its own."""


@dataclass(frozen=True)
class Hand:
    """How lines may be drawn: the lowest and the highest of each."""

    threshold: tuple[float, float] = (0.12, 0.4)
    """What is an edge, in units of the image's steepest slope."""
    thickness: tuple[float, float] = (0.8, 2.0)
    """Of the lines, in units."""
    tremor: tuple[float, float] = (0.0, 0.8)
    """How far lines stray, in units."""
    gaps: tuple[float, float] = (0.0, 4.0)
    """Places where a line breaks off; 6 at most."""


Span = tuple[float, float]


def edges(images: np.ndarray, keys: Sequence[Sequence[int]], hand: Hand = Hand()) -> np.ndarray:
    """Drawings uint8 [n, H, W, 1] of images uint8 [n, H, W, C]: black lines on white.

    Each is a pure function of its image and its key, some whole numbers of 0 or more; the others don't matter.
    """
    if not len(images):
        return np.empty((*images.shape[:3], 1), np.uint8)
    numbers = np.stack([np.random.default_rng(np.random.SeedSequence(list(key))).random(NUMBERS) for key in keys])
    choices, bends, breaks = np.split(numbers, [4, 4 + 2 * TREMOR**2], axis=1)
    threshold, thickness, tremor, gaps = (
        low + (high - low) * choices[:, index, None, None]
        for index, (low, high) in enumerate((hand.threshold, hand.thickness, hand.tremor, hand.gaps))
    )
    unit = max(1.0, min(images.shape[1:3]) / UNIT)
    away = _distance_to_lines(_thin_edges(images, threshold))
    away = _bent(away, bends.reshape(-1, 2, TREMOR, TREMOR), tremor * unit)
    ink = np.clip(thickness * unit / 2 + 0.5 - away, 0, 1) * ~_broken(away.shape, breaks, gaps)
    return np.rint(255 * (1 - ink)).astype(np.uint8)[..., None]


def _thin_edges(images: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Where brightness or a colour changes fastest across an edge (Canny, 1986): bool [n, H, W]."""
    levels = gaussian_filter(images.astype(np.float32), (0, BLUR, BLUR, 0), mode="nearest")
    slopes = np.gradient(levels, axis=(1, 2))
    steepest = np.hypot(*slopes).argmax(3)[..., None]
    down, right = (np.take_along_axis(slope, steepest, 3)[..., 0] for slope in slopes)
    slope = np.hypot(down, right)
    padded = np.pad(slope, ((0, 0), (1, 1), (1, 1)))
    octant = np.rint(np.arctan2(down, right) / (np.pi / 4)).astype(np.int64) % 4
    ridge = np.zeros(slope.shape, bool)
    height, width = slope.shape[1:]
    for which, (y, x) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        before = padded[:, 1 - y : 1 - y + height, 1 - x : 1 - x + width]
        after = padded[:, 1 + y : 1 + y + height, 1 + x : 1 + x + width]
        ridge |= (octant == which) & (slope >= before) & (slope > after)
    highest = slope.max((1, 2), keepdims=True)
    return ridge & (slope > np.maximum(threshold * highest, 1.0))  # a slope of one level is no edge


def _distance_to_lines(lines: np.ndarray) -> np.ndarray:
    """Pixels to the nearest line of the same image, [n, H, W]; far where there is none."""
    if not lines.any():
        return np.full(lines.shape, FAR)
    distance: np.ndarray = distance_transform_edt(~lines, sampling=(FAR, 1, 1))
    return distance


def _bent(pictures: np.ndarray, bends: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Pictures [n, H, W] with each pixel fetched from up to ``reach`` pixels away, as smooth random fields say."""
    count, height, width = pictures.shape
    scale = (1, 1, height / TREMOR, width / TREMOR)
    fields = zoom(2 * bends - 1, scale, order=1, mode="nearest", grid_mode=True)
    y = np.clip(np.arange(height)[:, None] + reach * fields[:, 0], 0, height - 1)
    x = np.clip(np.arange(width) + reach * fields[:, 1], 0, width - 1)
    top, left = np.minimum(y.astype(np.int64), height - 2), np.minimum(x.astype(np.int64), width - 2)
    down, right, item = y - top, x - left, np.arange(count)[:, None, None]
    upper = pictures[item, top, left] * (1 - right) + pictures[item, top, left + 1] * right
    lower = pictures[item, top + 1, left] * (1 - right) + pictures[item, top + 1, left + 1] * right
    bent: np.ndarray = upper * (1 - down) + lower * down
    return bent


def _broken(shape: tuple[int, ...], breaks: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Round places without ink, bool [n, H, W]: the first ``gaps`` of each drawing's, rounded."""
    _, height, width = shape
    y, x, size = np.moveaxis(breaks.reshape(-1, GAPS, 3), 2, 0)
    there = np.arange(GAPS) < np.rint(gaps[:, :, 0])
    radius = np.where(there, (0.04 + 0.06 * size) * min(height, width), -1.0)
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    broken = np.zeros(shape, bool)
    for gap in range(GAPS):
        away = np.hypot(rows[None, :, None] - y[:, gap, None, None] * height,
                        columns[None, None, :] - x[:, gap, None, None] * width)  # fmt: skip
        broken |= away < radius[:, gap, None, None]
    return broken


__all__ = ["Hand", "edges"]
