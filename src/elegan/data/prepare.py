"""From what a source holds to equal images: one size, one number of channels, uint8 [N, H, W, C], in memory where
they fit, else in one file where a disk has room, else decoded when they are asked for."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from elegan.data.cache import Decoded, decode_once, find_decoded
from elegan.data.cache_folder import cache_folder, has_room
from elegan.data.decoding import decoded, measured, parallel, put, quiet, tell
from elegan.data.found import BadFile, EncodedFile, Found, some
from elegan.data.images import Picture, fit
from elegan.data.items import Items, LazyItems
from elegan.data.sizes import Shape, default_shape, fits_into_memory, own_shape, refuse_too_large
from elegan.errors import UserError

Tier = Literal["memory", "disk", "files"]
"""Where the decoded images are: in memory; in one file on a disk; nowhere, for they are decoded when they are drawn."""
MEASURED, SAMPLE = 100_000, 4_096
"""Of more images than this, a sample is measured."""
LOOKED_AT = 2_000
"""So many images say how many channels all have, where not all are decoded first."""
BATCH = 64
SAMPLE_SEED = 0


@dataclass(frozen=True, eq=False)
class Prepared:
    """Equal images, and what is known of them."""

    items: Items
    kept: np.ndarray
    """Which of the images found they are, int64 [N]."""
    tier: Tier
    copies: int | None = None
    """How many repeat another exactly; None where nobody has counted."""


def prepare(found: Found, shape: Shape | None, *, skip_bad: bool = False, keep: bool = True) -> Prepared:
    """Make the images of a source equal, in the fastest place that has room for them.

    Adds what was done to ``found.notes`` and what can't be used to ``found.bad``.  Without ``keep`` nothing is
    written: what belongs on a disk is decoded when it is asked for.  Raises UserError when no image can
    be read, when they are too small, and when not even a batch of them fits into memory.
    """
    if isinstance(found.images, np.ndarray):
        return Prepared(_from_array(found, found.images, shape), np.arange(len(found.images)), "memory")
    files, asked = found.images, shape
    if not files:
        raise UserError(f"Nothing that is named in {found.source} is there: {some(found.bad)}; mend its labels.csv.")
    known = find_decoded(found, asked)
    shape, note = (_shape_of(known), known.note) if known else choose_shape(files, asked)
    found.notes += [note] if note else []
    refuse_too_large((min(BATCH, len(files)), *shape, 3))
    needed = (len(files), *shape, 3)
    if fits_into_memory(needed):
        return in_memory(found, files, shape)
    if known is None and not has_room(cache_folder(), int(np.prod(needed, dtype=np.float64))):
        return _in_files(found, files, shape, skip_bad, "files")
    if known is None and not keep:
        return _in_files(found, files, shape, skip_bad, "disk")
    return _on_disk(found, known or decode_once(found, files, asked, shape, note))


def _from_array(found: Found, images: np.ndarray, shape: Shape | None) -> np.ndarray:
    count, height, width, channels = images.shape
    if shape is None and found.default_size:
        shape = (found.default_size, found.default_size)
    if shape is None:
        shape, note = own_shape((height, width))
        found.notes += [note] if note else []
    if channels == 4 and images[..., 3].min() == 255:
        images, channels = images[..., :3], 3
        tell(found, Counter(opaque=count), count)
    if shape == (height, width):
        return np.ascontiguousarray(images)
    refuse_too_large((count, *shape, channels))
    target = shape
    traits: set[str] = set()
    plain = images[..., 0] if channels == 1 else images
    items = np.stack(list(parallel(lambda pixels: fit(Image.fromarray(pixels), target, traits), plain)))
    tell(found, Counter(dict.fromkeys(traits, count)), count)
    return items


def choose_shape(files: Sequence[EncodedFile], asked: Shape | None) -> tuple[Shape, str | None]:
    """The size asked for, or one that suits the images, and how it was chosen."""
    if asked is not None:
        return asked, None
    with quiet():
        shapes = [answer for answer in parallel(measured, _sample(files, MEASURED, SAMPLE)) if answer]
    return default_shape(shapes) if shapes else ((1, 1), None)


def _sample(files: Sequence[EncodedFile], most: int, size: int) -> Iterator[EncodedFile]:
    """All files, or a sample of some size where there are more than ``most``."""
    for row in sample_rows(len(files), size if len(files) > most else len(files)):
        yield files[int(row)]


def sample_rows(count: int, size: int) -> np.ndarray:
    """The same rows each time, in their order."""
    generator = np.random.default_rng(SAMPLE_SEED)
    return np.sort(generator.choice(count, min(count, size), replace=False, shuffle=False))


def in_memory(found: Found, files: Sequence[EncodedFile], shape: Shape) -> Prepared:
    """Decode all images, and keep them.  Raises UserError when none can be read."""
    with quiet():
        results = list(parallel(lambda file: decoded(file, shape), files))
    found.bad += [result for result in results if isinstance(result, BadFile)]
    pictures = [result for result in results if isinstance(result, Picture)]
    if not pictures:
        raise UserError(_nothing_readable(found, len(files)))
    kept = np.flatnonzero([isinstance(result, Picture) for result in results])
    items = np.empty((len(pictures), *shape, _widest(pictures)), np.uint8)
    for picture, item in zip(pictures, items, strict=True):
        put(picture, item)
    tell(found, _traits(pictures), len(pictures))
    return Prepared(items, kept, "memory")


def _on_disk(found: Found, known: Decoded) -> Prepared:
    found.bad += known.bad_files()
    tell(found, Counter(known.traits), known.shape[0])
    found.notes.append(
        f"The decoded images need {_gigabytes(known.shape)}, more than a quarter of memory, and are kept in "
        f"{known.path}; delete it when you like, and it is made again."
    )
    return Prepared(known.items(), known.kept(len(found.images)), "disk", known.copies)


def _in_files(found: Found, files: Sequence[EncodedFile], shape: Shape, skip_bad: bool, tier: Tier) -> Prepared:
    """Look at some images for their channels, and leave all where they are."""
    rows = sample_rows(len(files), LOOKED_AT)
    with quiet():
        results = list(parallel(lambda row: _without_pixels(files[int(row)], shape), rows))
    found.bad += [result for result in results if isinstance(result, BadFile)]
    pictures = [result for result in results if isinstance(result, Picture)]
    if not pictures:
        raise UserError(_nothing_readable(found, len(rows)))
    channels = _widest(pictures)
    for picture in pictures:
        picture.traits.update({"narrow"} if picture.pixels.shape[2] < channels else ())
    tell(found, _traits(pictures), len(pictures), "images looked at")
    size = _gigabytes([len(files), *shape, channels])
    if tier == "files":
        found.notes.append(
            f"The decoded images would need {size}, for which neither a quarter of memory nor {cache_folder()} has "
            "room, so each is read and decoded when it is drawn."
        )
    else:
        found.notes.append(f"Training will keep the decoded images, {size}, in {cache_folder()}.")
    items = LazyItems(files, (*shape, channels), found.source, skip_bad=skip_bad)
    return Prepared(items, np.arange(len(files)), tier)


def _without_pixels(file: EncodedFile, shape: Shape) -> Picture | BadFile:
    """A file's picture as a shape alone: thousands of large ones need not fit into memory."""
    picture = decoded(file, shape)
    if isinstance(picture, BadFile):
        return picture
    return Picture(np.broadcast_to(np.uint8(0), picture.pixels.shape), picture.traits)


def _shape_of(known: Decoded) -> Shape:
    return known.shape[1], known.shape[2]


def _widest(pictures: Sequence[Picture]) -> int:
    """The most channels that one of them has."""
    return max(picture.pixels.shape[2] for picture in pictures)


def _traits(pictures: Sequence[Picture]) -> Counter[str]:
    """What was done to how many of them."""
    return Counter(trait for picture in pictures for trait in picture.traits)


def _nothing_readable(found: Found, count: int) -> str:
    return f"None of the {count:,} images in {found.source} can be read; save them again."


def _gigabytes(shape: Sequence[int]) -> str:
    return f"{np.prod(shape, dtype=np.float64) / 1e9:,.1f} GB"
