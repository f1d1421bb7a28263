"""Anybody's samples, brought the way that the data came: the same 8 bits, the same cut and scaling."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile
from torch import Tensor

from elegan.data import Data
from elegan.data.arrays import to_uint8
from elegan.data.decoding import measured, parallel, quiet
from elegan.data.found import Found, plural, some
from elegan.data.opening import find
from elegan.data.prepare import prepare
from elegan.data.sizes import SMALLEST, Shape
from elegan.errors import UserError
from elegan.evaluation.health import LARGEST, measurable
from elegan.verbs.in_memory import as_files, collected, what

MOST = 10_000
"""So many samples are judged where nobody says how many."""
VECTORS = ("images", "samples", "x")
"""Names that vectors have in a .npz file."""
Source = str | PathLike[str] | np.ndarray | Tensor | Sequence[object]


@dataclass(frozen=True)
class Foreign:
    """Samples of items uint8 [n, H, W, C] or vectors float32 [n, D], and the labels that each was made for, if known.

    ``given`` says how many there were before some were chosen.
    """

    name: str
    source: str
    items: np.ndarray
    labels: np.ndarray | None
    given: int
    notes: list[str] = field(default_factory=list)


def open_samples(
    source: Source, data: Data, *, resize: bool, n: int | None = None, seed: int = 0, skip_bad: bool = False
) -> Foreign:
    """Open samples to be judged beside the data: a folder, an archive, a .npz or .npy file, or what
    :func:`elegan.verbs.in_memory.collected` takes.

    Of more than n (10,000) random ones are taken.  Images of another size than the data's are refused, unless
    ``resize``.  Raises UserError for whatever can't be judged.
    """
    if not data.is_image:
        return _vectors(source, data, n, seed)
    found = _find(source)
    count = len(found.images)
    rows = _chosen(count, n, seed)
    labels = None if found.labels is None else found.labels[rows]
    images = found.images[rows] if isinstance(found.images, np.ndarray) else [found.images[int(row)] for row in rows]
    found = replace(found, images=images, labels=labels, parts=None, notes=[*found.notes, *_chosen_note(rows, count)])
    shape = int(data.items.shape[1]), int(data.items.shape[2])
    if not resize:
        _refuse_other_size(found, shape)
    prepared = prepare(found, shape, skip_bad=skip_bad, keep=False)
    _tell_bad(found, len(rows), skip_bad)
    pixels = np.asarray(prepared.items[np.arange(len(prepared.kept))])
    items = _as_channels(pixels, int(data.items.shape[3]), found.notes)
    found.labels = None if found.labels is None else found.labels[prepared.kept]
    return Foreign(found.name, found.source, items, _numbered(found, data.classes), count, found.notes)


def _find(source: Source) -> Found:
    if isinstance(source, str | PathLike):
        try:
            found = find(str(fspath(source)))
        except UserError as error:
            raise UserError(f"The samples can't be opened: {error}") from error
    else:
        found = _find_in_memory(source)
    if not len(found.images):
        raise UserError(_none_in(found.source))
    return found


def _find_in_memory(source: Source) -> Found:
    where, notes = what(source), list[str]()
    held = collected(source, notes)
    if isinstance(held, list):
        return Found("samples", where, as_files(held), notes=notes)
    if not held.size:
        raise UserError(_none_in(where))
    images = held[..., None] if held.ndim == 3 else held
    if images.ndim != 4 or images.shape[3] not in (1, 3, 4):
        raise UserError(
            f"The samples in {where} have the shape {list(held.shape)}; it must be [N, H, W], or [N, H, W, C] with 1, "
            "3 or 4 channels, which a tensor has as [N, C, H, W]."
        )
    return Found("samples", where, to_uint8(images, where, notes), notes=notes)


def _none_in(where: str) -> str:
    return f"There are no samples in {where}; give at least one, and 1,000 for a good judgement."


def _chosen_note(rows: np.ndarray, count: int) -> list[str]:
    return [f"Of {count:,} samples {len(rows):,} random ones are judged."] if len(rows) < count else []


def _tell_bad(found: Found, count: int, skip_bad: bool) -> None:
    """Note the samples that can't be read; raises UserError where they aren't to be left out."""
    if found.bad and not skip_bad:
        raise UserError(
            f"{len(found.bad):,} of {plural(count, 'sample')} can't be read: {some(found.bad)}; repair or remove "
            "them, or leave them out with --skip-bad (skip_bad=True in Python)."
        )
    if found.bad:
        found.notes.append(f"{plural(len(found.bad), 'sample')} can't be read and are left out: {some(found.bad)}.")


def _chosen(count: int, n: int | None, seed: int) -> np.ndarray:
    """Which of the samples are judged, in their order."""
    if n is not None and n > count:
        raise UserError(f"{n:,} samples were asked for with --n, and there are {count:,}; ask for as many or fewer.")
    return np.sort(np.random.default_rng(seed).permutation(count)[: n or MOST])


def _refuse_other_size(found: Found, shape: Shape) -> None:
    """Raise UserError unless all samples have the data's height and width."""
    own = _sizes(found)
    if own <= {shape}:  # where no image can be read, decoding says why
        return
    theirs, ours = " to ".join(_said(size) for size in sorted({min(own), max(own)})), _said(shape)
    side = max(SMALLEST, min(max(max(own)), max(shape)))
    raise UserError(
        f"The samples are {theirs} pixels and the data {ours}; give --size to bring both to one size "
        f"(--size {side}, say)."
    )


def _sizes(found: Found) -> set[Shape]:
    if isinstance(found.images, np.ndarray):
        side = found.default_size
        return {(side, side) if side else (found.images.shape[1], found.images.shape[2])}
    with quiet():
        return {size for size in parallel(measured, found.images) if size}


def _said(shape: Shape) -> str:
    return f"{shape[0]}x{shape[1]}"


def _as_channels(items: np.ndarray, channels: int, notes: list[str]) -> np.ndarray:
    """The same with the data's number of channels; raises UserError where colour or opacity would be lost."""
    have = items.shape[3]
    if have == channels:
        return items
    notes.append(f"The samples have {plural(have, 'channel')} and became as the data, with {channels}.")
    if have == 1:
        items = np.repeat(items, 3, axis=3)
    elif have == 4:
        raise UserError("The samples are partly transparent and the data are not; save the samples without opacity.")
    if channels == 4:
        return np.concatenate([items, np.full((*items.shape[:3], 1), 255, np.uint8)], axis=3)
    if channels == 1 and not (items == items[..., :1]).all():
        raise UserError("The samples have colours and the data are grey; save the samples in grey.")
    return items[..., :channels]


def _numbered(found: Found, classes: Sequence[str]) -> np.ndarray | None:
    """The labels as numbers of the data's classes; None, with a note, where some are no classes of the data."""
    if found.labels is None or not classes:
        return None
    values = found.labels if found.classes is None else np.array(found.classes)[found.labels.astype(np.int64)]
    names = [str(int(v)) if values.dtype.kind in "fiub" else str(v) for v in values]
    number = {str(name): index for index, name in enumerate(classes)}
    if unknown := sorted(set(names) - number.keys()):
        found.notes.append(f"The samples' labels are left out, for the data have no class {some(unknown)}.")
        return None
    return np.array([number[name] for name in names], np.int64)


def _vectors(source: Source, data: Data, n: int | None, seed: int) -> Foreign:
    dimension, notes = int(data.items.shape[1]), list[str]()
    on_disk = isinstance(source, str | PathLike)
    where = str(fspath(source)) if isinstance(source, str | PathLike) else what(source)
    rows = _read_vectors(Path(where).expanduser()) if on_disk else collected(source, notes)
    if isinstance(rows, list):
        raise UserError(f"The samples in {where} are pictures; {data.name} needs vectors [N, {dimension}] of numbers.")
    if not rows.size:
        raise UserError(_none_in(where))
    if rows.ndim != 2 or rows.shape[1] != dimension or rows.dtype.kind not in "iuf":
        raise UserError(
            f"The samples in {where} are {rows.dtype} {list(rows.shape)}; {data.name} needs vectors [N, {dimension}] "
            "of numbers."
        )
    if not measurable(rows):
        raise UserError(
            f"The samples in {where} hold NaN, infinite values or values beyond {LARGEST:g}; leave those out."
        )
    places = _chosen(len(rows), n, seed)
    name = Path(where).stem if on_disk else "samples"
    notes += _chosen_note(places, len(rows))
    return Foreign(name, where, np.asarray(rows[places], np.float32), None, len(rows), notes)


def _read_vectors(path: Path) -> np.ndarray:
    if not path.is_file() or path.suffix.lower() not in (".npz", ".npy"):
        why = "is no .npz or .npy file" if path.exists() else "doesn't exist"
        raise UserError(f"{path} {why}; samples of points are vectors [N, D] in such a file.")
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, NpzFile):
                return np.asarray(file)
            name = next((name for name in VECTORS if name in file.files), None)
            name = file.files[0] if name is None and len(file.files) == 1 else name
            if name is not None:
                return np.asarray(file[name])
            held = some(file.files) or "(none)"
    except PermissionError:
        raise
    except Exception as error:  # a damaged header can make NumPy raise anything
        raise UserError(f"{path} is damaged, cut short or no NumPy file; save it again with numpy.savez.") from error
    raise UserError(f'{path} holds the arrays {held}; name the one with the vectors "images".')
