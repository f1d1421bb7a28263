"""From encoded files to pixels, many at once; what can't be read is told apart from what can."""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import numpy as np
from PIL import Image

from elegan.data.found import BadFile, EncodedFile, Found
from elegan.data.images import TRAITS, Picture, Unreadable, decode, measure
from elegan.data.sizes import Shape

T = TypeVar("T")
S = TypeVar("S")
CHUNK = 16


def measured(file: EncodedFile) -> Shape | None:
    """Height and width of a file's image; None where it can't be read, for decoding will say why."""
    try:
        return measure(file.read())
    except Exception:
        return None


def decoded(file: EncodedFile, shape: Shape) -> Picture | BadFile:
    """A file's image in (height, width), or why there is none."""
    try:
        return decode(file.read(), shape)
    except Unreadable as error:
        return BadFile(file.name, str(error))
    except OSError as error:
        return BadFile(file.name, error.strerror or "can't be read")
    except Exception:  # an archive's member or a picture can be damaged in any way
        return BadFile(file.name, "damaged")


def put(picture: Picture, item: np.ndarray) -> None:
    """Write a picture into an item [H, W, C] of more channels (grey in all colours, opaque) or fewer."""
    pixels, want = picture.pixels, item.shape[2]
    have = pixels.shape[2]
    if have < want:
        picture.traits.add("narrow")
        item[..., 3:] = 255
    elif have > want:
        pixels = pixels[..., :3]
        if want == 1:
            pixels = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L"))[..., None]
    item[..., : max(min(have, want), min(want, 3))] = pixels


def tell(found: Found, counts: Counter[str], total: int, whose: str = "images") -> None:
    """Say in the notes what was done to how many images."""
    for trait, sentence in TRAITS.items():
        if count := counts[trait]:
            who = f"All {total:,} {whose}" if count == total else f"Of {total:,} {whose}, {count:,}"
            found.notes.append(f"{who} had {sentence}.")


def parallel(function: Callable[[S], T], things: Iterable[S]) -> Iterator[T]:
    """Pillow decodes and scales without holding Python's lock, so threads are enough; a task is CHUNK things."""
    everything = iter(things)
    chunks = iter(lambda: list(islice(everything, CHUNK)), [])
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for results in pool.map(lambda chunk: [function(thing) for thing in chunk], chunks):
            yield from results


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow warns of odd files one by one; they are counted and told in notes instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
