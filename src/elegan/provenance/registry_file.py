"""The registry's file: SQLite in the user's own folder, readable by the user alone."""

import atexit
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from elegan.errors import UserError
from elegan.provenance.place import home

VERSION = 1
LATER = "it was made by a later version of elegan"
PATIENCE = 10.0
"""Seconds to wait for another process that writes; after it was in vain once, IMPATIENCE until it succeeds again."""
IMPATIENCE = 0.2
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS made (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, run TEXT NOT NULL, model TEXT NOT NULL, weights TEXT,
    seed TEXT, number INTEGER, kind TEXT NOT NULL, identifier TEXT NOT NULL, width INTEGER NOT NULL,
    height INTEGER NOT NULL, file BLOB NOT NULL, pixels BLOB NOT NULL, look BLOB)""",
    "CREATE INDEX IF NOT EXISTS made_by_file ON made (file)",
    "CREATE INDEX IF NOT EXISTS made_by_pixels ON made (pixels)",
    f"PRAGMA user_version = {VERSION}",
)

log = logging.getLogger("elegan")
_failed: set[Path] = set()
"""Registries whose last writing failed: said once, and not waited for."""


def path() -> Path:
    """Where the registry lies; it need not exist."""
    return home() / "registry.sqlite"


@contextmanager
def writing() -> Iterator[sqlite3.Connection]:
    """A transaction that is committed at the end, in a file that is made on first use.

    Raises OSError or sqlite3.Error where it can't be written, :class:`Newer` for a later elegan's.
    """
    file = path()
    with _held.lock:
        try:
            connection = _held.connection_to(file)
            connection.execute(f"PRAGMA busy_timeout = {1000 * (IMPATIENCE if file in _failed else PATIENCE):.0f}")
            _prepare(connection)
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection
        except (OSError, sqlite3.Error):
            _held.release()
            raise


@contextmanager
def reading() -> Iterator[sqlite3.Connection | None]:
    """A connection to read from; None where there is no registry.

    Raises UserError where there is one that can't be read.
    """
    file = path()
    try:
        if not file.exists():
            yield None
            return
        with closing(_readable(file)) as connection:
            yield connection
    except (OSError, sqlite3.Error) as error:
        raise UserError(
            f"The registry {file} can't be read ({reason(error)}); if it is damaged, `elegan forget --all` begins a "
            "new one."
        ) from error


def compact() -> None:
    """Write the file anew without what was removed, and empty the log beside it.

    Raises sqlite3.OperationalError where another process reads, and keeps it from that.
    """
    with closing(_connect(path(), PATIENCE)) as connection:
        for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            answer = connection.execute(statement).fetchall()
        if answer[0][0]:
            raise sqlite3.OperationalError("another process is reading it, so what was removed is still in the file")


def delete() -> None:
    """Remove the registry, and what SQLite keeps beside it."""
    with _held.lock:
        _held.release()
        for suffix in ("", "-wal", "-shm", "-journal"):
            path().with_name(f"{path().name}{suffix}").unlink(missing_ok=True)


def failed(error: Exception) -> None:
    """Say once a process and registry that it isn't written; a warning never stops what is being made."""
    if (file := path()) not in _failed:
        _failed.add(file)
        log.warning(
            "elegan: the registry %s can't be written (%s), so what is made now can't be found again by it.",
            file, reason(error),
        )  # fmt: skip


def succeeded() -> None:
    """The next failure is said again."""
    _failed.discard(path())


def reason(error: Exception) -> str:
    """A few words."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


class Newer(sqlite3.DatabaseError):
    """The registry was made by a later version."""


class _Held:
    """One connection a process, kept open: to close the last one costs SQLite several flushes to the disk."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self.key: tuple[object, ...] = ()
        self.inherited: list[sqlite3.Connection] = []

    def connection_to(self, file: Path) -> sqlite3.Connection:
        """The connection to the file that stands there now, of this process."""
        _make(file)
        found = file.stat()
        key = (os.getpid(), file, found.st_dev, found.st_ino)
        if self.connection is None or self.key != key:
            self.release()
            self.connection, self.key = _connect(file, PATIENCE), key
        return self.connection

    def release(self) -> None:
        """Close it; a forked process only lays down what is its parent's, as SQLite asks."""
        if self.connection is not None and self.key[0] == os.getpid():
            self.connection.close()
        elif self.connection is not None:
            self.inherited.append(self.connection)
        self.connection = None


_held = _Held()
atexit.register(_held.release)


def _make(file: Path) -> None:
    """An empty file 0600 in a folder 0700, whoever comes first; SQLite gives its other files the same rights."""
    if file.exists():
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def _connect(file: Path, patience: float) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=patience, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables once; a write-ahead log lets readers and a writer work at once, where the file system can."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise Newer(LATER)
    if version == VERSION:
        return
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
    except sqlite3.OperationalError:
        log.debug("another process prepares the registry")
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        for statement in SCHEMA:
            connection.execute(statement)


def _readable(file: Path) -> sqlite3.Connection:
    """A connection that answers; where nothing may be written, not even a lock, of the file as it stands."""
    try:
        return _checked(sqlite3.connect(file, timeout=PATIENCE, isolation_level=None))
    except sqlite3.OperationalError:
        where = f"{file.resolve().as_uri()}?mode=ro&immutable=1"
        return _checked(sqlite3.connect(where, uri=True, isolation_level=None))


def _checked(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, closed where it doesn't answer or is of a later version."""
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise Newer(LATER)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
