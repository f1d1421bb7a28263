"""The mark is looked for: how many directions have the key's sign, and how often chance alone does as well."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from elegan.provenance.watermark import windows
from elegan.provenance.watermark.carrier import FIXED, carriers, modes_of
from elegan.provenance.watermark.code import decode
from elegan.provenance.watermark.grid import Array, evened, luminance, to_square

FOUND = 1e-6
"""A mark with a smaller p is found, and only then is its payload read."""
SURE = 1e-12
"""With a smaller p in the image as it lies, nothing more is searched."""
LOUDEST = 1.2
"""A single direction's most say in the payload, in root mean squares of all."""


@dataclass(frozen=True)
class Mark:
    """What was found of a mark, and how surely."""

    p: float
    """How often, at most, an image without the mark shows as much: over all keys that might have been drawn."""
    matches: int
    """Directions with the key's sign, in the place where that is most surprising."""
    bits: int
    """Directions counted."""
    searched: int
    """Places, sizes, mirror images and keys looked at."""
    payload: int | None
    """The number in it; None where no mark was found or its number can't be read."""


def detect(pixels: NDArray[np.uint8], keys: Sequence[bytes], *, thorough: bool = False) -> Mark:
    """Look for the mark of any of the keys in an image [H, W, C]; see ``detect_many``."""
    return detect_many([pixels], keys, thorough=thorough)


def detect_many(frames: Sequence[NDArray[np.uint8]], keys: Sequence[bytes], *, thorough: bool = False) -> Mark:
    """Look for one mark in all frames [H, W, C] together: as they lie, mirrored, shifted by up to 1/40 of a side and
    cropped to no less than 0.9 of each side; ``thorough``, to no less than 0.725.

    The key's signs are independent of an image without the mark, whatever it shows, so that the matches of one place
    are binomial(bits, 1/2).  Bonferroni's correction is weighted: half of the chance of a false alarm is for the
    image as it lies, half is shared by all places, and the keys share both.
    """
    if not frames or not keys:
        return Mark(1.0, 0, FIXED, 0, None)
    even = np.stack([evened(to_square(luminance(frame)))[0] for frame in frames])
    found = _best([modes_of(even)[:, None]], keys, 2)
    if found.p > SURE:
        other = _best(windows.elsewhere(even, thorough), keys, 2 * windows.count(thorough))
        best = min(found, other, key=lambda one: one.p)
        return replace(best, searched=found.searched + other.searched)
    return found


def matches(modes: Array, key: bytes) -> NDArray[np.intp]:
    """Of FIXED, how many directions have the key's sign in images [..., len(BAND)]: binomial(FIXED, 1/2) without it."""
    own = carriers(key)
    return ((own.project(modes, FIXED) >= 0) == (own.signs[:FIXED] > 0)).sum(-1)


@lru_cache(maxsize=FIXED + 1)
def chance(count: int) -> float:
    """P(X >= count) for X binomial(FIXED, 1/2)."""
    return sum(comb(FIXED, right) for right in range(count, FIXED + 1)) / 2**FIXED


def _best(stacks: Iterable[Array], keys: Sequence[bytes], price: int) -> Mark:
    """The most surprising of all places [frames, places, len(BAND)] and keys, at ``price`` times the number of keys."""
    best, whose, searched = -1, keys[0], 0
    modes: Array = np.empty((0, 0))
    for stack in stacks:
        together = stack.mean(axis=0)
        for key in keys:
            found = matches(together, key)
            searched += len(found)
            if found.max() > best:
                best, modes, whose = int(found.max()), stack[:, found.argmax()], key
    p = min(1.0, chance(best) * price * len(keys))
    return Mark(p, best, FIXED, searched, _payload(modes, whose) if p < FOUND else None)


def _payload(modes: Array, key: bytes) -> int | None:
    """The number in frames [frames, len(BAND)]: that of all together or, as each frame chose its own way to write it,
    the one that several frames agree on.
    """
    if (together := _read(modes.mean(axis=0), key)) is not None:
        return together
    alone = Counter(number for frame in modes if (number := _read(frame, key)) is not None).most_common(1)
    return alone[0][0] if alone and alone[0][1] > 1 else None


def _read(modes: Array, key: bytes) -> int | None:
    own = carriers(key)
    soft = (own.project(modes) * own.signs)[FIXED:]
    loudest = LOUDEST * np.median(np.abs(soft))
    return decode(np.clip(soft, -loudest, loudest), key)


__all__ = ["FOUND", "Mark", "chance", "detect", "detect_many", "matches"]
