"""Data sets of the Hugging Face hub, by the optional package ``datasets``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from elegan.data.found import EncodedFile, Found, check_length, printable, some
from elegan.data.images import Unreadable
from elegan.errors import UserError

PREFIX = "hf:"
PARTS = ["train", "validation", "test"]


def hub_data(data: str) -> Found:
    """The images of ``hf:NAME`` or ``hf:NAME:SPLIT``; without SPLIT its train, validation and test are kept.

    Raises UserError when the package or the network is missing, and for data without an image column.
    """
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            f"{data} needs the package datasets, which isn't installed; run pip install 'elegan[data]'."
        ) from error
    name, _, split = data.removeprefix(PREFIX).partition(":")
    try:
        loaded = datasets.load_dataset(name, split=split or None)
    except Exception as error:  # a network, a server or a loader may fail in any way
        reason = printable(str(error).partition("\n")[0]).rstrip(".")
        raise UserError(
            f"{data} can't be loaded ({type(error).__name__}: {reason}); check the name, the split and the network."
        ) from error
    tables = dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {split: loaded}
    wanted = PARTS if "train" in tables else list(tables)[:1]
    return _found(data, name, {part: tables[part] for part in wanted if part in tables})


def _found(data: str, name: str, tables: Mapping[str, Any]) -> Found:
    import datasets

    features = next(iter(tables.values())).features
    image = _column(features, datasets.Image)
    label = _column(features, datasets.ClassLabel)
    if image is None:
        raise UserError(f"{data} has the columns {some(features)}, and none holds images; name other data.")
    raw = {part: table.cast_column(image, datasets.Image(decode=False)) for part, table in tables.items()}
    files = [_file(table, part, index, image) for part, table in raw.items() for index in range(len(table))]
    found = Found(name.rpartition("/")[2], data, files)
    found.licence = next(iter(tables.values())).info.license or found.licence
    if len(tables) > 1:
        found.parts = np.concatenate([np.full(len(table), part) for part, table in tables.items()])
        found.notes.append(f"The parts {', '.join(tables)} were kept as they came.")
    if label is not None:
        labels = np.concatenate([np.asarray(table[label][:], np.float64) for table in tables.values()])
        if not (labels >= 0).all():
            found.notes.append(f"Some labels in the column {label} are missing, so the labels were left out.")
        else:
            found.labels, found.classes = labels.astype(np.int64), tuple(features[label].names)
    return found


def _column(features: Mapping[str, object], kind: type) -> str | None:
    return next((name for name, feature in features.items() if isinstance(feature, kind)), None)


def _file(table: Any, part: str, index: int, column: str) -> EncodedFile:
    def read() -> bytes:
        cell = table[index][column]
        if cell is None:
            raise Unreadable("missing")
        content = cell["bytes"] or Path(cell["path"]).read_bytes()
        check_length(len(content))
        return bytes(content)

    return EncodedFile(f"{part or 'row'} {index}", read)
