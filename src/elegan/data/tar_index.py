"""Uncompressed tar archives read at any place: an index of every member, and bytes by one call."""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from elegan.data.found import Stamp, check_length
from elegan.data.images import Unreadable
from elegan.data.open_file import OpenFile

OPEN_AT_ONCE = 128
"""So many archives stay open; systems allow about a thousand."""


class DamagedTar(Exception):
    """An archive that is damaged, cut short, or no uncompressed tar."""


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file within an archive, by the place of its bytes."""

    name: str
    offset: int
    size: int


def stamp_of(path: Path) -> Stamp:
    """Length and time of change in ns."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def members(path: Path) -> Iterator[Member]:
    """Every regular file of an uncompressed tar in its order, from the headers alone.

    Raises DamagedTar, also where the archive doesn't end as a tar must; OSError when it can't be opened.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.isreg() and not member.issparse():
                    yield Member(member.name, member.offset_data, member.size)
                vars(archive)["members"] = []  # or all of them stay in memory
            _check_end(archive)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise DamagedTar(str(error)) from error


def _check_end(archive: tarfile.TarFile) -> None:
    """A block of zeros follows the last member: tarfile takes a damaged or missing header for the end."""
    file = archive.fileobj
    assert file is not None
    file.seek(archive.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("no end of archive")


def read_at(path: Path, stamp: Stamp, offset: int, size: int) -> bytes:
    """Bytes of a file that has been the same since it was stamped.  Raises Unreadable or OSError; threads may call."""
    check_length(size)
    opened = _opened(str(path), stamp)
    status = os.fstat(opened.descriptor)
    if (status.st_size, status.st_mtime_ns) != stamp:
        raise Unreadable("the archive has changed since it was opened")
    content = opened.read(offset, size)
    if len(content) != size:
        raise Unreadable("cut short")
    return content


@lru_cache(maxsize=OPEN_AT_ONCE)
def _opened(path: str, stamp: Stamp) -> OpenFile:
    """The stamp is a part of the name: a file that was replaced is opened again."""
    return OpenFile(path)
