"""Where in the marked image the one at hand may lie: cropped, shifted, mirrored."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from elegan.provenance.watermark.carrier import BAND, MODES
from elegan.provenance.watermark.grid import SIDE, Array, cosines

PLACE_STEP, SCALE_STEP = 1 / 80, 1 / 40
"""In sides of the marked image: between two places looked at, and between two sizes."""
SHIFT = 2
"""Steps to each side that an image is shifted by at most, beyond what its crop allows."""
NEAR, FAR = 0.9, 0.725
"""The smallest crop that is looked for, as a share of each side: always, and in a thorough search."""
HELD = 64
"""Cosines a side that are kept of the image at hand; the marked image's band lies well below."""


def count(thorough: bool) -> int:
    """How many places are searched, the mirrored ones included."""
    return 2 * sum(len(waves) ** 2 for waves in _windows(thorough))


def elsewhere(even: Array, thorough: bool) -> Iterator[Array]:
    """The band [frames, places, len(BAND)] of the marked frames at all places of one size after the other, out of the
    evened squares [frames, SIDE, SIDE] of those at hand.
    """
    kept = cosines(HELD, SIDE)
    modes = kept @ even @ kept.T
    mirror = np.where(BAND % MODES % 2, -1, 1).astype(np.float32)
    for waves in _windows(thorough):
        rows = waves.reshape(-1, HELD)
        band = (rows @ modes @ rows.T).reshape(len(even), -1)[:, _band_at(len(waves))]
        yield band
        yield band * mirror


@lru_cache(maxsize=32)
def _band_at(places: int) -> NDArray[np.intp]:
    """Where the band of each pair of places, a row's and a column's, is in [places, MODES, places, MODES]."""
    one_row = places * MODES
    starts = np.arange(places)[:, None] * MODES * one_row + np.arange(places) * MODES
    return starts.reshape(-1, 1) + (BAND // MODES * one_row + BAND % MODES)


@lru_cache(maxsize=2)
def _windows(thorough: bool) -> tuple[Array, ...]:
    smallest = FAR if thorough else NEAR
    return tuple(_waves(1 - SCALE_STEP * step) for step in range(round((1 - smallest) / SCALE_STEP) + 1))


def _waves(scale: float) -> Array:
    """The marked image's cosines along one side, seen through windows of this size, in terms of the window's own
    cosines: [places, MODES, HELD].
    """
    reach = max(round((1 - scale) / 2 / PLACE_STEP), SHIFT)
    starts = (1 - scale) / 2 + PLACE_STEP * np.arange(-reach, reach + 1)
    places = starts[:, None] + scale * (np.arange(SIDE) + 0.5) / SIDE
    seen = np.sqrt(2 / SIDE) * np.cos(np.pi * np.arange(MODES)[:, None] * places[:, None, :])
    return (seen @ cosines(HELD, SIDE).T).astype(np.float32)


__all__ = ["count", "elsewhere"]
