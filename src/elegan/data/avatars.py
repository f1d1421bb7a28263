"""Avatars: small characters drawn from parts, so that every part of every image is known exactly."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from PIL import Image

from elegan.data import avatar_art as art
from elegan.data.attributes import Attributes
from elegan.data.found import Found

PARTS: dict[str, tuple[str, ...]] = {
    "background": tuple(art.BACKGROUND),
    "shirt": tuple(art.SHIRT),
    "face": tuple(art.HEADS),
    "skin": tuple(art.SKIN),
    "hair": ("short", "bob", "long", "curly", "pigtails", "spiky"),
    "hair colour": tuple(art.HAIR),
    "eyes": ("dots", "wide", "happy", "sleepy"),
    "mouth": ("smile", "grin", "surprised", "flat"),
    "glasses": ("none", "round", "square", "tinted"),
    "hat": ("none", "cap", "beanie", "crown", "wizard"),
}
"""The name of each part and the names of its values."""
BARE = {"glasses": 0.4, "hat": 0.4}
"""The share of avatars without; all other values are equally likely."""
COUNT, SEED, SIDE, LARGEST = 6_000, 0, 32, 128
CHUNK = 100


class Layer(NamedTuple):
    """One drawing and the parts that it depends on."""

    draw: Callable[..., None]
    parts: tuple[str, ...]


LAYERS = (
    Layer(art.background, ("background",)),
    Layer(art.hair_behind, ("hair", "hair colour", "hat")),
    Layer(art.shirt, ("shirt",)),
    Layer(art.head, ("face", "skin")),
    Layer(art.brows, ("hair colour",)),
    Layer(art.eyes, ("eyes",)),
    Layer(art.mouth, ("mouth", "skin")),
    Layer(art.hair_before, ("hair", "hair colour", "hat")),
    Layer(art.glasses, ("glasses",)),
    Layer(art.hat, ("hat",)),
)
"""From the back to the front."""


def avatars(side: int | None = None) -> Found:
    """6,000 avatars, no two alike, at 32x32 or drawn at another size of at most 128."""
    side = min(side or SIDE, LARGEST)
    parts = distinct_parts(COUNT, np.random.default_rng(SEED))
    return Found(
        name="avatars",
        source=f"drawn by elegan from parts, seed {SEED}",
        images=draw_all(parts, side),
        licence="made from a fixed seed; free of rights",
        default_size=side,
        attributes=Attributes(tuple(PARTS), tuple(PARTS.values()), parts),
    )


def random_parts(generator: np.random.Generator, n: int = 1) -> np.ndarray:
    """The parts of n avatars, int64 [n, parts]: the numbers of values in the order of ``PARTS``."""
    columns = []
    for name, values in PARTS.items():
        bare = BARE.get(name, 1 / len(values))
        chances = [bare, *[(1 - bare) / (len(values) - 1)] * (len(values) - 1)]
        columns.append(generator.choice(len(values), n, p=chances))
    return np.stack(columns, axis=1)


def distinct_parts(n: int, generator: np.random.Generator) -> np.ndarray:
    """The parts [n, parts] of avatars of which no two are alike."""
    found = random_parts(generator, n + n // 4)
    first = np.sort(np.unique(found, axis=0, return_index=True)[1])[:n]
    assert len(first) == n, "there are far more combinations than avatars"
    return found[first]


def draw(parts: Mapping[str, str] | Sequence[int] | np.ndarray, side: int = SIDE) -> np.ndarray:
    """One avatar, uint8 [side, side, 3], from values by name or from a row of ``random_parts``."""
    if isinstance(parts, Mapping):
        parts = [values.index(parts[name]) for name, values in PARTS.items()]
    image: np.ndarray = draw_all(np.asarray(parts)[None], side)[0]
    return image


def draw_all(parts: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Avatars uint8 [n, side, side, 3] from parts int [n, parts]: their layers laid over each other."""
    images = np.empty((len(parts), side, side, 3), np.uint8)
    columns = [[list(PARTS).index(name) for name in layer.parts] for layer in LAYERS]
    for start in range(0, len(parts), CHUNK):
        rows = parts[start : start + CHUNK]
        canvas = np.zeros((len(rows), side, side, 3), np.float32)
        for number, mine in enumerate(columns):
            sheet = _sheet(number, side)
            wanted = tuple(rows[:, mine].T)
            canvas[sheet.where] *= sheet.shows_through[wanted]
            canvas[sheet.where] += sheet.colours[wanted]
        images[start : start + CHUNK] = canvas + 0.5
    return images


class Sheet(NamedTuple):
    """All pictures of one layer, cut to where any of them has colour."""

    where: tuple[slice, ...]
    colours: np.ndarray
    """Times the opacity, float32 [*values of each part, height, width, 3]."""
    shows_through: np.ndarray
    """The share of what lies behind that is seen, float32 [*values of each part, height, width, 1]."""


@cache
def _sheet(number: int, side: int) -> Sheet:
    draw, parts = LAYERS[number]
    values = [PARTS[name] for name in parts]
    drawn = np.stack([_drawn(draw, chosen, side) for chosen in product(*values)]).astype(np.float32)
    opacity = drawn[..., 3:] / 255
    rows, columns = (np.flatnonzero(opacity.max(axis=(0, 3)).any(axis=axis)) for axis in (1, 0))
    where = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    counts = [len(names) for names in values]
    colours, through = drawn[..., :3][where] * opacity[where], 1 - opacity[where]
    return Sheet(where, *(array.reshape(*counts, *array.shape[1:]) for array in (colours, through)))


def _drawn(draw: Callable[..., None], values: tuple[str, ...], side: int) -> np.ndarray:
    pen = art.Pen()
    draw(pen, *values)
    return np.asarray(pen.image.resize((side, side), Image.Resampling.BOX))
