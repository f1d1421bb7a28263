"""Data sets of the Hugging Face hub, by the optional package ``datasets``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from elegan.data.found import EncodedFile, Found, JoinedFiles, Stamp, check_length, printable, some
from elegan.data.images import Unreadable
from elegan.data.licence import restriction
from elegan.errors import UserError

PREFIX = "hf:"
PARTS = ["train", "validation", "test"]


def hub_data(data: str) -> Found:
    """The images of ``hf:NAME`` or ``hf:NAME:SPLIT``; without SPLIT its train, validation and test are kept.

    The tables stay on the disk, where the package maps them into memory.  Raises UserError when the package or
    the network is missing, and for data without an image column.
    """
    datasets = needed_package(data)
    name, _, split = data.removeprefix(PREFIX).partition(":")
    loaded = load(data, name, split)
    tables = dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {split: loaded}
    wanted = PARTS if "train" in tables else list(tables)[:1]
    return _found(data, name, {part: tables[part] for part in wanted if part in tables})


def needed_package(data: str) -> Any:
    """The package datasets.  Raises UserError where it isn't installed."""
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            f"{data} needs the package datasets, which isn't installed; run pip install 'elegan[data]'."
        ) from error
    return datasets


def load(data: str, name: str, split: str, **options: Any) -> Any:
    """What the hub has under a name.  Raises UserError."""
    import datasets

    try:
        return datasets.load_dataset(name, split=split or None, **options)
    except Exception as error:  # a network, a server or a loader may fail in any way
        reason = printable(str(error).partition("\n")[0]).rstrip(".")
        raise UserError(
            f"{data} can't be loaded ({type(error).__name__}: {reason}); check the name, the split and the network."
        ) from error


def columns(data: str, features: Mapping[str, object]) -> tuple[str, str | None]:
    """The names of the columns of images and, where there is one, of classes.  Raises UserError."""
    import datasets

    image = _column(features, datasets.Image)
    if image is None:
        raise UserError(f"{data} has the columns {some(features)}, and none holds images; name other data.")
    return image, _column(features, datasets.ClassLabel)


def _found(data: str, name: str, tables: Mapping[str, Any]) -> Found:
    import datasets

    first = next(iter(tables.values()))
    image, label = columns(data, first.features)
    raw = {part: table.cast_column(image, datasets.Image(decode=False)) for part, table in tables.items()}
    found = Found(name.rpartition("/")[2], data, TableFiles(raw, image))
    found.licence = first.info.license or found.licence
    found.restriction = restriction("the hub", found.licence)
    if len(tables) > 1:
        found.parts = np.concatenate([np.full(len(table), part) for part, table in tables.items()])
        found.notes.append(f"The parts {', '.join(tables)} were kept as they came.")
    if label is not None:
        labels = np.concatenate([np.asarray(table[label][:], np.float64) for table in tables.values()])
        if not (labels >= 0).all():
            found.notes.append(f"Some labels in the column {label} are missing, so the labels were left out.")
        else:
            found.labels, found.classes = labels.astype(np.int64), tuple(first.features[label].names)
    return found


def _column(features: Mapping[str, object], kind: type) -> str | None:
    return next((name for name, feature in features.items() if isinstance(feature, kind)), None)


class TableFiles(JoinedFiles):
    """The rows of some tables, each read when it is asked for."""

    def __init__(self, tables: Mapping[str, Any], column: str) -> None:
        parts, rows = list(tables), list(tables.values())
        super().__init__(map(len, rows), lambda number, row: _file(rows[number], parts[number], row, column))


def _file(table: Any, part: str, index: int, column: str) -> EncodedFile:
    def read() -> bytes:
        return content(table[index][column])

    def stamp() -> Stamp:
        return 0, str(table._fingerprint)

    return EncodedFile(f"{part or 'row'} {index}", read, stamp)


def content(cell: Mapping[str, Any] | None) -> bytes:
    """The bytes of an image column's cell.  Raises Unreadable or OSError."""
    if cell is None:
        raise Unreadable("missing")
    encoded = cell["bytes"] or Path(cell["path"]).read_bytes()
    check_length(len(encoded))
    return bytes(encoded)
