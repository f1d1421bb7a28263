"""The watermark's key: 32 random bytes in a file that its owner alone can read."""

import os
import secrets
import tempfile
from pathlib import Path

from elegan.errors import UserError
from elegan.provenance.place import home

BYTES = 32


def key() -> bytes:
    """This user's key, made on first use in home()/watermark.key; two processes at once get the same one.

    Raises UserError where it can't be read or made, or is damaged; it is never replaced silently.
    """
    found = known_key()
    if found is not None:
        return found
    path = _path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path)
    except OSError as error:
        raise UserError(f"The watermark's key \"{path}\" can't be made: {error.strerror}.") from error
    made = known_key()
    assert made is not None
    return made


def known_key() -> bytes | None:
    """This user's key; None where there is none yet.  Makes nothing.  Raises UserError as ``key`` does."""
    path = _path()
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"The watermark's key \"{path}\" can't be read: {error.strerror}.") from error
    if len(found) != BYTES:
        raise UserError(
            f'The watermark\'s key "{path}" has {len(found)} bytes instead of {BYTES}; restore it from a copy, or '
            "remove it, and marks made with it are no longer found."
        )
    return found


def _path() -> Path:
    return home() / "watermark.key"


def _make(path: Path) -> None:
    """Written whole under another name, readable by its owner alone; whoever links it first has made it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(BYTES))
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


__all__ = ["key", "known_key"]
