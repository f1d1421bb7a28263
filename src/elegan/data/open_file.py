"""A file that threads read at any place."""

import os
from pathlib import Path
from threading import Lock


class OpenFile:
    """Open for as long as somebody holds it; a file of the same name that takes its place is not noticed.

    Raises OSError when it can't be opened.
    """

    def __init__(self, path: Path | str) -> None:
        self.descriptor = -1
        self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = Lock()

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes from there on, or fewer where the file ends before.  Raises OSError."""
        if hasattr(os, "pread"):
            return os.pread(self.descriptor, size, offset)
        with self._lock:
            os.lseek(self.descriptor, offset, os.SEEK_SET)
            return os.read(self.descriptor, size)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
