"""What a key stands for: orthonormal directions in the square, and the sign that the image is to have along each."""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from elegan.provenance.watermark.code import CODE_BITS
from elegan.provenance.watermark.grid import SIDE, Array, cosines

FIXED = 192
"""Directions whose signs depend on the key alone; those that detection counts."""
CARRIERS = FIXED + CODE_BITS
LOWEST, HIGHEST = 18, 38
"""The band, in half periods a side.  Below it images have too much of their own; above it JPEG takes too much away."""
MODES = HIGHEST + 1
SHARE = 3
"""Cosines in each direction."""


def _band() -> NDArray[np.intp]:
    rows, columns = np.mgrid[:MODES, :MODES]
    radius = np.hypot(rows, columns)
    inside = (rows > 0) & (columns > 0) & (radius >= LOWEST) & (radius <= HIGHEST)
    return np.flatnonzero(inside)


BAND = _band()
"""The cosines (row * MODES + column) that carry."""


@dataclass(frozen=True)
class Carriers:
    """The directions of a key, of which no two share a cosine."""

    places: NDArray[np.intp] = field(repr=False)
    """Where the cosines of each direction are among those of BAND, [CARRIERS, SHARE]."""
    weights: Array = field(repr=False)
    """What each contributes, [CARRIERS, SHARE]."""
    signs: Array = field(repr=False)
    """1 or -1 for each direction, [CARRIERS], drawn apart from the directions themselves."""

    def project(self, modes: Array, first: int = CARRIERS) -> Array:
        """Cosines [..., len(BAND)] along the first directions, [..., first]; the signs take no part."""
        along = np.zeros((*modes.shape[:-1], first), np.float32)
        for places, weights in zip(self.places[:first].T, self.weights[:first].T, strict=True):
            along += modes[..., places] * weights
        return along

    def spread(self, amounts: Array) -> Array:
        """Amounts [CARRIERS] along the directions as a square [SIDE, SIDE]: the transpose of projecting one."""
        modes = np.zeros(MODES * MODES, np.float32)
        modes[BAND[self.places]] = amounts[:, None] * self.weights
        waves = cosines(MODES, SIDE)
        return waves.T @ modes.reshape(MODES, MODES) @ waves


def modes_of(square: Array) -> Array:
    """The cosines of a square [..., SIDE, SIDE] that carry, [..., len(BAND)]."""
    waves = cosines(MODES, SIDE)
    modes = waves @ square @ waves.T
    return modes.reshape(*modes.shape[:-2], -1)[..., BAND]


@lru_cache(maxsize=256)
def carriers(key: bytes) -> Carriers:
    """A key's directions and signs, the same on every machine: its stream is SHAKE-256 (FIPS 202)."""
    stream = hashlib.shake_256(b"elegan watermark 1\0" + key).digest(8 * (len(BAND) + CARRIERS * SHARE + CARRIERS))
    order, turns, signs = np.split(np.frombuffer(stream, "<u8"), [len(BAND), len(BAND) + CARRIERS * SHARE])
    places = np.argsort(order, kind="stable")[: CARRIERS * SHARE].reshape(CARRIERS, SHARE)
    return Carriers(places, _signs(turns).reshape(places.shape) / np.float32(np.sqrt(SHARE)), _signs(signs))


def _signs(stream: NDArray[np.uint64]) -> Array:
    return np.where(stream & np.uint64(1), 1, -1).astype(np.float32)


__all__ = ["CARRIERS", "FIXED", "MODES", "Carriers", "carriers", "modes_of"]
