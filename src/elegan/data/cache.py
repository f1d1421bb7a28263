"""Images decoded once into one large file, for sets that memory can't hold."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL

from elegan.data.cache_folder import cache_folder, locked
from elegan.data.decoding import decoded, parallel, put, quiet
from elegan.data.found import BadFile, EncodedFile, Found
from elegan.data.images import Picture
from elegan.data.items import StoredItems
from elegan.data.sizes import Shape
from elegan.errors import UserError
from elegan.files import write_atomically
from elegan.progress import reported

VERSION = 1
BLOCK = 2**24
"""Bytes that share a checksum, about."""
LOOKED_AT = 64
"""So many checksums are proved each time a cache is opened: all of those of 1 GB, a sample of larger ones."""
MOST_AT_ONCE, BYTES_AT_ONCE = 2_048, 2**28


@dataclass(frozen=True)
class Decoded:
    """What stands beside the pixels, in a JSON file of its own that is written last."""

    path: str
    identity: str
    """Hash of the source's names, lengths and times, of Pillow's version and of this format's."""
    source: str
    shape: list[int]
    """[N, H, W, C]."""
    note: str | None
    """How the size was chosen, where it was."""
    bad: list[tuple[int, str, str]]
    """Row, name and reason of each image that can't be used; the rows of all others are in the file, in order."""
    traits: dict[str, int]
    copies: int
    """How many images repeat another exactly."""
    blocks: list[str]
    """A checksum for every block of rows."""

    def items(self) -> StoredItems:
        """uint8 [N, H, W, C], read from the disk as they are used."""
        return StoredItems(self.path, tuple(self.shape))

    def kept(self, found: int) -> np.ndarray:
        """Which of the images found these are, int64 [N]."""
        return np.setdiff1d(np.arange(found), np.array([row for row, _, _ in self.bad], np.int64))

    def bad_files(self) -> list[BadFile]:
        return [BadFile(name, reason) for _, name, reason in self.bad]


def find_decoded(found: Found, asked: Shape | None) -> Decoded | None:
    """The images of this source at this size, where they were decoded before; None when anything has changed since,
    or the file is cut short or damaged."""
    record = _place(found, asked).with_suffix(".json")
    if not record.is_file():
        return None
    try:
        known = Decoded(**json.loads(record.read_text(encoding="utf-8")))
        whole = known.identity == identity(found) and Path(known.path).stat().st_size == prod(known.shape)
        return known if whole and _is_sound(known) else None
    except (OSError, ValueError, TypeError):
        return None


def decode_once(
    found: Found, files: Sequence[EncodedFile], asked: Shape | None, shape: Shape, note: str | None
) -> Decoded:
    """Decode all images into the cache folder, a few at a time, and return what is there now.

    Other processes that want the same wait and take it.  Raises UserError when no image can be read, and when
    the disk is full; nothing half-written is left then.
    """
    pixels = _place(found, asked)
    try:
        pixels.parent.mkdir(parents=True, exist_ok=True)
        with locked(pixels.with_suffix(".lock")):
            return find_decoded(found, asked) or _decode_all(found, files, pixels, shape, note)
    except OSError as error:
        raise UserError(
            f"The decoded images of {found.source} can't be written to {pixels.parent} ({error.strerror}); free some "
            "space, set ELEGAN_CACHE to a folder with more of it, or give a smaller size."
        ) from error


def _decode_all(found: Found, files: Sequence[EncodedFile], pixels: Path, shape: Shape, note: str | None) -> Decoded:
    _remove_scraps(pixels)
    temporary = pixels.with_name(f".{pixels.stem}.{os.getpid()}.tmp")
    try:
        with temporary.open("w+b") as file:
            rows = _Rows(file)
            bad = _write_all(rows, files, shape)
            if not rows.count:
                raise UserError(f"None of the {len(files):,} images in {found.source} can be read; save them again.")
            file.flush()
            os.fsync(file.fileno())
        final = [rows.count, *shape, rows.channels]
        copies, blocks = _survey(temporary, final)
        made = Decoded(
            str(pixels), identity(found), found.source, final, note, bad, dict(rows.traits), copies, blocks
        )  # fmt: skip
        temporary.replace(pixels)
    finally:
        temporary.unlink(missing_ok=True)
    write_atomically(pixels.with_suffix(".json"), json.dumps(asdict(made)).encode())
    return made


def _write_all(rows: "_Rows", files: Sequence[EncodedFile], shape: Shape) -> list[tuple[int, str, str]]:
    bad = []
    step = max(16, min(MOST_AT_ONCE, BYTES_AT_ONCE // (shape[0] * shape[1] * 4)))
    starts = range(0, len(files), step)
    for start in reported(starts, len(files), "Decoding images:", lambda start: min(step, len(files) - start)):
        with quiet():
            results = list(parallel(lambda file: decoded(file, shape), files[start : start + step]))
        rows.append([result for result in results if isinstance(result, Picture)])
        bad += [(start + i, one.name, one.reason) for i, one in enumerate(results) if isinstance(one, BadFile)]
    return bad


class _Rows:
    """Pictures written one after the other; those there already are widened when one of more channels comes."""

    def __init__(self, file: BinaryIO) -> None:
        self.count, self.channels = 0, 0
        self.traits: Counter[str] = Counter()
        self._file = file

    def append(self, pictures: list[Picture]) -> None:
        if not pictures:
            return
        sides = pictures[0].pixels.shape[:2]
        widest = max(picture.pixels.shape[2] for picture in pictures)
        if widest > self.channels:
            self._widen(sides, widest)
        items = np.empty((len(pictures), *sides, self.channels), np.uint8)
        for picture, item in zip(pictures, items, strict=True):
            put(picture, item)
            self.traits.update(picture.traits)
        self._file.write(items.data)
        self.count += len(items)

    def _widen(self, sides: tuple[int, ...], channels: int) -> None:
        """In place, from the last row to the first: a wider row never covers a narrower one that is still to move."""
        before, self.channels = self.channels, channels
        area = sides[0] * sides[1]
        step = max(1, BLOCK // (area * channels))
        for start in reversed(range(0, self.count, step)):
            n = min(step, self.count - start)
            self._file.seek(start * area * before)
            narrow = np.frombuffer(self._file.read(n * area * before), np.uint8).reshape(n, *sides, before)
            wide = np.empty((n, *sides, channels), np.uint8)
            for pixels, item in zip(narrow, wide, strict=True):
                put(Picture(pixels), item)
            self._file.seek(start * area * channels)
            self._file.write(wide.data)
        self.traits["narrow"] = self.count if before else 0
        self._file.seek(0, os.SEEK_END)


def _survey(pixels: Path, shape: Sequence[int]) -> tuple[int, list[str]]:
    """How many items repeat another, and a checksum for each block of rows."""
    seen: set[bytes] = set()
    blocks = []
    for number in range(_count_blocks(shape)):
        block = _block(pixels, shape, number)
        seen.update(blake2b(item, digest_size=16).digest() for item in block)
        blocks.append(_checksum(block))
    return shape[0] - len(seen), blocks


def _is_sound(known: Decoded) -> bool:
    count = _count_blocks(known.shape)
    chosen = np.unique(np.linspace(0, count - 1, LOOKED_AT).astype(np.int64))
    return len(known.blocks) == count and all(
        _checksum(_block(Path(known.path), known.shape, int(number))) == known.blocks[number] for number in chosen
    )


def _rows_in_block(shape: Sequence[int]) -> int:
    return max(1, BLOCK // prod(shape[1:]))


def _count_blocks(shape: Sequence[int]) -> int:
    return -(-shape[0] // _rows_in_block(shape))


def _block(pixels: Path, shape: Sequence[int], number: int) -> np.ndarray:
    """Rows [n, H * W * C] of a file of pixels."""
    rows, size = _rows_in_block(shape), prod(shape[1:])
    return np.fromfile(pixels, np.uint8, rows * size, offset=number * rows * size).reshape(-1, size)


def _checksum(block: np.ndarray) -> str:
    return blake2b(block.data, digest_size=16).hexdigest()


def identity(found: Found) -> str:
    """What changes when the source's files do: a hash of their names, lengths and times.  Raises OSError."""
    digest = blake2b(f"{VERSION} {PIL.__version__}".encode(), digest_size=16)
    for file in found.images:
        digest.update(repr((file.name, *_stamp(file))).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _stamp(file: EncodedFile) -> tuple[int, int | str]:
    try:
        return file.stamp()
    except OSError:  # gone, which decoding will say
        return -1, 0


def _place(found: Found, asked: Shape | None) -> Path:
    """One file for a source and a size: when the source changes, the new one takes the old one's place."""
    source = Path(found.source)
    name = str(source.resolve()) if source.exists() else found.source
    key = blake2b(repr((name, asked)).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return cache_folder() / "decoded" / f"{key}.pixels"


def _remove_scraps(pixels: Path) -> None:
    """What a process left behind when it was killed; whoever holds the lock is the only one who writes."""
    for scrap in pixels.parent.glob(f".{pixels.stem}.*.tmp"):
        with suppress(OSError):
            scrap.unlink()
