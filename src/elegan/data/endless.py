"""Training images in the order in which a source hands them out, shuffled within a window: for sets that no disk holds.

Window k of an epoch holds the images k·W … k·W + W - 1 of the source in an order seeded by [seed, epoch, k].  So the
i-th image of all depends on (seed, i) alone, and a run goes on exactly after the source was skipped to its window.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from elegan.data.ahead import Ahead
from elegan.data.decoding import decoded, parallel, put
from elegan.data.found import BadFile, EncodedFile
from elegan.data.images import Picture
from elegan.data.items import unreadable
from elegan.data.pixels import to_tensor
from elegan.errors import UserError
from elegan.game import Ranks

Key = tuple[int, int]
"""Epoch, and window within it."""
NOWHERE = -1
WINDOW = 4_096
"""Images that are shuffled together; two windows of encoded images are held in memory."""


@dataclass(frozen=True)
class Row:
    """One image of the source, encoded, and its class."""

    file: EncodedFile
    label: int | None


@dataclass(frozen=True)
class Endless:
    """A source without an end in sight."""

    rows: Callable[[int], Iterator[Row]]
    """The training images from this one on, in the same order each time."""
    count: Callable[[], int]
    """How many there are, by going through all of them."""
    shape: tuple[int, int, int]
    """Height, width and channels that all images get."""
    source: str
    skip_bad: bool = False
    replaced: dict[str, BadFile] = field(default_factory=dict)
    """Images, by their name, that can't be read and for which others stood in."""

    def refuse(self, bad: BadFile) -> None:
        """Raise UserError for an image that can't be read, or remember it where others may stand in."""
        if not self.skip_bad:
            raise UserError(unreadable(bad, self.source))
        self.replaced[bad.name] = bad

    def stream(self, *, seed: int, ranks: Ranks) -> Ahead:
        """The training images for one rank, read ahead by a thread."""
        return Ahead(WindowStream(self, seed=seed, ranks=ranks))


class WindowStream:
    """A stream whose place is one number, over a source that is read from its start to its end again and again."""

    def __init__(self, source: Endless, *, seed: int, ranks: Ranks) -> None:
        self.position, self.ranks = 0, ranks
        self._source, self._seed = source, seed
        self._total: int | None = None  # known once the end has been seen
        self._windows: dict[Key, list[Row]] = {}
        self._filling: tuple[Key, list[Row]] = ((0, 0), [])
        self._reader: tuple[int, Iterator[Row]] = (0, source.rows(0))

    def at(self, position: int, n: int) -> Mapping[str, Tensor]:
        """The n items of this rank from the whole batch that begins at ``position``; one thread at a time may ask."""
        start = position + self.ranks.rank * n
        places = [self._find(place) for place in range(start, start + n)]
        chosen = list(parallel(lambda place: self._picture(*place), places))
        items = np.empty((n, *self._source.shape), np.uint8)
        for (picture, _), item in zip(chosen, items, strict=True):
            put(picture, item)
        self._read_on(position, position + n * self.ranks.size)
        batch = {"real": to_tensor(items)}
        if n and chosen[0][1] is not None:
            batch["label"] = torch.tensor([label for _, label in chosen])
        return batch

    def _locate(self, place: int) -> tuple[Key, int]:
        """The window that holds a place, as far as the length of an epoch is known, and the place within it."""
        epoch, offset = divmod(place, self._total) if self._total else (0, place)
        return (epoch, offset // WINDOW), offset % WINDOW

    def _find(self, place: int) -> tuple[list[Row], int]:
        while True:
            key, within = self._locate(place)
            rows = self._whole(key)
            if within < len(rows):
                return rows, within
            # behind the end, which is known now

    def _whole(self, key: Key) -> list[Row]:
        """All rows of a window, shuffled."""
        if key not in self._windows:
            rows = self._fill(key, WINDOW)
            if len(rows) < WINDOW:
                self._total = self._length_of_epoch(key[1], len(rows))
            generator = np.random.default_rng(np.random.SeedSequence([self._seed, *key]))
            self._windows[key] = [rows[place] for place in generator.permutation(len(rows))]
        return self._windows[key]

    def _fill(self, key: Key, wanted: int) -> list[Row]:
        """Read a window on until it holds so many rows or the source ends."""
        rows = self._filling[1] if self._filling[0] == key else []
        start = key[1] * WINDOW + len(rows)
        place, reader = self._reader
        if place != start:
            reader = self._source.rows(start)
        self._reader = NOWHERE, reader  # one that breaks off is not read on
        new = list(islice(reader, max(0, wanted - len(rows))))
        self._reader, self._filling = (start + len(new), reader), (key, rows + new)
        return rows + new

    def _length_of_epoch(self, window: int, rows: int) -> int:
        total = window * WINDOW + rows if rows or not window else self._source.count()
        if not total:
            raise UserError(f"{self._source.source} has no images to train on; check that it is all there.")
        return total

    def _read_on(self, start: int, stop: int) -> None:
        """Forget the windows before a batch, and read as large a share of the next as is used of this one."""
        first = self._locate(start)[0]
        self._windows = {key: rows for key, rows in self._windows.items() if key >= first}
        key, within = self._locate(stop)
        if key not in self._windows:
            return
        epoch, window = key
        last = self._total is not None and (window + 1) * WINDOW >= self._total
        following = (epoch + 1, 0) if last else (epoch, window + 1)
        if following not in self._windows:
            self._fill(following, WINDOW * within // len(self._windows[key]))

    def _picture(self, rows: list[Row], place: int) -> tuple[Picture, int | None]:
        """The image at a place of a window; the next readable one of its class where that is asked for."""
        wanted = rows[place]
        for row in (*rows[place:], *rows[:place]):
            picture = decoded(row.file, self._source.shape[:2]) if row.label == wanted.label else None
            if isinstance(picture, Picture):
                return picture, row.label
            if isinstance(picture, BadFile):
                self._source.refuse(picture)
        raise UserError(
            f"No image near {wanted.file.name} in {self._source.source} can be read; check that all are there."
        )
