"""Arrays of images in .npz and .npy files; no pickled object is ever loaded."""

from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from elegan.data.found import Found, some
from elegan.errors import UserError

STYLES: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (("images", "labels", ""),),
    (("x", "y", ""),),
    (("train_images", "train_labels", "train"), ("val_images", "val_labels", "validation"),
     ("test_images", "test_labels", "test")),
    (("x_train", "y_train", "train"), ("x_val", "y_val", "validation"), ("x_test", "y_test", "test")),
)  # fmt: skip
"""Names of arrays in use: images, labels and the part of the split."""
WANTED = '"images" [N, H, W, C] or [N, H, W] and, where there are classes, "labels" [N]'


def array_file(path: Path) -> Found:
    """The images of a .npz or .npy file, with labels and parts where it has them.

    Raises UserError for files that can't be read, arrays of other shapes or types, and values out of range.
    """
    try:
        with path.open("rb") as stream:  # NumPy leaves its own open when a file is damaged
            groups = _groups(path, np.load(stream, allow_pickle=False))
    except (UserError, PermissionError):
        raise
    except Exception as error:  # a damaged header can make NumPy raise anything
        raise UserError(_unreadable(path, str(error))) from error
    found = _join(path, groups)
    found.images = to_uint8(np.asarray(found.images), str(path), found.notes)
    return found


def _unreadable(path: Path, reason: str) -> str:
    if "Object arrays" in reason:
        return f"{path} holds pickled Python objects, which are not loaded; save plain numbers: {WANTED}."
    return f"{path} is damaged, cut short or no NumPy file; save it again with numpy.savez."


Group = tuple[np.ndarray, np.ndarray | None, str]


def _groups(path: Path, file: np.ndarray | NpzFile) -> list[Group]:
    """A group of arrays for each part of the split; a file without parts is one group."""
    if isinstance(file, np.ndarray):
        return [(file, None, "")]
    for style in STYLES:
        groups = [
            (file[images], file[labels] if labels in file.files else None, part)
            for images, labels, part in style
            if images in file.files
        ]
        if groups:
            return groups
    if len(file.files) == 1:
        return [(file[file.files[0]], None, "")]
    raise UserError(f"{path} holds the arrays {some(file.files) or '(none)'}; name them {WANTED}.")


def _join(path: Path, groups: list[Group]) -> Found:
    for images, labels, _ in groups:
        _check_shape(path, images)
        if labels is not None:
            _check_labels(path, labels, len(images))
    if len({images.shape[1:] for images, _, _ in groups}) > 1:
        shapes = some(str(images.shape) for images, _, _ in groups)
        raise UserError(f"The parts in {path} have the shapes {shapes}; all images must have one shape.")
    found = Found(path.stem, str(path), np.concatenate([images for images, _, _ in groups]))
    labelled = [labels.reshape(-1) for _, labels, _ in groups if labels is not None]
    if len(labelled) == len(groups):
        found.labels = np.concatenate(labelled)
    elif labelled:
        found.notes.append("Only some parts have labels, so the labels were left out.")
    if any(part for _, _, part in groups):
        found.parts = np.concatenate([np.full(len(images), part) for images, _, part in groups])
        found.notes.append(f"The parts {some(part for _, _, part in groups)} were kept as they came.")
    return found


def _check_shape(path: Path, images: np.ndarray) -> None:
    shape = images.shape
    if 0 in shape:
        raise UserError(f"There are no images in {path}: its array has the shape {shape}.")
    if images.ndim == 4 and shape[3] not in (1, 3, 4) and shape[1] in (1, 3, 4):
        raise UserError(
            f"The images in {path} have the shape {shape} with channels first; store them as [N, H, W, C] "
            "(numpy.transpose(images, (0, 2, 3, 1)))."
        )
    if images.ndim not in (3, 4) or (images.ndim == 4 and shape[3] not in (1, 3, 4)):
        raise UserError(
            f"The images in {path} have the shape {shape}; it must be [N, H, W], or [N, H, W, C] with 1, 3 "
            "or 4 channels."
        )


def _check_labels(path: Path, labels: np.ndarray, count: int) -> None:
    if labels.shape not in ((count,), (count, 1)):
        raise UserError(f"The labels in {path} have the shape {labels.shape} for {count:,} images; give one an image.")
    whole = labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.floor(labels)).all()
    if labels.dtype.kind not in "biuUS" and not whole:
        raise UserError(f"The labels in {path} are {labels.dtype}; they must be whole numbers or names.")


def to_uint8(images: np.ndarray, where: str, notes: list[str]) -> np.ndarray:
    """Images of any number type as uint8 [N, H, W, C]; adds to ``notes`` what range was taken for granted.

    Raises UserError for NaN and infinity, for values out of every known range, and for other types.
    """
    images = images[..., None] if images.ndim == 3 else images
    kind = images.dtype.kind
    if images.dtype == np.uint8:
        return images
    if kind == "b":
        return images.astype(np.uint8) * np.uint8(255)
    if kind not in "iuf":
        raise UserError(f"The images in {where} are of type {images.dtype}; they must be uint8 or float.")
    lowest, highest = images.min(), images.max()
    if not np.isfinite([lowest, highest]).all():
        raise UserError(f"The images in {where} hold NaN or infinite values; leave those out.")
    if images.dtype == np.uint16 and highest > 255:
        notes.append("The 16-bit values 0 to 65,535 were scaled to 0 to 255.")
        return np.rint(images / np.float32(257)).astype(np.uint8)
    offset, factor, meant = _range(float(lowest), float(highest), kind == "f", where)
    notes.append(f"Values from {lowest:.4g} to {highest:.4g} were scaled from {meant} to 0 to 255.")
    return np.rint((images + offset) * factor).astype(np.uint8)


def _range(lowest: float, highest: float, floating: bool, where: str) -> tuple[float, float, str]:
    """(offset, factor, name) of the narrowest known range that holds the values."""
    if floating and lowest >= 0 and highest <= 1:
        return 0.0, 255.0, "[0, 1]"
    if floating and lowest >= -1 and highest <= 1:
        return 1.0, 127.5, "[-1, 1]"
    if lowest >= 0 and highest <= 255:
        return 0.0, 1.0, "[0, 255]"
    allowed = "[0, 255], [0, 1] or [-1, 1]" if floating else "[0, 255]"
    raise UserError(f"The images in {where} go from {lowest:.4g} to {highest:.4g}; scale them to {allowed}.")
