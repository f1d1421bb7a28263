"""What a set is, in 64 letters: the same on every machine, another when anything that trains changes."""

import hashlib
from collections.abc import Sequence

import numpy as np

from elegan.data.decoding import parallel
from elegan.data.found import EncodedFile

READ = 256
"""So many files are read for the fingerprint of images that are not in memory."""


def fingerprint(items: np.ndarray, labels: np.ndarray | None, classes: Sequence[str]) -> str:
    """SHA-256 over all that the items are and how they are labelled."""
    digest = hashlib.sha256(f"{items.dtype.name} {items.shape} {list(classes)!r}".encode())
    digest.update(np.ascontiguousarray(items, items.dtype.newbyteorder("<")).data)
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, "<i8").data)
    return digest.hexdigest()


def fingerprint_of_files(
    files: Sequence[EncodedFile],
    kept: np.ndarray,
    shape: Sequence[int],
    labels: np.ndarray | None,
    classes: Sequence[str],
) -> str:
    """SHA-256 over the names and lengths of the files that are kept, their labels, and the content of 256 of them.

    For sets too large to be read at each start; a changed picture of the same length may go unnoticed.
    """
    digest = hashlib.sha256(f"files {tuple(shape)} {list(classes)!r}".encode())
    for row in kept:
        file = files[int(row)]
        digest.update(f"{file.name}\0{_length(file)}\0".encode("utf-8", "surrogatepass"))
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, "<i8").data)
    chosen = kept[np.unique(np.linspace(0, len(kept) - 1, READ).astype(np.int64))]
    for content in parallel(lambda row: _content(files[int(row)]), chosen):
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _length(file: EncodedFile) -> int:
    try:
        return file.stamp()[0]
    except OSError:
        return -1


def _content(file: EncodedFile) -> bytes:
    try:
        return file.read()
    except Exception:  # a bad file, which is told elsewhere
        return b""
