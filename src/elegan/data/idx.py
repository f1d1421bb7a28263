"""The idx format of MNIST and its kin: a big-endian header, then bytes; labels in a file beside the images.

Source: "The MNIST database of handwritten digits", LeCun, Cortes and Burges, file format section.
"""

import gzip
import re
import zlib
from pathlib import Path

import numpy as np

from elegan.data.found import Found
from elegan.data.sizes import refuse_too_large
from elegan.errors import UserError

IMAGES_MAGIC, LABELS_MAGIC = 0x0803, 0x0801
NAME = re.compile(r"images[-.]idx3[-.]ubyte(\.gz)?$|\.idx(\.gz)?$", re.IGNORECASE)


def is_idx(name: str) -> bool:
    """Whether a file's name is that of an idx file of images."""
    return bool(NAME.search(name)) and "labels" not in name.lower()


def idx_file(path: Path) -> Found:
    """The images of one idx file, with the labels beside it where there are any.  Raises UserError."""
    images = _read(path, IMAGES_MAGIC)
    found = Found(path.name.split(".")[0], str(path), images[..., None])
    labels = _labels_beside(path)
    if labels is None:
        found.notes.append("No labels file lies beside the images, so they have no classes.")
        return found
    found.labels = _read(labels, LABELS_MAGIC)
    if len(found.labels) != len(images):
        raise UserError(
            f"{labels} has {len(found.labels):,} labels for {len(images):,} images in {path.name}; "
            "take both files from one download."
        )
    return found


def idx_folder(folder: Path) -> Found | None:
    """The idx files of a folder, or None where there are none; t10k or test images become the test part."""
    files = sorted((path for path in folder.iterdir() if is_idx(path.name)), reverse=True)
    by_name = {path.name.removesuffix(".gz"): path for path in files}  # the plain file where both are there
    test = [path for name, path in sorted(by_name.items()) if re.match(r"t10k|test", name, re.IGNORECASE)]
    train = [path for name, path in sorted(by_name.items()) if path not in test]
    if not by_name:
        return None
    if len(test) > 1 or len(train) > 1:
        example = (train + test)[0]
        raise UserError(f"{folder} holds {len(by_name)} idx files of images; give one, such as {example}.")
    found = [idx_file(path) for path in train + test]
    return _join(folder, *found) if len(found) == 2 else found[0]


def _join(folder: Path, train: Found, test: Found) -> Found:
    first, second = np.asarray(train.images), np.asarray(test.images)
    if first.shape[1:] != second.shape[1:]:
        raise UserError(f"The training and test images in {folder} differ in size; give one of the two.")
    found = Found(folder.resolve().name, str(folder), np.concatenate([first, second]))
    found.parts = np.repeat(["train", "test"], [len(first), len(second)])
    found.notes.append(f"The {len(second):,} test images were kept as the test part.")
    if train.labels is not None and test.labels is not None:
        found.labels = np.concatenate([train.labels, test.labels])
    elif train.labels is not None or test.labels is not None:
        found.notes.append("Only some parts have labels, so the labels were left out.")
    return found


def _labels_beside(path: Path) -> Path | None:
    name = path.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    beside = (path.with_name(name), path.with_name(f"{name}.gz"))
    return next((other for other in beside if other.exists() and other != path), None)


def _read(path: Path, magic: int) -> np.ndarray:
    """The uint8 array of an idx file: [N, H, W] or [N]."""
    rank = magic & 0xFF
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            header = file.read(4 + 4 * rank)
            shape = _shape(path, header, magic)
            refuse_too_large(shape)
            length = int(np.prod(shape))
            content = file.read(length + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is damaged or cut short; copy or download it again.") from error
    if len(content) != length:
        state = "cut short" if len(content) < length else "longer than its header says"
        raise UserError(f"{path} is {state} ({shape[0]:,} items announced); copy or download it again.")
    return np.frombuffer(content, np.uint8).reshape(shape).copy()  # a copy may be written to, as torch asks


def _shape(path: Path, header: bytes, magic: int) -> tuple[int, ...]:
    given = int.from_bytes(header[:4], "big")
    if given != magic:
        what = "images" if magic == IMAGES_MAGIC else "labels"
        raise UserError(
            f"{path} starts with 0x{given:08x} where an idx file of {what} starts with 0x{magic:08x}; "
            "check that it is the right file."
        )
    if len(header) != 4 + 4 * (magic & 0xFF):
        raise UserError(f"{path} is cut short within its header; copy or download it again.")
    shape = tuple(int(side) for side in np.frombuffer(header, ">u4", offset=4))
    if 0 in shape:
        raise UserError(f"{path} announces the empty shape {shape}; check that it is the right file.")
    return shape
