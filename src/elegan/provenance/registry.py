"""The registry: what was made here, so that even a stripped 8x8 picture can be found again.

A SQLite file in the user's own folder, which nothing sends anywhere.  It holds no paths and no user's name, only what
:class:`Entry` says and a thumbnail in place of the picture (:mod:`elegan.provenance.likeness`): about 500 bytes a small
picture and 900 a larger one.  A search for likenesses holds the thumbnails in memory, 0.14 kB a picture below 16 pixels
a side and 0.43 kB a larger one: of a million, that is 0.14 or 0.43 GB, and takes a tenth of a second or half a second.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from elegan.errors import UserError
from elegan.provenance import likeness, registry_file
from elegan.provenance.label import Label
from elegan.provenance.likeness import RATIO, SMALL, Gallery, Nearest

COLUMNS = "time, run, model, weights, seed, number, kind, identifier, width, height, file, pixels"
SIDES = (likeness.SMALL, likeness.LARGE)


@dataclass(frozen=True)
class Made:
    """What is to be remembered: a label, a written file's bytes, a picture in it as uint8 [H, W, C], as a reader will
    decode it, and its ``index`` among the samples of one output (the tile of a grid, the file of a folder, the row of
    an array); None for the whole of what isn't one sample, such as the grid itself."""

    label: Label
    content: bytes
    pixels: NDArray[np.uint8]
    index: int | None = None


@dataclass(frozen=True)
class Entry:
    """What the registry knows of one picture."""

    time: str
    """ISO 8601, UTC."""
    run: str
    model: str
    weights_sha256: str | None
    seed: int | None
    index: int | None
    """Its number among the samples of one output; None for the whole of a sheet."""
    kind: str
    """The digital source type, a URI."""
    identifier: str
    width: int
    height: int
    file_sha256: str
    """Of the file as it was written."""
    pixels_sha256: str
    """Of the decoded picture (:func:`pixels_sha256`)."""


@dataclass(frozen=True)
class Match:
    """What was found, and how strong it is as evidence."""

    kind: Literal["file", "pixels", "likeness"]
    """The same bytes; the same picture in another file; a picture that looks like it, which is weaker."""
    entry: Entry
    distance: float = 0.0
    """Of a likeness: the share of contrast, 0 to 1, that the entry leaves unexplained."""
    false_matches: float = 0.0
    """Of a likeness: the share of pictures not made here that are taken for one, of the hardest kind measured."""

    def sentence(self) -> str:
        """The evidence for a person."""
        if self.kind == "file":
            return "The registry holds this very file: it was made here."
        if self.kind == "pixels":
            return "The registry holds this picture, pixel for pixel; the file around it is another one."
        return (
            f"The registry holds a picture that looks like it (distance {self.distance:.2g}); up to "
            f"{self.false_matches:.1%} of pictures not made here do, so this is a hint and no proof."
        )


def remember(entries: Sequence[Made]) -> bool:
    """Write pictures into the registry, all or none.

    Returns False, after one warning in the log "elegan", where it can't be written: damaged, locked for ten seconds,
    full or read-only.  It raises nothing then, for what was made must not depend on it.
    """
    try:
        rows = list(_rows(entries))
        with registry_file.writing() as connection:
            marks = ", ".join("?" * 13)
            connection.executemany(f"INSERT INTO made ({COLUMNS}, look) VALUES ({marks})", rows)
    except (OSError, sqlite3.Error) as error:
        registry_file.failed(error)
        return False
    registry_file.succeeded()
    return True


def find(content: bytes | None, pixels: NDArray[np.uint8] | None) -> Match | None:
    """The strongest match of a file's bytes, or of a picture uint8 [H, W, C]; None where there is none.

    Raises UserError for a registry that is there and can't be read, ValueError for other arrays.
    """
    with registry_file.reading() as connection:
        if connection is None or not _prepared(connection):
            return None
        if content is not None and (entry := _exact(connection, "file", hashlib.sha256(content).digest())):
            return Match("file", entry)
        if pixels is None:
            return None
        if entry := _exact(connection, "pixels", _pixels_hash(pixels)):
            return Match("pixels", entry)
        return _alike(connection, pixels)


def count() -> int:
    """How many pictures the registry holds.  Raises UserError where it can't be read."""
    with registry_file.reading() as connection:
        if connection is None or not _prepared(connection):
            return 0
        return int(connection.execute("SELECT count(*) FROM made").fetchone()[0])


def forget(*, everything: bool = False, run: str | None = None, before: date | str | None = None) -> int:
    """Remove entries for good, and return how many: everything, those of a run by its name, or those made before a
    time (a day begins at midnight here; ISO 8601).

    What is removed is overwritten in the file, which is then written anew without it; blocks that the disk has freed
    are out of reach.  A damaged registry is deleted whole with ``everything``, and its entries aren't counted.  Raises
    UserError where not exactly one is asked for, and where the registry can't be read or written.
    """
    if sum((everything, run is not None, before is not None)) != 1:
        raise UserError("Say what to forget: everything, one run by its name, or what was made before a date.")
    condition, values = "1", list[str]()
    if run is not None:
        condition, values = "run = ?", [run]
    elif before is not None:
        condition, values = "time < ?", [_moment(before)]
    if not registry_file.path().exists():
        return 0
    try:
        return _remove(condition, values)
    except (OSError, sqlite3.Error) as error:
        broken = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        if broken and everything:
            registry_file.delete()
            return 0
        why, file = registry_file.reason(error), registry_file.path()
        way = "`elegan forget --all` begins a new one" if broken else "try again"
        raise UserError(f"The registry {file} can't be cleared ({why}); {way}.") from error


def pixels_sha256(pixels: NDArray[np.uint8]) -> str:
    """The hash of a picture uint8 [H, W, C] whatever holds it: grey as three colours, or opaque with an alpha channel,
    is the same picture."""
    return _pixels_hash(pixels).hex()


def _rows(entries: Sequence[Made]) -> Iterator[tuple[object, ...]]:
    files: dict[int, bytes] = {}
    for made in entries:
        label, (height, width) = made.label, made.pixels.shape[:2]
        if id(made.content) not in files:
            files[id(made.content)] = hashlib.sha256(made.content).digest()
        look = likeness.look(made.pixels, likeness.side_of(height, width))
        yield (
            _moment_of(label), label.run, label.generator.split()[-1] if label.generator else "",
            label.weights_sha256, None if label.seed is None else str(label.seed), made.index,
            label.digital_source_type, label.identifier, width, height, files[id(made.content)],
            _pixels_hash(made.pixels), None if look is None else look.tobytes(),
        )  # fmt: skip


def _pixels_hash(pixels: NDArray[np.uint8]) -> bytes:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        raise ValueError(f"A picture is uint8 [H, W, 1, 3 or 4]; this array is {pixels.dtype} {list(pixels.shape)}.")
    if pixels.shape[2] == 4 and bool((pixels[..., 3] == 255).all()):
        pixels = pixels[..., :3]
    if pixels.shape[2] == 3 and bool((pixels == pixels[..., :1]).all()):
        pixels = pixels[..., :1]
    shape = "x".join(map(str, pixels.shape))
    return hashlib.sha256(f"{shape}:".encode() + np.ascontiguousarray(pixels).tobytes()).digest()


def _prepared(connection: sqlite3.Connection) -> bool:
    """Whether the tables are there: another process may be about to make them."""
    return bool(connection.execute("PRAGMA user_version").fetchone()[0])


def _exact(connection: sqlite3.Connection, column: str, value: bytes) -> Entry | None:
    """The oldest entry, that of a whole sheet before those of its tiles."""
    where = f"SELECT {COLUMNS} FROM made WHERE {column} = ? ORDER BY number IS NOT NULL, id LIMIT 1"
    row = connection.execute(where, (value,)).fetchone()
    return None if row is None else _entry(row)


def _entry(row: Sequence[Any]) -> Entry:
    found = dict(zip((field.name for field in fields(Entry)), row, strict=True))
    found["seed"] = None if found["seed"] is None else int(found["seed"])
    return Entry(**found | {name: found[name].hex() for name in ("file_sha256", "pixels_sha256")})


def _alike(connection: sqlite3.Connection, pixels: NDArray[np.uint8]) -> Match | None:
    """The best likeness among small and large entries."""
    with _cache.lock:
        _cache.update(connection)
        found = [match for side in SIDES if (match := _likeness(connection, pixels, side))]
    return min(found, key=lambda match: match.distance, default=None)


def _likeness(connection: sqlite3.Connection, pixels: NDArray[np.uint8], side: int) -> Match | None:
    gallery, ids = _cache.galleries[side], _cache.ids[side]
    look = likeness.look(pixels, side)
    if look is None or not ids:
        return None
    best, *others = gallery.nearest(look)
    entry = _by_id(connection, ids[best.row])
    if best.distance > likeness.limit(entry.height, entry.width):
        return None
    rival = next((other for other in others if not _same(connection, gallery, ids, best, other, entry)), None)
    if rival is not None and best.distance > RATIO * rival.distance:
        return None
    return Match("likeness", entry, best.distance, likeness.false_matches(entry.height, entry.width))


def _same(
    connection: sqlite3.Connection, gallery: Gallery, ids: list[int], best: Nearest, other: Nearest, entry: Entry
) -> bool:  # fmt: skip
    """Whether another row is the same sample, saved twice perhaps in two formats."""
    if np.array_equal(gallery.looks[best.row], gallery.looks[other.row]):
        return True
    rival = _by_id(connection, ids[other.row])
    sample = (entry.weights_sha256, entry.seed, entry.index)
    return None not in sample and sample == (rival.weights_sha256, rival.seed, rival.index)


def _by_id(connection: sqlite3.Connection, number: int) -> Entry:
    return _entry(connection.execute(f"SELECT {COLUMNS} FROM made WHERE id = ?", (number,)).fetchone())


class _Cache:
    """The thumbnails in memory, brought up to date before every search."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self.file: Path | None = None
        self.last, self.rows = 0, 0
        self.galleries = {side: Gallery(side) for side in SIDES}
        self.ids: dict[int, list[int]] = {side: [] for side in SIDES}

    def update(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN")  # both questions are of one moment
        rows, last = connection.execute("SELECT count(*), coalesce(max(id), 0) FROM made").fetchone()
        known = connection.execute("SELECT count(*) FROM made WHERE id <= ?", (self.last,)).fetchone()[0]
        if self.file != registry_file.path() or known != self.rows:
            self.clear()
        fresh = connection.execute("SELECT id, look FROM made WHERE id > ? AND look IS NOT NULL", (self.last,))
        found: dict[int, list[tuple[int, bytes]]] = {side: [] for side in SIDES}
        for number, look in fresh:
            found[SIDES[len(look) > 2 * SMALL * SMALL]].append((number, look))
        for side, pairs in found.items():
            self.ids[side] += [number for number, _ in pairs]
            self.galleries[side].add([look for _, look in pairs])
        self.file, self.rows, self.last = registry_file.path(), rows, last
        connection.execute("COMMIT")


_cache = _Cache()


def _remove(condition: str, values: Sequence[str]) -> int:
    with registry_file.writing() as connection:
        removed = connection.execute(f"DELETE FROM made WHERE {condition}", values).rowcount
    registry_file.compact()
    with _cache.lock:
        _cache.clear()
    return removed


def _moment_of(label: Label) -> str:
    """When a label says that the file was made; now, where it says nothing of the kind."""
    try:
        return _moment(label.created)
    except UserError:
        return _moment(datetime.now(UTC))


def _moment(time: date | str) -> str:
    """ISO 8601 in UTC, to the second.  Raises UserError for what is no date."""
    try:
        found = datetime.fromisoformat(time if isinstance(time, str) else time.isoformat())
    except ValueError as error:
        raise UserError(f'"{time}" is no date; write it as in 2026-11-21, or 2026-11-21T15:00.') from error
    return found.astimezone(UTC).isoformat(timespec="seconds")


__all__ = ["Entry", "Made", "Match", "count", "find", "forget", "pixels_sha256", "remember"]
