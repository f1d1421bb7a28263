"""From what a source holds to equal images: one size, one number of channels, uint8 [N, H, W, C]."""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from PIL import Image

from elegan.data.found import BadFile, EncodedFile, Found
from elegan.data.images import TRAITS, Picture, Unreadable, decode, fit, measure
from elegan.data.sizes import Shape, default_shape, own_shape, refuse_too_large
from elegan.errors import UserError

T = TypeVar("T")
S = TypeVar("S")


def prepare(found: Found, shape: Shape | None) -> tuple[np.ndarray, np.ndarray]:
    """The items uint8 [N, H, W, C], and which of the found images they are, int64 [N].

    Adds what was done to ``found.notes`` and what can't be used to ``found.bad``.  Raises UserError when no
    image can be read, when they are too small, or when they don't fit into memory.
    """
    if isinstance(found.images, np.ndarray):
        return _from_array(found, found.images, shape), np.arange(len(found.images))
    return _from_files(found, found.images, shape)


def _from_array(found: Found, images: np.ndarray, shape: Shape | None) -> np.ndarray:
    count, height, width, channels = images.shape
    if shape is None and found.default_size:
        shape = (found.default_size, found.default_size)
    if shape is None:
        shape = _said_aloud(found, own_shape((height, width)))
    if channels == 4 and images[..., 3].min() == 255:
        images, channels = images[..., :3], 3
        _tell(found, Counter(opaque=count), count)
    if shape == (height, width):
        return np.ascontiguousarray(images)
    refuse_too_large((count, *shape, channels))
    target = shape
    traits: set[str] = set()
    plain = images[..., 0] if channels == 1 else images
    items = np.stack(list(_parallel(lambda pixels: fit(Image.fromarray(pixels), target, traits), plain)))
    _tell(found, Counter(dict.fromkeys(traits, count)), count)
    return items


def _from_files(found: Found, files: Sequence[EncodedFile], shape: Shape | None) -> tuple[np.ndarray, np.ndarray]:
    with _quiet():
        if shape is None:
            shapes = [answer for answer in _parallel(_measured, files) if answer]
            shape = _said_aloud(found, default_shape(shapes)) if shapes else (1, 1)
        target = shape
        refuse_too_large((len(files), *target, 3))
        results = list(_parallel(lambda file: _decoded(file, target), files))
    found.bad += [result for result in results if isinstance(result, BadFile)]
    pictures = [result for result in results if isinstance(result, Picture)]
    if not pictures:
        raise UserError(f"None of the {len(files):,} images in {found.source} can be read; save them again.")
    kept = np.flatnonzero([isinstance(result, Picture) for result in results])
    return _stack(found, pictures), kept


def _measured(file: EncodedFile) -> Shape | None:
    try:
        return measure(file.read())
    except Exception:  # decoding will say why
        return None


def _decoded(file: EncodedFile, shape: Shape) -> Picture | BadFile:
    try:
        return decode(file.read(), shape)
    except Unreadable as error:
        return BadFile(file.name, str(error))
    except OSError as error:
        return BadFile(file.name, error.strerror or "can't be read")
    except Exception:  # an archive's member or a picture can be damaged in any way
        return BadFile(file.name, "damaged")


def _stack(found: Found, pictures: list[Picture]) -> np.ndarray:
    """All pictures with the channels of the widest."""
    channels = max(picture.pixels.shape[2] for picture in pictures)
    items = np.empty((len(pictures), *pictures[0].pixels.shape[:2], channels), np.uint8)
    for item, picture in zip(items, pictures, strict=True):
        _widen(picture, item)
    _tell(found, Counter(trait for picture in pictures for trait in picture.traits), len(pictures))
    return items


def _widen(picture: Picture, item: np.ndarray) -> None:
    """Write a picture into an item that may have more channels: grey in all colours, alpha opaque."""
    have, want = picture.pixels.shape[2], item.shape[2]
    if have < want:
        picture.traits.add("narrow")
        item[..., 3:] = 255
    item[..., : max(have, min(want, 3))] = picture.pixels


def _said_aloud(found: Found, choice: tuple[Shape, str | None]) -> Shape:
    shape, note = choice
    if note:
        found.notes.append(note)
    return shape


def _tell(found: Found, counts: Counter[str], total: int) -> None:
    for trait, sentence in TRAITS.items():
        if count := counts[trait]:
            whose = f"All {total:,} images" if count == total else f"Of {total:,} images, {count:,}"
            found.notes.append(f"{whose} had {sentence}.")


def _parallel(function: Callable[[S], T], things: Iterable[S]) -> Iterator[T]:
    """Pillow decodes and scales without holding Python's lock, so threads are enough."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        yield from pool.map(function, things)


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of odd files one by one; they are counted and told in notes instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
