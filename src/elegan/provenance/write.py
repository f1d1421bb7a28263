"""The only writers of what elegan makes: marked, labelled, signed, whole or not at all, and remembered.

The order is that of what destroys what: first what changes pixels, then the file, its metadata, and its signature over
all of it.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from elegan.errors import UserError
from elegan.pictures import to_image
from elegan.provenance import credentials, encode, mp4, registry, watermark, xmp
from elegan.provenance.encode import pixels_of
from elegan.provenance.label import Label
from elegan.provenance.manifest import Parent
from elegan.provenance.marking import Marked, mark
from elegan.provenance.registry import Made
from elegan.provenance.seal import LABEL, REGISTRY, WATERMARK, Picture, Sealed, seal, together

SUFFIXES = (*encode.STILLS, ".gif")
CONTENTS = "contents.json"
"""The signed list of a folder of pictures that are too small to be signed one by one."""
AT_ONCE = 256
NO_SAMPLES: Picture = np.empty((0, 0, 0, 3), np.uint8)
"""For a sheet or a plot of which no part is a picture of its own."""


def write_image(
    image: Image.Image,
    path: Path | str,
    label: Label,
    samples: Picture | None = None,
    *,
    parents: Sequence[Parent] = (),
) -> Sealed:
    """Write one picture as .png or .webp (both lossless), .jpg or .gif.

    ``samples`` uint8 [N, H, W, C] are what a sheet shows, [0, …] where it shows none: each is remembered, and sheets
    of what is too small for a watermark have none.  ``parents`` are the files that it was made from.  Raises UserError
    for another suffix, a picture that the format can't hold, and where it can't be written.
    """
    path, suffix = Path(path), Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f'"{path}" names no picture format; end it in {", ".join(SUFFIXES)}.')
    label = label.for_one_file()
    marked = mark([image], label, invisibly=samples is None or min(samples.shape[1:3]) >= watermark.SMALLEST)
    content = encode.picture(marked.frames[0], suffix, label)
    shown = [(encode.decoded(content), None if samples is not None else 0)]
    shown += [] if samples is None else [(item, index) for index, item in enumerate(samples)]
    return marked.and_(seal(path, content, label, shown, parents=parents, layers=marked.layers))


def write_folder(
    folder: Path, images: Iterable[tuple[str, Picture]], label: Label, tables: Mapping[str, bytes] | None = None
) -> Sealed:
    """Write pictures uint8 [H, W, C] under their names, which may be any number, numbered as they come, into a folder
    that nobody reads yet: the caller renames it when it is whole.  To flush each file took six times as long.

    Small ones, below the watermark's least size, would grow twentyfold by a signature each: they and the ``tables``
    (name → content) share one, over ``contents.json``, which lists the SHA-256 of each.
    """
    found, hashes, waiting = [], {}, list[Made]()
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, pixels) in enumerate(images):
        one = label.for_one_file()
        marked, content = _file(name, pixels, one)
        if WATERMARK in marked.layers:
            shown = [(encode.decoded(content), number)]
            found.append(marked.and_(seal(folder / name, content, one, shown, layers=marked.layers)))
            continue
        (folder / name).write_bytes(content)
        hashes[name] = hashlib.sha256(content).hexdigest()
        waiting.append(Made(one, content, encode.decoded(content), number))
        if len(waiting) == AT_ONCE:
            found.append(_remembered(waiting))
            waiting = []
    found += [_remembered(waiting)] if waiting else []
    for name, content in (tables or {}).items():
        (folder / name).write_bytes(content)
        hashes[name] = hashlib.sha256(content).hexdigest()
    return _listed(folder, hashes, label, together(found)) if hashes else together(found)


def write_archive(
    path: Path, images: Iterable[tuple[str, Picture]], label: Label, tables: Mapping[str, bytes] | None = None
) -> Sealed:
    """Write pictures uint8 [H, W, C] and ``tables`` (name → content) as one .zip with one signature over all of it.

    Raises UserError where it can't be written.
    """
    buffer, layers, shown = io.BytesIO(), list[Sealed](), list[tuple[Picture, int | None]]()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # what is compressed can't be signed
        for number, (name, pixels) in enumerate(images):
            marked, content = _file(name, pixels, label.for_one_file())
            archive.writestr(name, content)
            layers.append(Sealed(marked.layers, marked.missing))
            shown.append((encode.decoded(content), number))
        for name, content in (tables or {}).items():
            archive.writestr(name, content)
    marks = together(layers)
    sealed = seal(path, buffer.getvalue(), label.for_one_file(), shown, layers=marks.layers)
    return Sealed(sealed.layers, marks.missing + sealed.missing)


def write_gif(
    frames: Sequence[Image.Image],
    path: Path | str,
    label: Label,
    milliseconds: int = 100,
    *,
    watermarked: bool = True,
    parents: Sequence[Parent] = (),
) -> Sealed:
    """Write an endless animation, or a still of one frame; each frame has its own palette of 256 colours.

    Equal neighbours become one frame that stays for as long.  Raises UserError for another suffix and
    where nothing can be written, ValueError for frames of different sizes.
    """
    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise UserError(f'"{path}" is to be an animation; end it in .gif.')
    label = label.for_one_file()
    marked = mark(frames, label, invisibly=watermarked)
    content = encode.animation(marked.frames, label, milliseconds)
    return marked.and_(seal(path, content, label, _numbered(marked.frames), parents=parents, layers=marked.layers))


def write_mp4(
    frames: Sequence[Image.Image], path: Path, label: Label, fps: int, *, parents: Sequence[Parent] = ()
) -> Sealed:
    """Write a film with the package av.  Raises UserError where that is missing or nothing can be written."""
    label = label.for_one_file()
    marked = mark(frames, label)
    content = mp4.insert(mp4.encoded(marked.frames, label, fps), xmp.packet(label))
    return marked.and_(seal(path, content, label, _numbered(marked.frames), parents=parents, layers=marked.layers))


def write_arrays(
    path: Path | str,
    samples: NDArray[np.uint8] | NDArray[np.float32],
    label: Label,
    labels: NDArray[np.integer] | None = None,
) -> Sealed:
    """Write samples as .npz, without pickles: ``images`` uint8 [N, H, W, C] or ``vectors`` float32 [N, D],
    ``labels`` int64 [N] where there are any, and the label as JSON in ``provenance``.

    Raises UserError for another suffix and where nothing can be written, ValueError for other shapes.
    """
    path, label = Path(path), label.for_one_file()
    if path.suffix.lower() != ".npz":
        raise UserError(f'"{path}" is to hold arrays; end it in .npz.')
    arrays: dict[str, NDArray[np.generic]] = {"provenance": np.array(label.to_json())}
    pictures: list[tuple[Picture, int | None]] = []
    if samples.dtype == np.uint8 and samples.ndim == 4:
        marked = mark([to_image(pixels) for pixels in samples], label)
        arrays["images"] = np.stack([pixels_of(frame) for frame in marked.frames])
        pictures = [(pixels, index) for index, pixels in enumerate(arrays["images"])]
    elif np.issubdtype(samples.dtype, np.floating) and samples.ndim == 2:
        marked = Marked([], (LABEL,))
        arrays["vectors"] = samples.astype(np.float32)
    else:
        given = f"{samples.dtype} {list(samples.shape)}"
        raise ValueError(f"Samples are uint8 [N, H, W, C] or float [N, D], not {given}.")
    if labels is not None:
        if labels.shape != samples.shape[:1]:
            raise ValueError(f"There are {len(samples)} samples, and labels {list(labels.shape)}.")
        arrays["labels"] = labels.astype(np.int64)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return marked.and_(seal(path, buffer.getvalue(), label, pictures, layers=marked.layers))


def _file(name: str, pixels: Picture, label: Label) -> tuple[Marked, bytes]:
    """A picture with its marks, as a labelled file that isn't signed yet."""
    marked = mark([to_image(pixels)], label)
    return marked, encode.still(marked.frames[0], Path(name).suffix.lower(), label)


def _listed(folder: Path, hashes: dict[str, str], label: Label, others: Sealed) -> Sealed:
    """Write the signed list; what it and the files have."""
    label = label.for_one_file()
    content = json.dumps({"label": asdict(label), "sha256": hashes}, ensure_ascii=False, indent=0).encode()
    sealed = seal(folder / CONTENTS, content, label)
    return Sealed(tuple(dict.fromkeys(sealed.layers + others.layers)), sealed.missing + others.missing)


def parent_of(path: Path) -> Parent:
    """A file that something is made from."""
    return Parent(path.read_bytes(), credentials.mime_of(path.name) or credentials.ANY, path.name)


def _remembered(made: Sequence[Made]) -> Sealed:
    kept = registry.remember(made)
    return Sealed((LABEL, REGISTRY)) if kept else Sealed((LABEL,), ("They aren't in the registry.",))


def _numbered(frames: Sequence[Image.Image]) -> list[tuple[Picture, int | None]]:
    return [(pixels_of(frame), index) for index, frame in enumerate(frames)]
