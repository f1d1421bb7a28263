"""What a source holds, before its images are made equal."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import overload

import numpy as np

from elegan.data.attributes import Attributes
from elegan.data.images import SUFFIXES, Unreadable

LARGEST_FILE = 256 * 2**20
TABLE = "labels.csv"
LITTER = ("__macosx", "thumbs.db", "desktop.ini")
UNKNOWN_LICENCE = "unknown: yours to check"


Stamp = tuple[int, int | str]
"""A file's length in bytes (0 where nothing knows it), and what changes when its content does: a time, say."""


def no_stamp() -> Stamp:
    """Of a file that is known by its name alone."""
    return 0, 0


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """A file: its name inside its source (with "/") and the way to its bytes, which may raise Unreadable."""

    name: str
    read: Callable[[], bytes]
    stamp: Callable[[], Stamp] = no_stamp
    """May raise OSError."""

    @property
    def is_image(self) -> bool:
        return PurePosixPath(self.name).suffix.lower() in SUFFIXES

    @property
    def is_wanted(self) -> bool:
        """Whether the file is an image or the table of labels."""
        return self.is_image or PurePosixPath(self.name).name.lower() == TABLE


@dataclass(frozen=True)
class BadFile:
    """A file that can't be used, and why in a few words."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{printable(self.name)} ({self.reason})"


@dataclass
class Found:
    """The images of a source, files or uint8 [N, H, W, C], and what came with them."""

    name: str
    source: str
    images: Sequence[EncodedFile] | np.ndarray
    labels: np.ndarray | None = None
    """One a image: text or whole numbers as written, or indices where ``classes`` is given."""
    classes: tuple[str, ...] | None = None
    parts: np.ndarray | None = None
    """The part that each image came with: "train", "validation", "test" or ""."""
    notes: list[str] = field(default_factory=list)
    bad: list[BadFile] = field(default_factory=list)
    licence: str = UNKNOWN_LICENCE
    restriction: str = ""
    """What forbids derivatives, as :class:`elegan.data.licence.Terms` has it."""
    default_size: int | None = None
    attributes: Attributes | None = None
    sides: np.ndarray | None = None
    """"A" or "B" for each image of a folder that holds trainA and trainB."""


class JoinedFiles(Sequence[EncodedFile]):
    """Several tables of files as one list; a file is made by ``file(table, row)`` when it is asked for."""

    def __init__(self, lengths: Iterable[int], file: Callable[[int, int], EncodedFile]) -> None:
        self._first = np.cumsum([0, *lengths])
        self._file = file

    def __len__(self) -> int:
        return int(self._first[-1])

    @overload
    def __getitem__(self, place: int) -> EncodedFile: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[EncodedFile]: ...
    def __getitem__(self, place: int | slice) -> EncodedFile | Sequence[EncodedFile]:
        if isinstance(place, slice):
            return [self[row] for row in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        number = int(np.searchsorted(self._first, place, side="right")) - 1
        return self._file(number, place - int(self._first[number]))


def is_hidden(name: str) -> bool:
    """Whether a file is the litter of an operating system rather than somebody's data."""
    parts = PurePosixPath(name).parts
    return any(part.lower() in LITTER or (part.startswith(".") and part != "..") for part in parts)


def check_length(length: int) -> None:
    """Raise Unreadable for a file too long to be one image."""
    if length > LARGEST_FILE:
        raise Unreadable(f"larger than {LARGEST_FILE // 2**20} MB")


def printable(name: str) -> str:
    """A name with control characters and broken encodings replaced, to stand within a sentence."""
    return "".join(character if character.isprintable() else "?" for character in name)


def some(names: Iterable[object], limit: int = 5) -> str:
    """The first few names, and how many more there are."""
    listed = [printable(str(name)) for name in names]
    more = f" and {len(listed) - limit:,} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def plural(count: int, noun: str) -> str:
    """'1 image', '2,000 images'."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
