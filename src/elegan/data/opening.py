"""Any data a user may name, opened by one call."""

from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from elegan.data import builtin
from elegan.data.archive import TAR_ENDINGS, ZIP_ENDINGS, archive_files
from elegan.data.arrays import array_file
from elegan.data.dataset import Data
from elegan.data.folder import folder_files
from elegan.data.found import BadFile, Found, plural, printable, some
from elegan.data.hub import PREFIX, hub_data
from elegan.data.idx import idx_file, idx_folder, is_idx
from elegan.data.images import SUFFIXES
from elegan.data.layout import arrange
from elegan.data.prepare import prepare
from elegan.data.sizes import Size, parse_size
from elegan.data.split import make_split, scarce
from elegan.errors import UserError, nearest

FEWEST = 20


def open_data(data: str, *, size: Size = None, seed: int = 0, skip_bad: bool = False) -> Data:
    """Open built-in data, a folder, an archive, an array file, an idx file or hub data.

    ``data``: "digits", "ring", "grid"; a path; or "hf:NAME[:SPLIT]".  ``size``: a side like 64, or height x
    width like "48x64".  ``seed`` fixes the split, and the points of ring and grid.  With ``skip_bad`` files
    that can't be used are left out and noted.  Raises UserError for whatever can't be used.
    """
    skipped: list[BadFile] = []
    opened = read_data(data, size=size, seed=seed, skipped=skipped if skip_bad else None)
    if not skipped:
        return opened
    note = f"{plural(len(skipped), 'image')} can't be used, left out: {some(skipped)}."
    return replace(opened, notes=(*opened.notes, note))


def read_data(data: str, *, size: Size = None, seed: int = 0, skipped: list[BadFile] | None = None) -> Data:
    """As ``open_data``; a list ``skipped`` receives the files that were left out, even when it raises."""
    shape = parse_size(size)
    if seed < 0:
        raise UserError(f"The seed is {seed}; it must be 0 or more.")
    if data in ("ring", "grid"):
        if shape:
            raise UserError(f"{data} is made of points, which have no size; leave the size out.")
        return builtin.ring(seed) if data == "ring" else builtin.grid(seed)
    found = find(data)
    try:
        items, kept = prepare(found, shape)
    finally:
        if skipped is not None:
            skipped += found.bad
    if found.bad and skipped is None:
        _refuse_bad(found)
    return _assemble(found, items, kept, seed)


def find(data: str) -> Found:
    """What a name or path holds, before its images are decoded."""
    if data == "digits":
        return builtin.digits()
    if data.startswith(PREFIX):
        return hub_data(data)
    path = Path(data).expanduser()
    if not data or not path.exists():
        raise UserError(_missing(data))
    try:
        return _folder(path) if path.is_dir() else _file(path)
    except PermissionError as error:
        raise UserError(f"{error.filename or path} can't be opened; check its permissions.") from error


def _missing(data: str) -> str:
    return (
        f'"{printable(data)}" is neither built-in data ({", ".join(builtin.NAMES)}), nor hub data (hf:NAME), '
        f"nor a file or folder that exists.{nearest(data, builtin.NAMES)}"
    )


def _folder(path: Path) -> Found:
    files = folder_files(path)
    if not any(file.is_image for file in files) and (found := idx_folder(path)):
        return found
    return arrange(files, path.resolve().name, str(path))


def _file(path: Path) -> Found:
    name = path.name.lower()
    if name.endswith((".npz", ".npy")):
        return array_file(path)
    if is_idx(name):
        return idx_file(path)
    if name.endswith((*ZIP_ENDINGS, *TAR_ENDINGS)):
        files, notes = archive_files(path)
        found = arrange(files, path.name.split(".")[0], str(path))
        found.notes += notes
        return found
    if path.suffix.lower() in SUFFIXES:
        raise UserError(f"{path} is a single image; give a folder of at least {FEWEST} images.")
    raise UserError(
        f"{path} is of no known type; give a folder of images, a .zip, .tar or .tar.gz of one, a .npz or "
        ".npy file, or an idx file (…-images-idx3-ubyte)."
    )


def _refuse_bad(found: Found) -> None:
    count = len(found.images) + sum(bad.reason.startswith("named in") for bad in found.bad)
    raise UserError(
        f"{len(found.bad):,} of {plural(count, 'image')} can't be used: {some(found.bad)}; repair or remove "
        "them, or leave them out with --skip-bad (skip_bad=True in Python)."
    )


def _assemble(found: Found, items: np.ndarray, kept: np.ndarray, seed: int) -> Data:
    if len(items) < FEWEST:
        raise UserError(
            f"{found.source} has {plural(len(items), 'usable image')}, and at least {FEWEST} are needed to "
            "train on some and judge by others; add more."
        )
    notes = list(found.notes)
    labels, classes = _number(found, kept, notes)
    numbers = np.zeros(len(items), np.int64) if labels is None else labels
    few = scarce(numbers, classes) if labels is not None else []
    if few:
        notes.append(f"Not in every part of the split, for they have fewer than 3 images: {some(few)}.")
    copies = len(items) - len({blake2b(item.tobytes(), digest_size=16).digest() for item in items})
    if copies:
        notes.append(f"Of {len(items):,} images, {copies:,} repeat another exactly, maybe in another part.")
    parts = None if found.parts is None else found.parts[kept]
    return Data(
        found.name, items, labels, classes, make_split(numbers, seed, parts),
        found.licence, found.source, tuple(notes),
    )  # fmt: skip


def _number(found: Found, kept: np.ndarray, notes: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels as int64 numbers and the classes' names, in the order of numbers where the names are numbers."""
    if found.labels is None:
        return None, ()
    values = found.labels[kept]
    if found.classes is not None:
        return values.astype(np.int64), found.classes
    names = [str(int(v)) if values.dtype.kind in "fiub" else str(v) for v in values]
    order = sorted(set(names), key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))
    if len(order) == 1:
        notes.append(f"All images have the same label, {printable(order[0])}, so they count as unlabelled.")
        return None, ()
    number = {name: index for index, name in enumerate(order)}
    return np.array([number[name] for name in names], np.int64), tuple(order)
