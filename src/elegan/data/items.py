"""The images of a data set, wherever they are: in memory, decoded in one file, or still in files of their own."""

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from elegan.data.decoding import decoded, put
from elegan.data.found import BadFile, EncodedFile, printable
from elegan.data.images import Picture
from elegan.data.open_file import OpenFile
from elegan.errors import UserError


class Items(Protocol):
    """What the rest of elegan may ask of a data set's items; NumPy's arrays answer it too."""

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, H, W, C] for images, [N, D] for vectors."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 for images, float32 for vectors."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """The items at these rows, int64 [n], in memory of their own."""
        ...


class StoredItems:
    """Decoded images in one file, read as they are asked for: uint8 [N, H, W, C].

    By calls rather than a mapping into memory, which would end the process where the file is cut short or its
    disk fails.  The system keeps what it has memory for, once for all processes.
    """

    dtype: np.dtype[Any] = np.dtype(np.uint8)

    def __init__(self, path: str, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._path, self._file = path, OpenFile(path)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        items = np.empty((len(rows), *self.shape[1:]), np.uint8)
        size = items[:1].nbytes
        for row, item in zip(rows, items, strict=True):
            content = self._read(int(row) * size, size)
            item[...] = np.frombuffer(content, np.uint8).reshape(item.shape)
        return items

    def _read(self, offset: int, size: int) -> bytes:
        try:
            content = self._file.read(offset, size)
        except OSError as error:
            raise UserError(self._unreadable(error.strerror or "can't be read")) from error
        if len(content) != size:
            raise UserError(self._unreadable("cut short"))
        return content

    def _unreadable(self, reason: str) -> str:
        return (
            f"The decoded images in {self._path} can't be read any more ({reason}); give the same command again, and "
            "they are made anew."
        )


class LazyItems:
    """Images that are read and decoded each time they are asked for, by a few threads: uint8 [N, H, W, C].

    An image that can't be read raises UserError with its name.  With ``skip_bad`` the next readable one of its
    group stands in for it, whoever asks and whenever, and ``replaced`` says so.
    """

    dtype: np.dtype[Any] = np.dtype(np.uint8)

    def __init__(
        self, files: Sequence[EncodedFile], shape: tuple[int, int, int], source: str, *, skip_bad: bool = False
    ) -> None:
        self.shape = (len(files), *shape)
        self.groups: np.ndarray | None = None
        """int [N]: images of one group may stand in for each other (the same part and class); None: all may."""
        self.replaced: dict[int, BadFile] = {}
        self._files, self._source, self._skip_bad = files, source, skip_bad
        self._workers = min(8, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._workers, "elegan-decode")
        # Pillow warns of odd files one by one, and a filter set for a moment would be set for all threads
        warnings.filterwarnings("ignore", module=r"PIL\.")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        rows = np.asarray(rows, np.int64)
        items = np.empty((len(rows), *self.shape[1:]), np.uint8)

        def fill(places: np.ndarray) -> None:
            for place in places:
                self._read(int(rows[place]), items[place])

        pieces = np.array_split(np.arange(len(rows)), min(len(rows), self._workers) or 1)
        list(self._pool.map(fill, pieces))  # a list raises what a thread raised
        return items

    def _read(self, row: int, item: np.ndarray) -> None:
        picture = decoded(self._files[row], self.shape[1:3])
        if isinstance(picture, BadFile):
            if not self._skip_bad:
                raise UserError(unreadable(picture, self._source))
            self.replaced[row] = picture
            picture = self._next_readable(row)
        put(picture, item)

    def _next_readable(self, row: int) -> Picture:
        groups = self.groups
        members = np.arange(len(self)) if groups is None else np.flatnonzero(groups == groups[row])
        place = int(np.searchsorted(members, row))
        for other in (*members[place + 1 :], *members[:place]):
            picture = decoded(self._files[int(other)], self.shape[1:3])
            if not isinstance(picture, BadFile):
                return picture
        raise UserError(
            f"No image like {self.replaced[row]} in {self._source} can be read, so none can stand in for it; "
            "put the files back and give the same command again."
        )


def unreadable(bad: BadFile, source: str) -> str:
    """What to say of an image that can't be read while it is needed."""
    return (
        f"{bad} in {printable(source)} can't be used; put it right and give the same command again, or start anew "
        "with --skip-bad (skip_bad=True in Python), which puts others in the place of such images."
    )


def rows_of(indices: Any) -> np.ndarray:
    """Indices in any form as int64 [n]."""
    return np.asarray(indices, np.int64).reshape(-1)
