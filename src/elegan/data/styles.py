"""The digits in two styles, for translation whose truth is known: white on black, and neon on a textured ground."""

from colorsys import hsv_to_rgb
from dataclasses import replace

import numpy as np
from PIL import Image
from PIL.Image import Resampling
from scipy.ndimage import gaussian_filter

from elegan.data import builtin
from elegan.data.dataset import Data
from elegan.data.fingerprint import fingerprint
from elegan.data.pairs import with_sources
from elegan.data.sizes import Shape
from elegan.data.sources import StoredSources
from elegan.data.split import make_split

NAME = "digits-styles"
SIDE = 32
KEY = 1
"""A neon digit's colour, ground and weave depend on this and on its number alone."""


def digits_styles(shape: Shape | None, seed: int) -> Data:
    """Side A: the digits in white on black.  Side B: in neon on a woven ground.  uint8 [1797, H, W, 3] each.

    No digit is in both training sides; those held out are the same digits on both sides, in the same order.
    """
    found = builtin.digits()
    labels = np.asarray(found.labels)
    masks = _masks(np.asarray(found.images), shape or (SIDE, SIDE))
    plain, neon = np.repeat(np.rint(255 * masks)[..., None], 3, axis=3).astype(np.uint8), _neon(masks)
    split = make_split(labels, seed)
    order = np.random.default_rng(np.random.SeedSequence([seed, KEY])).permutation(split.train)
    ours, theirs = np.sort(order[::2]), np.sort(order[1::2])
    sources = StoredSources(
        plain, fingerprint(plain, labels, ()), "the same digits in white on black",
        {"train": theirs, "validation": split.validation, "test": split.test}, labels=labels,
    )  # fmt: skip
    data = Data(
        NAME, neon, labels, tuple(str(digit) for digit in range(10)), replace(split, train=ours), found.licence,
        found.source, ("No digit is in both training sides; those held out are the same on both.",),
    )  # fmt: skip
    return with_sources(data, sources)


def _masks(images: np.ndarray, shape: Shape) -> np.ndarray:
    """How much ink each pixel has, float32 [n, H, W] in [0, 1]."""
    size = shape[1], shape[0]
    scaled = [np.asarray(Image.fromarray(pixels[..., 0]).resize(size, Resampling.BICUBIC)) for pixels in images]
    return np.stack(scaled).astype(np.float32) / 255


def _neon(masks: np.ndarray) -> np.ndarray:
    """Tubes of light that glow on a woven ground, uint8 [n, H, W, 3]."""
    unit = masks.shape[1] / SIDE
    glow = np.clip(1.2 * gaussian_filter(masks, (0, 2.2 * unit, 2.2 * unit)), 0, 1)[..., None]
    core = np.clip(masks * 1.6 - 0.5, 0, 1)[..., None]
    draws = [np.random.default_rng(np.random.SeedSequence([KEY, index])).random(5) for index in range(len(masks))]
    tube_hue, ground_hue, angle, phase, light = np.array(draws).T
    colour = np.array([hsv_to_rgb(0.45 + 0.5 * hue, 0.9, 1.0) for hue in tube_hue])[:, None, None]
    earth = zip(0.02 + 0.12 * ground_hue, 0.3 + 0.2 * light, strict=True)
    ground = np.array([hsv_to_rgb(hue, 0.55, value) for hue, value in earth])
    weave = 0.65 + 0.35 * _weave(masks.shape, angle, phase, unit)[..., None]
    picture = ground[:, None, None] * weave * (1 - 0.6 * glow) + 0.75 * glow * colour
    picture = picture * (1 - core) + core * (0.45 * colour + 0.55)
    return np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def _weave(shape: tuple[int, ...], angle: np.ndarray, phase: np.ndarray, unit: float) -> np.ndarray:
    """Crossing stripes in [-1, 1], turned and shifted: [n, H, W]."""
    y, x = np.mgrid[: shape[1], : shape[2]] / unit
    turn = (angle * np.pi / 2)[:, None, None]
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    shift = 2 * np.pi * phase[:, None, None]
    woven: np.ndarray = np.sin(1.4 * along + shift) * np.sin(1.4 * across + shift)
    return woven


__all__ = ["NAME", "digits_styles"]
