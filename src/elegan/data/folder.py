"""The files of a folder, in the order of their names."""

import os
from pathlib import Path

from elegan.data.found import EncodedFile, Stamp, check_length, is_hidden
from elegan.errors import UserError


def folder_files(folder: Path) -> list[EncodedFile]:
    """Every visible file under a folder; links to folders are not followed, and pipes and devices are no files.

    Raises UserError when the folder or one below it may not be listed.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"The folder {error.filename} can't be listed ({error.strerror}); check its rights.")

    names = [
        (Path(root) / name).relative_to(folder).as_posix()
        for root, _, names in os.walk(folder, onerror=refuse)
        for name in names
    ]
    return [_file(folder, name) for name in sorted(names) if not is_hidden(name) and not _is_special(folder / name)]


def _is_special(path: Path) -> bool:
    """A pipe, say, which would be waited for; a broken link stays, to be named as a bad file."""
    return path.exists() and not path.is_file()


def _file(folder: Path, name: str) -> EncodedFile:
    def read() -> bytes:
        path = folder / name
        check_length(path.stat().st_size)
        return path.read_bytes()

    def stamp() -> Stamp:
        status = (folder / name).stat()
        return status.st_size, status.st_mtime_ns

    return EncodedFile(name, read, stamp)
