"""The mark goes in: the change of least energy after which the image has the key's sign along most directions."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elegan.provenance.watermark.carrier import CARRIERS, FIXED, Carriers, carriers, modes_of
from elegan.provenance.watermark.code import encodings
from elegan.provenance.watermark.grid import SIDE, Array, colours_of, evened, from_square, luminance, to_square

SMALLEST = 64
"""Pixels of the shorter side; a smaller image would be damaged visibly by a mark that lasts."""
LEAST_PSNR, PSNR_A_DOUBLING, MOST_PSNR = 35.5, 0.7, 39.0
"""Decibels: of an image of SMALLEST pixels, more for each doubling of its side, and of the largest."""
LEAST_MARGIN, MOST_MARGIN = 0.3, 1.7
"""How far beyond zero a projection is to lie, in units of the evened square; beyond the most, images are spared."""
KEPT = 0.85
"""The share of directions that a margin must be affordable for; the dearest may stay as they are."""
PAYLOAD_EMPHASIS = 1.3
"""A direction of the payload has so many times the margin."""
MASKING = 0.4
"""The mark is as strong as the image is busy, to this power: quiet areas show it most."""
ROUNDS = 5
BRIGHTENED = 1.3
"""The mark is to outlast such a gain too, which burns out what is bright."""


def embed(pixels: NDArray[np.uint8], key: bytes, payload: int) -> NDArray[np.uint8]:
    """Pixels [H, W, C] with the key's mark in their luminance, the opacity (the last of 2 or 4 channels) as it was.

    An image with a side below SMALLEST comes back unchanged.  ``payload`` has PAYLOAD_BITS bits.  Raises ValueError for
    another payload, and for arrays that aren't uint8 [H, W, 1 to 4].
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4:
        raise ValueError(f"An image is uint8 [H, W, 1 to 4]; this array is {pixels.dtype} {list(pixels.shape)}.")
    words = encodings(payload, key)
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST:
        return pixels
    square = to_square(luminance(pixels))
    budget = SIDE**2 * 255**2 / 10 ** (least_psnr(height, width) / 10)
    change = from_square(_change(square, carriers(key), words, budget), height, width)
    change *= np.float32(min(1, math.sqrt(budget * height * width / SIDE**2 / max(float((change**2).sum()), 1e-9))))
    marked = pixels.copy()
    colours = colours_of(marked)
    colours[...] = np.clip(np.rint(colours + change[..., None]), 0, 255)
    return marked


def least_psnr(height: int, width: int) -> float:
    """The peak signal-to-noise ratio, in decibels, below which no image of this size falls (but for rounding)."""
    doublings = math.log2(min(height, width) / SMALLEST)
    return min(LEAST_PSNR + PSNR_A_DOUBLING * doublings, MOST_PSNR)


def _change(square: Array, own: Carriers, words: Array, budget: float) -> Array:
    """What to add to the square.

    To first order, adding busy^MASKING times the directions moves the evened square's projections by ``gain``; the
    rounds make up for what the first order leaves out.
    """
    even, busy = evened(square)
    mask = busy ** np.float32(MASKING)
    gain = (mask / busy).mean()
    start = own.project(modes_of(even))
    signs = own.signs * np.concatenate([np.ones(FIXED, np.float32), _easiest(start * own.signs, words)])
    start = start * signs
    plan = _plan(start, budget * gain**2 / float((mask**2).mean()))
    change = np.zeros_like(square)
    for _ in range(ROUNDS):
        step = plan.short_of(_seen(square + change, own) * signs, exactly=True)
        brightened = np.clip((square + change) * np.float32(BRIGHTENED), 0, 255)
        step += plan.short_of(_seen(brightened, own) * signs) / 2
        change += mask * own.spread(step * signs) / gain
    return change


def _easiest(start: Array, words: Array) -> Array:
    """The word that is nearest to what the image has along the payload's directions already."""
    return words[(np.maximum(1 - start[FIXED:] * words, 0) ** 2).sum(1).argmin()]


def _seen(square: Array, own: Carriers) -> Array:
    return own.project(modes_of(evened(square)[0]))


@dataclass(frozen=True)
class _Plan:
    """Where each projection is to be at least."""

    margins: Array
    kept: NDArray[np.bool_]
    above: NDArray[np.bool_]

    def short_of(self, now: Array, *, exactly: bool = False) -> Array:
        """How far each kept projection is below its margin; ``exactly``: or above it, where it began below."""
        missing = self.margins - now
        spared = self.above if exactly else np.ones_like(self.above)
        return np.where(self.kept, np.where(spared, np.maximum(missing, 0), missing), 0).astype(np.float32)


def _plan(start: Array, budget: float) -> _Plan:
    """The largest margin that the payload's directions and KEPT of the others can have within the budget."""
    emphasis = np.ones(CARRIERS, np.float32)
    emphasis[FIXED:] = PAYLOAD_EMPHASIS

    def cheapest_first(margin: float) -> tuple[NDArray[np.intp], Array]:
        costs = np.maximum(margin * emphasis - start, 0) ** 2
        order = np.concatenate([np.arange(FIXED, CARRIERS), np.argsort(costs[:FIXED])])
        return order, np.cumsum(costs[order])

    least, most = LEAST_MARGIN, MOST_MARGIN
    for _ in range(10):
        middle = (least + most) / 2
        affordable = cheapest_first(middle)[1][CARRIERS - 1 - round((1 - KEPT) * FIXED)] <= budget
        least, most = (middle, most) if affordable else (least, middle)
    order, costs = cheapest_first(least)
    kept = np.zeros(CARRIERS, bool)
    kept[order[costs <= budget]] = True
    margins = least * emphasis
    return _Plan(margins, kept, start > margins)


__all__ = ["SMALLEST", "embed", "least_psnr"]
