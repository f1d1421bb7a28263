"""Where elegan keeps what it can make again: decoded images and the indices of shards."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARE_OF_DISK = 0.9
"""So much of what is free on a disk may be filled."""


def cache_folder() -> Path:
    """$ELEGAN_CACHE, or elegan in $XDG_CACHE_HOME, or ~/.cache/elegan; it need not exist."""
    if own := os.environ.get("ELEGAN_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "elegan"


def has_room(folder: Path, needed: int) -> bool:
    """Whether so many bytes may be written into a folder, which need not exist yet."""
    place = next((parent for parent in (folder, *folder.parents) if parent.exists()), None)
    if place is None or not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return False
    return needed <= shutil.disk_usage(place).free * SHARE_OF_DISK


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone with ``path`` among the processes of this machine; those who come later wait.  A kill frees it."""
    try:
        import fcntl
    except ImportError:  # Windows: two processes then do the same work, each under a name of its own
        yield
        return
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
