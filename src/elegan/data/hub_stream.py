"""``hf-stream:NAME``: training straight from the Hugging Face hub, without a copy of the set on the disk."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

from elegan.data.dataset import Data, Split
from elegan.data.endless import Endless, Row
from elegan.data.found import UNKNOWN_LICENCE, BadFile, EncodedFile, Found, plural, printable
from elegan.data.hub import columns, content, load, needed_package
from elegan.data.licence import restriction
from elegan.data.prepare import choose_shape, in_memory
from elegan.data.sizes import Shape, refuse_too_large
from elegan.errors import UserError

PREFIX = "hf-stream:"
HELD = 2_000
"""So many of the first images are held out for validation, and as many for the test."""
SEEN = 5_000
"""So many of the first training images stay in memory, for what compares with training images."""
FEWEST = 1_000


class HubRows:
    """The rows of a streamed set, in its own order, from any one on."""

    def __init__(self, data: str) -> None:
        self.data, datasets = data, needed_package(data)
        name, _, split = data.removeprefix(PREFIX).partition(":")
        table = load(data, name, split or "train", streaming=True)
        features = table.features or {}
        self.image, self.label = columns(data, features)
        self.classes = tuple(features[self.label].names) if self.label else ()
        self.licence, self.name = table.info.license, name.rpartition("/")[2]
        self._table: Any = table.cast_column(self.image, datasets.Image(decode=False))

    def start(self, first: int) -> Iterator[Row]:
        """The rows from number ``first`` on."""
        for number, row in self._numbered(first):
            label = row[self.label] if self.label else None
            if self.label and (label is None or label < 0):
                raise UserError(f"Row {number} of {self.data} has no label, and a stream can't leave it out; give hf:.")
            yield Row(_file(number, row[self.image]), label)

    def _numbered(self, first: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        number = first
        try:
            for row in self._table.skip(first) if first else self._table:
                yield number, row
                number += 1
        except Exception as error:  # a network, a server or a file may fail in any way
            reason = printable(str(error).partition("\n")[0]).rstrip(".")
            raise UserError(
                f"{self.data} broke off at row {number:,} ({type(error).__name__}: {reason}); give the same command "
                "again to go on."
            ) from error

    def count(self) -> int:
        """How many rows there are, by going through all."""
        return sum(1 for _ in self._numbered(0))


def hub_stream(data: str, shape: Shape | None, skipped: list[BadFile] | None) -> Data:
    """Hold out the first images, alternately for validation and test, and train on all that come after.

    Raises UserError when the package or the network is missing, and for sets too small to be streamed.
    """
    rows = HubRows(data)
    first = list(islice(rows.start(0), 2 * HELD + SEEN))
    if len(first) < 2 * HELD + FEWEST:
        raise UserError(
            f"{data} has {plural(len(first), 'image')}, and streaming needs {2 * HELD + FEWEST:,} or more; give "
            f"hf:{data.removeprefix(PREFIX)}, which keeps all of them."
        )
    found = Found(rows.name, data, [row.file for row in first], licence=rows.licence or UNKNOWN_LICENCE)
    shape, note = choose_shape(list(found.images), shape)
    refuse_too_large((len(first), *shape, 3))
    prepared = in_memory(found, list(found.images), shape)
    items, kept = np.asarray(prepared.items), prepared.kept
    if found.bad and skipped is None:
        raise UserError(f"{found.bad[0]} in {data} can't be used; leave such out with --skip-bad (skip_bad=True).")
    if skipped is not None:
        skipped += found.bad
    labels = np.array([first[row].label for row in kept], np.int64) if rows.label else None

    def training_rows(start: int) -> Iterator[Row]:
        return rows.start(2 * HELD + start)

    def count() -> int:
        return rows.count() - 2 * HELD

    sides = (*shape, items.shape[3])
    endless = Endless(training_rows, count, sides, data, skip_bad=skipped is not None)
    notes = [*found.notes, *([note] if note else []), _how_it_is_read()]
    return Data(
        found.name, items, labels, rows.classes, _split(kept), found.licence, data, tuple(notes),
        tier="stream", endless=endless, restriction=restriction("the hub", found.licence),
    )  # fmt: skip


def _file(number: int, cell: Mapping[str, Any] | None) -> EncodedFile:
    return EncodedFile(f"row {number}", lambda: content(cell))


def _split(kept: np.ndarray) -> Split:
    """The parts of the first images: held out in turn, so that both see the same stretch of the stream."""
    held = kept < 2 * HELD
    rows = np.arange(len(kept))
    return Split(rows[~held], rows[held & (kept % 2 == 0)], rows[held & (kept % 2 == 1)])


def _how_it_is_read() -> str:
    return (
        f"The first {2 * HELD:,} images are held out for validation and test, and training reads all others in their "
        "order, shuffled a few thousand at a time: a set sorted by class is better copied first, by hf:."
    )
