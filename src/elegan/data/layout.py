"""From names of files to labels: class sub-folders, train and test folders, or a table labels.csv."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import PurePosixPath

import numpy as np

from elegan.data.found import TABLE, BadFile, EncodedFile, Found, plural, printable, some
from elegan.data.images import Unreadable
from elegan.errors import UserError

PART_FOLDERS = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation",
    "validation": "validation", "test": "test", "testing": "test",
}  # fmt: skip
SIDE = re.compile(r"(train|val|valid|validation|test)[-_]?([ab])", re.IGNORECASE)
"""A folder of one part of one side of what is to be translated."""
DATA_ENDINGS = (".npz", ".npy", ".zip", ".tar", ".tar.gz", ".tgz")
SURPLUS = "\0"
"""The column of what stands in a table's line beyond the last one; no text holds that name."""
READABLE = "png, jpg, gif, bmp, webp, tiff, avif, ppm, tga, ico, jp2"


def arrange(files: Sequence[EncodedFile], name: str, source: str) -> Found:
    """The images among some files, with labels from labels.csv or else from sub-folders.

    Raises UserError when there is no image among them, or when labels.csv can't be understood.
    """
    tables = sorted((file for file in files if file.is_wanted and not file.is_image), key=_depth)
    images = [file for file in files if file.is_image]
    others = [file.name for file in files if not file.is_wanted]
    if not images:
        raise UserError(_no_images(source, others))
    found = _by_table(images, tables[0], name, source) if tables else _by_folders(images, name, source)
    if others:
        found.notes.append(f"Left alone, for they are no images that can be read: {some(others, 3)}.")
    return found


def _depth(file: EncodedFile) -> tuple[int, str]:
    return file.name.count("/"), file.name


def _no_images(source: str, others: Sequence[str]) -> str:
    if not others:
        return f"{source} is empty; it must hold images ({READABLE})."
    data = [name for name in others if name.lower().endswith(DATA_ENDINGS)]
    way_out = f"give its file {printable(data[0])} itself" if data else f"it must hold {READABLE} files"
    count = plural(len(others), "other file")
    return f"{source} holds no images, only {count} ({some(others, 3)}); {way_out}."


def _by_folders(images: list[EncodedFile], name: str, source: str) -> Found:
    paths = [PurePosixPath(file.name).parts for file in images]
    root = _common_root(paths)
    _refuse_one_side(root, source)
    paths = [path[len(root) :] for path in paths]
    found = Found(name, source, images)
    if _by_sides(found, paths):
        return found
    given = {PART_FOLDERS.get(path[0].lower(), "") if len(path) > 1 else "" for path in paths}
    if "train" in given and len(given) > 1 and "" not in given:
        found.parts = np.array([PART_FOLDERS[path[0].lower()] for path in paths])
        folders = some(sorted({path[0] for path in paths}))
        found.notes.append(f"The folders {folders} were kept as parts of the split.")
        paths = [path[1:] for path in paths]
    in_folders = sum(len(path) > 1 for path in paths)
    if in_folders == len(paths):
        found.labels = np.array([path[0] for path in paths])
    elif in_folders:
        found.notes.append("Images lie in sub-folders and beside them, so folders were not taken as classes.")
    elif root and found.parts is None:
        found.notes.append(f"All images lie in {printable('/'.join(root))}, which was not taken as a class.")
    return found


def _refuse_one_side(root: Sequence[str], source: str) -> None:
    """All images in trainA: the other side was forgotten."""
    if root and (match := SIDE.fullmatch(root[-1])):
        other = root[-1][: -len(match[2])] + {"a": "b", "b": "a", "A": "B", "B": "A"}[match[2]]
        raise UserError(
            f"{printable(source)} holds images in {root[-1]} and none in {other}; put the other side's images there, "
            f"or give {root[-1]} itself as the data."
        )


def _by_sides(found: Found, paths: Sequence[tuple[str, ...]]) -> bool:
    """Whether all images lie in trainA, trainB, testA and the like; then each one's part and side are noted."""
    matches = [SIDE.fullmatch(path[0]) if len(path) > 1 else None for path in paths]
    known = [(PART_FOLDERS[match[1].lower()], match[2].upper()) for match in matches if match]
    if len(known) < len(paths) or not {("train", "A"), ("train", "B")} <= set(known):
        return False
    parts, sides = zip(*known, strict=True)
    found.parts, found.sides = np.array(parts), np.array(sides)
    return True


def _common_root(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    folders = [path[:-1] for path in paths]
    pairs = zip(min(folders), max(folders), strict=False)
    return tuple(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _by_table(images: list[EncodedFile], table: EncodedFile, name: str, source: str) -> Found:
    by_name = {file.name: file for file in images}
    root = PurePosixPath(table.name).parent
    labels = {str(root / file): label for file, label in _read_table(table).items()}
    kept = [file for file in images if file.name in labels]
    found = Found(name, source, kept, labels=np.array([labels[file.name] for file in kept]))
    found.bad = [BadFile(file, f"named in {TABLE} but missing") for file in labels if file not in by_name]
    unnamed = [file.name for file in images if file.name not in labels]
    if unnamed:
        count = plural(len(unnamed), "image")
        found.notes.append(f"{TABLE} doesn't name {count}, which were left out: {some(unnamed)}.")
    return found


def _rows_of(table: EncodedFile, where: str) -> list[dict[str, str | None]]:
    """The table's lines, each as column → cell, columns in lower case."""
    rows = []
    try:
        text = table.read().decode("utf-8-sig")
        if "\0" in text:
            raise Unreadable("no text")
        reader = csv.DictReader(io.StringIO(text, newline=""), restkey=SURPLUS, skipinitialspace=True, strict=True)
        reader.fieldnames = columns = [column.strip().lower() for column in reader.fieldnames or ()]
        for row in reader:
            if any(cell.strip() for cell in row.pop(SURPLUS, None) or ()):
                line = f"{reader.line_num} has more than the {plural(len(columns), 'cell')} of the first"
                raise UserError(f"{where}: line {line}; put quotes around a name that holds commas.")
            rows.append(row)
    except csv.Error as error:
        raise UserError(f"{where} can't be read as a table: {error}; look for a quote that isn't closed.") from error
    except (OSError, UnicodeDecodeError, Unreadable) as error:
        raise UserError(f"{where} can't be read as a table; save it as comma-separated UTF-8.") from error
    return rows


def _read_table(table: EncodedFile) -> dict[str, str]:
    """File (relative to the table) → label; an empty one for an image that has none."""
    where = printable(table.name)
    labels: dict[str, str] = {}
    for row in _rows_of(table, where):
        if "file" not in row or "label" not in row:
            columns = some(str(column) for column in row)
            raise UserError(f'{where} has the columns {columns}; it needs "file" and "label".')
        file = str(PurePosixPath((row["file"] or "").strip().replace("\\", "/")))
        label = (row["label"] or "").strip()
        if labels.setdefault(file, label) != label:
            raise UserError(f"{where} gives {printable(file)} two labels; keep one line for every file.")
    if not labels:
        raise UserError(f'{where} names no files; write "file,label" and a line for every image.')
    if not any(labels.values()):
        raise UserError(f"{where} gives no label to any file; fill in some, or leave the table out.")
    return labels
