"""A small perceptual descriptor of a picture, and when two of them are of one picture.

Weaker evidence than an exact match, and measured as such.  A thumbnail of 8x8 cells of lightness and 4x4 of colour, of
16x16 and 8x8 for pictures of 16 pixels and more a side, keeps what JPEG, a little noise and another size leave alone.
The distance of a query from an entry is the share of the query's contrast that neither the entry nor its blur explains,
1 - R² of a least-squares fit, so that brightness, contrast and a resampling's softness cost nothing.

An entry is found where its distance is below a limit, 0.02 or, of larger pictures, 5/(height x width) but no less than
0.001, since averaging many pixels leaves less of any damage; and below 0.3 of the distance of the next other picture:
a query that lies hardly nearer to one entry than to others is merely of their kind.

Measured by benchmarks/registry.py, the share of 400 damaged entries that were found, and of strangers taken for one:

    entries                       strangers         taken       JPEG 75  noise 8  x4 and back
    20,000 of gan, digits 8x8     real digits    0 of 1,797      0.995    1.00      1.00
    20,000 of r3gan, digits 8x8   real digits    0 of 1,797      0.84     0.86      1.00
    real digits 8x8               the same       1 of 1,797      1.00     1.00      1.00
    real digits 16x16             the same       1 of 1,797      1.00     1.00      1.00
    6,000 avatars 32x32           the same      68 of 6,000      0.63     0.87      1.00
    6,000 avatars 64x64           the same       8 of 6,000      0.90     0.77      1.00
    6,000 avatars 128x128         the same       6 of 6,000      1.00     0.99      1.00

"The same" asks for each entry while all others are registered, which is the hardest case: real digits have twins by one
writer, and avatars are drawn from parts, so that some differ in nothing but the eyes.  The r3gan had trained for
seconds and draws many nearly alike: then the second test says no more often.  Other data will have other figures.
Cropping, turning and mirroring defeat it, and so does making a picture of 8x8 or 16x16 smaller.  A real picture that a
generator learnt by heart is found.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from elegan.pictures import to_image

Looks = NDArray[np.int8]
Pixels = NDArray[np.uint8]

SMALL, LARGE = 8, 16
"""The thumbnails' sides."""
LIMIT, LEAST_LIMIT, LIMIT_BY_PIXELS, RATIO = 0.02, 0.001, 5.0, 0.3
FLATTEST = 4.0
"""A thumbnail whose lightness deviates by less, in 8-bit levels, has nothing to be known by."""
CANDIDATES, CHUNK = 32, 65_536


class Nearest(NamedTuple):
    """A row of a gallery and its distance."""

    row: int
    distance: float


def side_of(height: int, width: int) -> int:
    """The thumbnail's side for an entry of this size."""
    return LARGE if min(height, width) >= LARGE else SMALL


def look(pixels: Pixels, side: int) -> Looks | None:
    """The descriptor int8 [1.5 side²] of pixels uint8 [H, W, C], transparent ones on white; None for a flat picture."""
    image = to_image(pixels)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    small = image.resize((side, side), Image.Resampling.BOX)
    light = np.asarray(small.convert("L"), np.float32)
    if light.std() < FLATTEST:
        return None
    colour = np.zeros((side // 2, side // 2, 2), np.float32)
    if image.mode != "L":
        tints = np.asarray(small.convert("YCbCr"), np.float32)[..., 1:] - 128
        colour = tints.reshape(side // 2, 2, side // 2, 2, 2).mean((1, 3))
    whole = np.concatenate([(light - light.mean()).ravel(), colour.ravel()])
    return np.rint(whole * (127 / np.abs(whole).max())).astype(np.int8)


def limit(height: int, width: int) -> float:
    """Below this distance a picture may be the entry of this size."""
    return min(LIMIT, max(LEAST_LIMIT, LIMIT_BY_PIXELS / (height * width)))


def false_matches(height: int, width: int) -> float:
    """The share of strangers of the hardest kind measured that are taken for an entry of this size, at most."""
    return next(share for pixels, share in FALSE_MATCHES if height * width <= pixels)


class Gallery:
    """Many descriptors of one side, searched by brute force: 1.5 side² + 4 bytes a row."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.looks: Looks = np.empty((0, 3 * side * side // 2), np.int8)
        self.scales = np.empty(0, np.float32)

    def add(self, looks: Sequence[bytes]) -> None:
        """Append rows."""
        rows = np.frombuffer(b"".join(looks), np.int8).reshape(len(looks), self.looks.shape[1])
        self.looks = np.concatenate([self.looks, rows])
        scales = 1 / np.linalg.norm(rows.astype(np.float32), axis=1)
        self.scales = np.concatenate([self.scales, scales.astype(np.float32)])

    def nearest(self, query: Looks) -> list[Nearest]:
        """The nearest rows, some dozens, in order."""
        wanted = _unit(query.astype(np.float32)[None])[0]
        rows = self._candidates(wanted)
        distances = _unexplained(wanted, _unit(self.looks[rows].astype(np.float32)), self.side)
        order = np.argsort(distances, kind="stable")
        return [Nearest(int(rows[place]), float(distances[place])) for place in order]

    def _candidates(self, query: NDArray[np.float32]) -> NDArray[np.int64]:
        """The rows that correlate best with a query of length 1."""
        rows, found = np.empty(0, np.int64), np.empty(0, np.float32)
        for start in range(0, len(self.looks), CHUNK):
            part = slice(start, start + CHUNK)
            alike = self.looks[part].astype(np.float32) @ query * self.scales[part]
            best = np.argpartition(-alike, min(CANDIDATES, len(alike) - 1))[:CANDIDATES]
            rows, found = np.concatenate([rows, best + start]), np.concatenate([found, alike[best]])
        return rows[np.argsort(-found, kind="stable")[:CANDIDATES]]


def _unexplained(query: NDArray[np.float32], rows: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """1 - R² of the query [d] on each row [n, d] and its blur; all of length 1."""
    blurred = _blur(rows, side)
    blurred -= (blurred * rows).sum(1, keepdims=True) * rows
    explained = np.square(rows @ query) + np.square(_unit(blurred) @ query)
    return np.asarray(np.maximum(0, 1 - explained), np.float32)


def _blur(rows: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Each plane under the binomial 3x3 filter, its lightness centred again."""
    half = side // 2
    light = _filtered(rows[:, : side * side].reshape(-1, side, side, 1)).reshape(len(rows), -1)
    colour = _filtered(rows[:, side * side :].reshape(-1, half, half, 2)).reshape(len(rows), -1)
    return np.concatenate([light - light.mean(1, keepdims=True), colour], axis=1)


def _filtered(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    along = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    return np.asarray((along[:, :, :-2] + 2 * along[:, :, 1:-1] + along[:, :, 2:]) / 4, np.float32)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)


FALSE_MATCHES = ((31 * 31, 1e-3), (63 * 63, 2e-2), (float("inf"), 2e-3))
"""(pixels up to, share): the table above, rounded up."""
